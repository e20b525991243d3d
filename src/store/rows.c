/* Rows in and out: one function for each sentence the manager says to the store. Integers are kept as SQLite's signed 64 bits; a uint64_t
 * goes through the cast and back unchanged. */
#include "store/store_private.h"

#define EXECUTE(s, which, ...) ({ const Value _values[] = { __VA_ARGS__ }; store_execute(s, which, _values, ARRAY_SIZE(_values)); })

/* One write of ours: inside the caller's transaction, or one by itself that power loss may undo. */
#define WRITE(s, which, ...) ({ int _r = store_relax(s); _r < 0 ? _r : EXECUTE(s, which, __VA_ARGS__); })

static const char *text_at(sqlite3_stmt *st, int i) {
        return (const char *) sqlite3_column_text(st, i) ?: "";
}

/* Steps through a statement; `row` makes the caller's structure of each and calls back. */
static int each_row(Store *s, sqlite3_stmt *st, int (*row)(sqlite3_stmt *st, void *context), void *context) {
        int r;

        while ((r = store_step(s, st)) > 0) {
                r = row(st, context);
                if (r != 0) {
                        sqlite3_reset(st);
                        sqlite3_clear_bindings(st);
                        return r;
                }
        }
        return r;
}

int store_put_service(Store *s, const StoredService *v) {
        return WRITE(s, STATEMENT_PUT_SERVICE, TEXT(v->ns), TEXT(v->name), TEXT(v->spec_json), TEXT(v->origin), NUMBER(v->wanted),
                     NUMBER(v->generation), NUMBER(v->position));
}

int store_set_wanted(Store *s, const char *ns, const char *name, bool wanted) {
        int r;

        r = WRITE(s, STATEMENT_SET_WANTED, NUMBER(wanted), TEXT(ns), TEXT(name));
        return r < 0 ? r : sqlite3_changes(s->db) > 0 ? 0 : -ENOENT;
}

int store_set_generation(Store *s, const char *ns, const char *name, uint64_t generation) {
        return WRITE(s, STATEMENT_SET_GENERATION, NUMBER(generation), TEXT(ns), TEXT(name));
}

int store_delete_service(Store *s, const char *ns, const char *name) {
        bool own = !s->transaction;
        int r;

        /* Both or neither: a run without its service would be adopted for nobody. */
        r = own ? store_begin(s, false) : 0;
        if (r < 0)
                return r;
        r = EXECUTE(s, STATEMENT_DELETE_SERVICE, TEXT(ns), TEXT(name));
        if (r >= 0)
                r = EXECUTE(s, STATEMENT_DELETE_RUNS, TEXT(ns), TEXT(name));
        if (r >= 0)
                r = EXECUTE(s, STATEMENT_DELETE_SCHEDULE, TEXT(ns), TEXT(name));
        return own ? store_commit(s, NULL) : r;
}

typedef struct ServiceContext {
        int (*each)(void *userdata, const StoredService *v);
        void *userdata;
} ServiceContext;

static int service_row(sqlite3_stmt *st, void *context) {
        const ServiceContext *c = context;
        StoredService v = {
                .ns = text_at(st, 0),
                .name = text_at(st, 1),
                .spec_json = text_at(st, 2),
                .origin = text_at(st, 3),
                .wanted = sqlite3_column_int(st, 4) != 0,
                .generation = (uint64_t) sqlite3_column_int64(st, 5),
                .position = sqlite3_column_int64(st, 6),
        };

        return c->each(c->userdata, &v);
}

int store_each_service(Store *s, int (*each)(void *userdata, const StoredService *v), void *userdata) {
        ServiceContext c = { each, userdata };

        return each_row(s, s->statements[STATEMENT_EACH_SERVICE], service_row, &c);
}

/* Bit n of the column `flags` is the n-th of these: entries are never changed, only added. */
static const size_t flag_fields[] = {
        offsetof(Lifecycle, wanted),    offsetof(Lifecycle, restart_pending), offsetof(Lifecycle, main_alive),
        offsetof(Lifecycle, rest_alive), offsetof(Lifecycle, was_ready),      offsetof(Lifecycle, failing),
        offsetof(Lifecycle, stop_sent), offsetof(Lifecycle, exit_known),      offsetof(Lifecycle, exit.core),
        offsetof(Lifecycle, started_up), offsetof(Lifecycle, unready),
        offsetof(Lifecycle, ready_once),
};

/* Above them: eight bits of Lifecycle.hooks, two of Lifecycle.reload. */
#define FLAGS_HOOKS 32
#define FLAGS_RELOAD 40

static int64_t flags_of(const Lifecycle *l) {
        int64_t flags = (int64_t) l->hooks << FLAGS_HOOKS | (int64_t) l->reload << FLAGS_RELOAD;

        for (size_t i = 0; i < ARRAY_SIZE(flag_fields); i++)
                flags |= (int64_t) * (const bool *) ((const char *) l + flag_fields[i]) << i;
        return flags;
}

static void set_flags(Lifecycle *l, int64_t flags) {
        l->hooks = (uint8_t) (flags >> FLAGS_HOOKS);
        l->reload = (uint8_t) (flags >> FLAGS_RELOAD & 3);
        for (size_t i = 0; i < ARRAY_SIZE(flag_fields); i++)
                *(bool *) ((char *) l + flag_fields[i]) = flags >> i & 1;
}

int store_put_run(Store *s, const StoredRun *v) {
        const Lifecycle *l = &v->lc;

        return WRITE(s, STATEMENT_PUT_RUN, TEXT(v->ns), TEXT(v->name), NUMBER(v->instance), NUMBER(v->run), NUMBER(v->generation),
                     TEXT(v->invocation_id), NUMBER(v->pid), NUMBER(v->start_time), TEXT(v->boot_id), TEXT(v->isolation), TEXT(v->where),
                     NUMBER(v->since_realtime), TEXT(lifecycle_state_name(l->state)), NUMBER(flags_of(l)), NUMBER(l->restarts),
                     NUMBER(l->attempts), NUMBER(l->reason), NUMBER(l->exit.code), NUMBER(l->exit.signal), NUMBER(l->since),
                     NUMBER(l->run_since), NUMBER(l->ready_since), NUMBER(l->deadline), NUMBER(v->stop_due), NUMBER(v->watchdog),
                     TEXT(v->status), TEXT(v->hint), NUMBER(v->number), NUMBER(l->oversized), TEXT(v->said));
}

int store_delete_run(Store *s, const char *ns, const char *name, unsigned instance) {
        return WRITE(s, STATEMENT_DELETE_RUN, TEXT(ns), TEXT(name), NUMBER(instance));
}

int store_delete_orphans(Store *s) {
        int r = store_relax(s);

        return r < 0 ? r : store_execute(s, STATEMENT_DELETE_ORPHANS, NULL, 0);
}

typedef struct RunContext {
        int (*each)(void *userdata, const StoredRun *v);
        void *userdata;
} RunContext;

static int run_row(sqlite3_stmt *st, void *context) {
        const RunContext *c = context;
        StoredRun v = {
                .ns = text_at(st, 0),
                .name = text_at(st, 1),
                .instance = (unsigned) sqlite3_column_int64(st, 2),
                .run = (uint64_t) sqlite3_column_int64(st, 3),
                .generation = (uint64_t) sqlite3_column_int64(st, 4),
                .invocation_id = text_at(st, 5),
                .pid = (pid_t) sqlite3_column_int64(st, 6),
                .start_time = (uint64_t) sqlite3_column_int64(st, 7),
                .boot_id = text_at(st, 8),
                .isolation = text_at(st, 9),
                .where = text_at(st, 10),
                .since_realtime = (usec_t) sqlite3_column_int64(st, 11),
                .lc = { .state = lifecycle_state_from_name(text_at(st, 12)),
                        .restarts = (uint32_t) sqlite3_column_int64(st, 14),
                        .attempts = (uint32_t) sqlite3_column_int64(st, 15),
                        .reason = (LcReason) sqlite3_column_int(st, 16),
                        .exit = { .code = sqlite3_column_int(st, 17), .signal = sqlite3_column_int(st, 18) },
                        .since = (usec_t) sqlite3_column_int64(st, 19),
                        .run_since = (usec_t) sqlite3_column_int64(st, 20),
                        .ready_since = (usec_t) sqlite3_column_int64(st, 21),
                        .deadline = (usec_t) sqlite3_column_int64(st, 22),
                        .oversized = (uint32_t) sqlite3_column_int64(st, 28) },
                .stop_due = sqlite3_column_int(st, 23) != 0,
                .watchdog = (usec_t) sqlite3_column_int64(st, 24),
                .status = text_at(st, 25),
                .hint = text_at(st, 26),
                .number = (uint32_t) sqlite3_column_int64(st, 27),
                .said = text_at(st, 29),
        };

        set_flags(&v.lc, sqlite3_column_int64(st, 13));
        return c->each(c->userdata, &v);
}

int store_each_run(Store *s, int (*each)(void *userdata, const StoredRun *v), void *userdata) {
        RunContext c = { each, userdata };

        return each_row(s, s->statements[STATEMENT_EACH_RUN], run_row, &c);
}

int store_put_schedule(Store *s, const StoredSchedule *v) {
        return WRITE(s, STATEMENT_PUT_SCHEDULE, TEXT(v->ns), TEXT(v->name), NUMBER(v->handled), NUMBER(v->last), NUMBER(v->pending));
}

typedef struct ScheduleContext {
        int (*each)(void *userdata, const StoredSchedule *v);
        void *userdata;
} ScheduleContext;

static int schedule_row(sqlite3_stmt *st, void *context) {
        const ScheduleContext *c = context;
        StoredSchedule v = {
                .ns = text_at(st, 0),
                .name = text_at(st, 1),
                .handled = (usec_t) sqlite3_column_int64(st, 2),
                .last = (usec_t) sqlite3_column_int64(st, 3),
                .pending = (uint32_t) sqlite3_column_int64(st, 4),
        };

        return c->each(c->userdata, &v);
}

int store_each_schedule(Store *s, int (*each)(void *userdata, const StoredSchedule *v), void *userdata) {
        ScheduleContext c = { each, userdata };

        return each_row(s, s->statements[STATEMENT_EACH_SCHEDULE], schedule_row, &c);
}

int store_add_event(Store *s, const StoredEvent *v, int64_t *ret_id) {
        int64_t id;
        int r;

        r = WRITE(s, STATEMENT_ADD_EVENT, NUMBER(v->id), NUMBER(v->realtime), TEXT(v->ns), TEXT(v->name), NUMBER(v->instance),
                  TEXT(v->kind), TEXT(v->message), TEXT(v->data_json));
        if (r < 0)
                return r;
        id = sqlite3_last_insert_rowid(s->db);
        if (id > STORE_EVENTS_KEPT) {
                /* Ids ascend, so the oldest that may stay is known by its number; a gap only makes it keep fewer. */
                r = EXECUTE(s, STATEMENT_TRIM_EVENTS, NUMBER(id - STORE_EVENTS_KEPT));
                if (r < 0)
                        return r;
        }
        if (ret_id)
                *ret_id = id;
        return 0;
}

typedef struct EventContext {
        int (*each)(void *userdata, const StoredEvent *v);
        void *userdata;
} EventContext;

static int event_row(sqlite3_stmt *st, void *context) {
        const EventContext *c = context;
        StoredEvent v = {
                .id = sqlite3_column_int64(st, 0),
                .realtime = (usec_t) sqlite3_column_int64(st, 1),
                .ns = text_at(st, 2),
                .name = text_at(st, 3),
                .instance = sqlite3_column_int(st, 4),
                .kind = text_at(st, 5),
                .message = text_at(st, 6),
                .data_json = text_at(st, 7),
        };

        return c->each(c->userdata, &v);
}

int store_each_event(Store *s, int64_t after, int (*each)(void *userdata, const StoredEvent *v), void *userdata) {
        const Value values[] = { NUMBER(after) };
        EventContext c = { each, userdata };
        sqlite3_stmt *st;
        int r;

        r = store_bind(s, STATEMENT_EACH_EVENT, values, ARRAY_SIZE(values), &st);
        return r < 0 ? r : each_row(s, st, event_row, &c);
}

int store_each_event_back(Store *s, int64_t after, usec_t since, int (*each)(void *userdata, const StoredEvent *v), void *userdata) {
        const Value values[] = { NUMBER(after), NUMBER(MIN(since, (usec_t) INT64_MAX)) };
        EventContext c = { each, userdata };
        sqlite3_stmt *st;
        int r;

        r = store_bind(s, STATEMENT_EACH_EVENT_BACK, values, ARRAY_SIZE(values), &st);
        return r < 0 ? r : each_row(s, st, event_row, &c);
}

int store_get_meta(Store *s, const char *key, char **ret) {
        const Value values[] = { TEXT(key) };
        sqlite3_stmt *st;
        int r;

        r = store_bind(s, STATEMENT_GET_META, values, ARRAY_SIZE(values), &st);
        if (r < 0)
                return r;
        r = store_step(s, st);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;
        *ret = strdup(text_at(st, 0));
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
        return *ret ? 0 : -ENOMEM;
}

int store_set_meta(Store *s, const char *key, const char *value) {
        return WRITE(s, STATEMENT_SET_META, TEXT(key), TEXT(value));
}
