/* The store, the keeper's acknowledgements, the status line for systemd, and the removal of dead cells: all that may wait until the loop
 * has nothing better to do. Must stay true: an exit is acknowledged only after the transaction that records it; when the store fails,
 * services go on, the fault is a visible problem, and the books stay marked until they can be written. */
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "linux/thrift.h"
#include "manager/books/books.h"
#include "manager/books/state.h"
#include "manager/events.h"
#include "manager/link.h"
#include "manager/notify/said.h"
#include "manager/triggers/schedule.h"
#include "manager/upward.h"

#define RETRY_USEC (5 * USEC_PER_SEC)
#define ACKS_KEPT 1024             /* exits kept back while the store cannot be written: the keeper's table has an end */

void books_mark(Manager *m) {
        if (!m->loading && m->books)
                (void) sd_event_source_set_enabled(m->books, SD_EVENT_ONESHOT);
}

void books_mark_instance(Instance *i) {
        i->dirty = true;
        books_mark(i->service->manager);
}

static void acknowledge(Manager *m) {
        if (m->n_acks_written == 0)
                return;
        for (size_t k = 0; k < m->n_acks_written; k++)
                (void) link_ack(m->link, m->acks[k]);
        m->n_acks -= m->n_acks_written;
        memmove(m->acks, m->acks + m->n_acks_written, m->n_acks * sizeof *m->acks);
        m->n_acks_written = 0;
}

int books_ack(Manager *m, uint64_t run) {
        if (m->store_failed && m->n_acks >= ACKS_KEPT) {
                m->n_acks_written = m->n_acks;
                acknowledge(m);
        }
        if (m->n_acks == m->acks_allocated) {
                size_t n = MAX(m->acks_allocated * 2, 64u);
                uint64_t *a = reallocarray(m->acks, n, sizeof(uint64_t));
                if (!a)
                        return -ENOMEM;      /* the keeper says it again on LIST: nothing is lost */
                m->acks = a;
                m->acks_allocated = n;
        }
        m->acks[m->n_acks++] = run;
        books_mark(m);
        return 0;
}

static void bury_now(Cell *cell) {
        int r = cell_clean(cell);

        if (r < 0)
                log_debug("cannot remove %s: %s", cell_where(cell), strerror(-r));
        cell_free(cell);
}

bool books_buried(const Manager *m, const Cell *cell) {
        for (size_t k = 0; k < m->n_graveyard; k++)
                if (m->graveyard[k] == cell)
                        return true;
        return false;
}

void books_bury(Manager *m, Cell *cell) {
        if (m->n_graveyard == m->graveyard_allocated) {
                size_t n = MAX(m->graveyard_allocated * 2, 64u);
                Cell **g = reallocarray(m->graveyard, n, sizeof(Cell *));
                if (!g) {
                        bury_now(cell);
                        return;
                }
                m->graveyard = g;
                m->graveyard_allocated = n;
        }
        m->graveyard[m->n_graveyard++] = cell;
        books_mark(m);
}

/* What lives, waits or has ended by itself goes on so under another manager: one that is to begin anew has no row. What a whole service's
 * goal or a shutdown ended is of that kind: the goal says it. */
static bool remembered(const Instance *i) {
        const Service *s = i->service;

        if (lifecycle_alive(&i->lc))
                return true;
        if (s->deleting || s->manager->shutdown == SHUTDOWN_STOP_ALL)
                return false;
        return s->wanted || i->lc.state != LC_STOPPED || i->lc.hooks;
}

/* What finds its place again. A session has none before its main process is known: there it is the invocation, which all of it will carry. */
static const char *place_of(const Instance *i, const char *invocation) {
        if (!i->cell)
                return "";
        return *cell_where(i->cell) ? cell_where(i->cell) : invocation;
}

int books_forget_instance(const Instance *i) {
        const Service *s = i->service;
        int r = store_set_generation(s->manager->store, s->spec->ns, s->spec->name, s->generation);

        return r < 0 ? r : store_delete_run(s->manager->store, s->spec->ns, s->spec->name, i->place);
}

int books_write_instance(Instance *i) {
        const Service *s = i->service;
        char id[33];
        StoredRun v = { .ns = s->spec->ns, .name = s->spec->name, .instance = i->place, .run = i->run, .generation = i->generation, .number = i->number,
                        .invocation_id = id, .pid = i->main.pid, .start_time = i->main.start_time, .boot_id = s->manager->boot_id,
                        .isolation = isolate_kind_name(isolate_kind(s->manager->isolate)), .where = place_of(i, id),
                        .since_realtime = i->since_realtime, .lc = i->lc, .stop_due = i->stop_deferred,
                        .watchdog = i->watchdog_interval, .status = i->status, .hint = i->hint };
        _cleanup_free_ char *said = said_text(i);

        if (!remembered(i))
                return books_forget_instance(i);
        v.lc.restart_pending = v.lc.restart_pending || i->restart_due;
        /* Should the daemon end before its shutdown is complete, the next one begins what the goal says. */
        if (s->manager->shutdown == SHUTDOWN_STOP_ALL) {
                v.lc.wanted = v.lc.restart_pending = true;
                v.stop_due = false;
        }
        v.said = said;
        hex_encode(id, i->invocation, sizeof i->invocation);
        return store_put_run(s->manager->store, &v);
}

static int write_all(Manager *m) {
        int r;

        for (size_t k = 0; k < m->n_order; k++) {
                Service *s = m->order[k];

                if (s->goal_dirty && !s->deleting && (r = store_set_wanted(m->store, s->spec->ns, s->spec->name, s->wanted)) < 0)
                        return r;
                if (s->dirty && (r = store_set_generation(m->store, s->spec->ns, s->spec->name, s->generation)) < 0)
                        return r;
                if ((r = schedule_write(s)) < 0)
                        return r;
                for (size_t n = 0; n < s->n_instances; n++)
                        if (s->instances[n]->dirty && (r = books_write_instance(s->instances[n])) < 0)
                                return r;
        }
        return events_write(m);
}

static void clear_marks(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++) {
                m->order[k]->dirty = m->order[k]->goal_dirty = false;
                schedule_written(m->order[k]);
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        m->order[k]->instances[n]->dirty = false;
        }
        events_tell(m);
        events_drop(m);
        m->n_acks_written = m->n_acks;
}

static bool service_unwritten(const Service *s) {
        if (s->dirty || s->goal_dirty || schedule_unwritten(s))
                return true;
        for (size_t n = 0; n < s->n_instances; n++)
                if (s->instances[n]->dirty)
                        return true;
        return false;
}

static bool unwritten(const Manager *m) {
        if (m->events_head)
                return true;
        for (size_t k = 0; k < m->n_order; k++)
                if (service_unwritten(m->order[k]))
                        return true;
        return false;
}

void books_retry(Manager *m) {
        _cleanup_error_ KlError e = {};
        int r;

        m->retry = sd_event_source_disable_unref(m->retry);
        m->store_failed = false;
        r = state_mend(m, &e);
        if (r < 0)
                books_failed(m, r, &e);
        else
                books_flush(m);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        books_retry(userdata);
        return 0;
}

void books_failed(Manager *m, int r, const KlError *why) {
        char *problem = text_printf("%s — %s%sIt is tried again every few seconds.", why->message, why->hint ?: "", why->hint ? " " : "");

        if (!m->store_problem)
                log_error("%s", problem ?: why->message);
        free(m->store_problem);
        m->store_problem = problem;
        m->state_damaged = r == -EUCLEAN;
        events_tell(m);
        m->store_failed = sd_event_add_time_relative(m->event, &m->retry, CLOCK_MONOTONIC, m->state_damaged ? 0 : RETRY_USEC, USEC_PER_SEC,
                                                     on_retry, m) >= 0;
}

static int write_books(Manager *m, bool durable, KlError *reterr) {
        int r = store_begin(m->store, durable);

        if (r >= 0) {
                r = write_all(m);
                if (r >= 0)
                        return store_commit(m->store, reterr);
                store_rollback(m->store);
        }
        return r < 0 ? store_error(m->store, r, reterr) : 0;
}

/* Twice, before it is believed that the file is damaged: then it is set aside, and old events with it. */
static int write_and_check(Manager *m, bool durable, KlError *reterr) {
        int r = write_books(m, durable, reterr);

        if (r != -EUCLEAN)
                return r;
        kl_error_done(reterr);
        return write_books(m, durable, reterr);
}

static int write_what_is_marked(Manager *m, bool durable) {
        _cleanup_error_ KlError e = {};
        int r;

        if (!m->store || m->store_failed)
                return -EAGAIN;
        /* A transaction with nothing in it would only tell whether the store has recovered. */
        if (!durable && !m->store_problem && !unwritten(m)) {
                m->n_acks_written = m->n_acks;
                return 0;
        }
        r = write_and_check(m, durable, &e);
        if (r < 0) {
                books_failed(m, r, &e);
                return r;
        }
        if (m->store_problem) {
                log_notice("the state is written again");
                free(m->store_problem);
                m->store_problem = NULL;
        }
        clear_marks(m);
        return 0;
}

int books_write(Manager *m, bool durable) {
        int r = write_what_is_marked(m, durable);

        if (r >= 0)
                acknowledge(m);
        return r;
}

void books_write_starts(Manager *m) {
        (void) write_what_is_marked(m, false);
}

void books_flush(Manager *m) {
        (void) books_write(m, false);
}

static bool anyone_starting(const Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++)
                        if (m->order[k]->instances[n]->lc.state == LC_STARTING)
                                return true;
        return false;
}

/* When all is sent off, again when nobody is on his way up any more, and when the last client has gone: what is told and asked until then passes through
 * much that is not needed after it. */
static void give_back(Manager *m) {
        bool sent = m->lavish && m->queue_size == 0 && m->in_flight == 0;

        if (!sent && (m->lavish || !m->unsettled || anyone_starting(m)))
                return;
        m->unsettled = sent;
        m->lavish = false;
        if (m->store)
                store_release(m->store);
        thrift_give_back();
}

int books_run(sd_event_source *s, void *userdata) {
        Manager *m = userdata;

        while (m->n_graveyard)
                bury_now(m->graveyard[--m->n_graveyard]);
        books_flush(m);
        upward_status(m);
        give_back(m);
        return 0;
}

void books_done(Manager *m) {
        while (m->n_graveyard)
                bury_now(m->graveyard[--m->n_graveyard]);
        free(m->graveyard);
        free(m->acks);
        free(m->store_problem);
        events_drop(m);
}
