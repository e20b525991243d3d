/* The state may be lost, damaged, or a moment behind (it could not be written); what runs must not stop for that, nor run twice. What a process
 * of ours carries in its environment says whose it is, and rows are made of that. Must stay true: a process is ours only when its INVOCATION_ID
 * begins with our home's id; a main process leads its session; where the state is whole, nothing comes back that it does not have a service
 * for; what is not known (the restart policy) is not invented: the service is left alone until its file is applied again. */
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/apply.h"
#include "manager/books/recover.h"
#include "manager/life/number.h"
#include "manager/link.h"

#define META_COMPLETE "complete"   /* the state was there, or made up for, when it was begun */
#define NAMES_SHOWN 10

typedef struct Found {
        char **env;
        const char *ns, *name, *invocation;    /* in env */
        unsigned instance;
        uint64_t run;                          /* the keeper's, or 0 for one that outlived its keeper */
        pid_t pid;
        uint64_t start_time;
} Found;

typedef struct Recovery {
        Manager *manager;
        bool complete;                         /* the state was whole: what has no service in it was deleted */
        bool everywhere;                       /* among all processes, not the keeper's children alone */
        char **known;                          /* invocation ids and "namespace/name", sorted */
        size_t n_known;
        Found *found;
        size_t n_found;
} Recovery;

static void recovery_done(Recovery *r) {
        for (size_t k = 0; k < r->n_found; k++)
                strv_free(r->found[k].env);
        free(r->found);
        strv_free(r->known);
}

static bool keeper_has(const Manager *m, uint64_t run) {
        LinkChild *children;
        size_t n;

        children = link_children(m->link, &n);
        for (size_t k = 0; k < n; k++)
                if (children[k].run == run)
                        return true;
        return false;
}

/* One that was asked for as its keeper died may have begun all the same: it is looked for. */
static int know_run(void *userdata, const StoredRun *v) {
        Recovery *r = userdata;

        if (v->lc.state == LC_PLACING && v->pid == 0 && !keeper_has(r->manager, v->run)) {
                r->everywhere = true;
                return 0;
        }
        return strv_append(&r->known, v->invocation_id);
}

static int know_service(void *userdata, const StoredService *v) {
        Recovery *r = userdata;

        return strv_consume(&r->known, text_printf("%s/%s", v->ns, v->name));
}

static int compare_words(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool knows(const Recovery *r, const char *word) {
        return r->n_known > 0 && bsearch(&word, r->known, r->n_known, sizeof(char *), compare_words);
}

static bool knows_service(const Recovery *r, const Found *f) {
        char key[300];

        snprintf(key, sizeof key, "%s/%s", f->ns, f->name);
        return knows(r, key);
}

static int read_known(Recovery *r) {
        _cleanup_free_ char *value = NULL;
        int k = store_get_meta(r->manager->store, META_COMPLETE, &value);

        if (k < 0 && k != -ENOENT)
                return k;
        r->complete = k >= 0;
        r->everywhere = !r->complete;
        k = store_each_run(r->manager->store, know_run, r);
        if (k >= 0)
                k = store_each_service(r->manager->store, know_service, r);
        r->n_known = strv_length(r->known);
        if (r->n_known > 0)
                qsort(r->known, r->n_known, sizeof(char *), compare_words);
        return k;
}

/* ---- finding ---- */

/* Whose it is, by its environment alone. */
static bool identify(const Recovery *r, Found *f) {
        const char *instance = strv_env_get(f->env, "KINGLY_INSTANCE"), *home = r->manager->places.id;
        uint8_t bytes[16];
        uint64_t n;

        f->ns = strv_env_get(f->env, "KINGLY_NAMESPACE");
        f->name = strv_env_get(f->env, "KINGLY_SERVICE");
        f->invocation = strv_env_get(f->env, "INVOCATION_ID");
        if (strv_env_get(f->env, "KINGLY_CONTROL"))
                return false;
        if (!f->ns || !f->name || !f->invocation || !instance || !startswith(f->invocation, home) ||
            !hex_decode(f->invocation, bytes, sizeof bytes) || !name_valid(f->ns) || !name_valid(f->name) ||
            parse_u64(instance, &n) < 0 || n >= INSTANCES_LIMIT || knows(r, f->invocation))
                return false;
        f->instance = (unsigned) n;
        return !r->complete || knows_service(r, f);
}

static int look_at(Recovery *r, pid_t pid, uint64_t run) {
        _cleanup_strv_ char **env = NULL;
        Found f = { .pid = pid, .run = run }, *grown;
        ProcessStat stat;
        int k = process_stat(pid, &stat);

        if (k >= 0 && ((run == 0 && stat.session != pid) || stat.state == 'Z'))
                return 0;
        if (k >= 0)
                k = process_environment(pid, &env);
        if (k < 0)
                return error_is_want(k) ? k : 0;
        f.env = env;
        f.start_time = stat.start_time;
        if (!identify(r, &f))
                return 0;
        grown = reallocarray(r->found, r->n_found + 1, sizeof(Found));
        if (!grown)
                return -ENOMEM;
        r->found = grown;
        grown[r->n_found++] = f;
        TAKE_PTR(env);
        return 0;
}

static uint64_t keepers_run(const Manager *m, pid_t pid) {
        LinkChild *children;
        size_t n;

        children = link_children(m->link, &n);
        for (size_t k = 0; k < n; k++)
                if (children[k].pid == pid && !children[k].exited)
                        return children[k].run;
        return 0;
}

static int look_everywhere(Recovery *r) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int k = process_all(&pids, &n);

        for (size_t i = 0; k >= 0 && i < n; i++)
                k = look_at(r, pids[i], keepers_run(r->manager, pids[i]));
        return k;
}

static int look_at_children(Recovery *r) {
        LinkChild *children;
        size_t n;
        int k = 0;

        children = link_children(r->manager->link, &n);
        for (size_t i = 0; i < n && k >= 0; i++) {
                char invocation[33];

                hex_encode(invocation, children[i].invocation, sizeof children[i].invocation);
                if (!children[i].exited && !knows(r, invocation))
                        k = look_at(r, children[i].pid, children[i].run);
        }
        return k;
}

/* By instance; the keeper's own child first, then the oldest, for what it started may lead a session as well. */
static int compare(const void *a, const void *b) {
        const Found *x = a, *y = b;
        int c = strcmp(x->ns, y->ns);

        if (c == 0)
                c = strcmp(x->name, y->name);
        if (c != 0)
                return c;
        if (x->instance != y->instance)
                return x->instance < y->instance ? -1 : 1;
        if ((x->run != 0) != (y->run != 0))
                return x->run != 0 ? -1 : 1;
        return x->start_time < y->start_time ? -1 : x->start_time > y->start_time;
}

static bool same_service(const Found *a, const Found *b) {
        return streq(a->ns, b->ns) && streq(a->name, b->name);
}

/* ---- writing ---- */

/* What Kingly gave it itself is given anew with each start. */
static int own_environment(const Found *f, char ***ret) {
        static const char *const ours[] = { "KINGLY_", "NODE_APP_INSTANCE=", "INVOCATION_ID=", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_" };

        STRV_FOREACH(e, f->env) {
                _cleanup_free_ char *name = strndup(*e, strcspn(*e, "="));
                bool skip = !name || !env_name_valid(name) || !utf8_valid(*e, strlen(*e));

                for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
                        skip = skip || startswith(*e, ours[k]);
                if (!skip && strv_append(ret, *e) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int own_command(const Found *f, char ***ret) {
        _cleanup_strv_ char **words = NULL;
        int r = process_arguments(f->pid, &words);

        if (error_is_want(r))
                return r;
        STRV_FOREACH(w, words)
                if ((r = strv_consume(ret, text_escape(*w, strlen(*w)))) < 0)
                        return r;
        return *ret && (*ret)[0][0] ? 0 : strv_append(ret, "unknown");
}

/* What the process shows: enough for its name, and for an operator who starts it again before its file is at hand. */
static int make_spec(const Found *f, unsigned instances, ServiceSpec **ret) {
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        char path[64], cwd[4096];
        struct stat st;
        ssize_t n;
        int r;

        r = spec_new(f->ns, f->name, &s);
        if (r < 0)
                return r;
        s->instances = (int32_t) instances;
        s->restart.when = RESTART_NEVER;
        if (strv_env_get(f->env, "NOTIFY_SOCKET"))
                s->ready_by = READY_NOTIFY;
        if ((r = own_command(f, &s->command)) < 0 || (r = own_environment(f, &s->env)) < 0)
                return r;
        snprintf(path, sizeof path, "/proc/%d/cwd", f->pid);
        n = readlink(path, cwd, sizeof cwd - 1);
        if (n > 0 && cwd[0] == '/' && utf8_valid(cwd, (size_t) n)) {
                free(s->cwd);
                s->cwd = strndup(cwd, (size_t) n);
        }
        *strrchr(path, '/') = '\0';
        if (stat(path, &st) >= 0 && st.st_uid != geteuid())
                s->user = text_printf("%u", (unsigned) st.st_uid);
        *ret = TAKE_PTR(s);
        return 0;
}

static int write_service(Recovery *r, const Found *f, unsigned instances, uint64_t generation, int64_t position) {
        _cleanup_(spec_freep) ServiceSpec *spec = NULL;
        int k = make_spec(f, instances, &spec);

        if (k < 0)
                return k;
        return apply_store(r->manager, spec, (StoredService) { .origin = ORIGIN_RECOVERED, .wanted = true, .generation = generation,
                                                               .position = position });
}

/* The number behind the last dash of a scope or a cgroup. */
static uint64_t generation_of(const char *where) {
        const char *dash = strrchr(where, '-');
        uint64_t n = 0;

        for (dash = dash ? dash + 1 : ""; *dash >= '0' && *dash <= '9' && n < UINT32_MAX; dash++)
                n = n * 10 + (uint64_t) (*dash - '0');
        return n;
}

/* That it runs is all that is known of it. */
static void running_since(Lifecycle *l, usec_t age) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        lifecycle_init(l);
        l->state = LC_RUNNING;
        l->wanted = l->main_alive = l->was_ready = true;
        l->since = l->run_since = l->ready_since = now > age ? now - age : 1;
}

static int write_run(Recovery *r, const Found *f, uint64_t *generation) {
        usec_t age = now_usec(CLOCK_BOOTTIME) - f->start_time * USEC_PER_SEC / (usec_t) sysconf(_SC_CLK_TCK);
        Manager *m = r->manager;
        _cleanup_free_ char *where = NULL;
        StoredRun v = { .ns = f->ns, .name = f->name, .instance = f->instance, .number = NUMBER_NONE, .run = f->run, .invocation_id = f->invocation, .pid = f->pid,
                        .start_time = f->start_time, .boot_id = m->boot_id, .isolation = isolate_kind_name(isolate_kind(m->isolate)),
                        .since_realtime = now_usec(CLOCK_REALTIME) - age };

        while (v.run == 0)
                if (getrandom(&v.run, sizeof v.run, 0) != sizeof v.run)
                        return -errno;
        if (isolate_locate(m->isolate, f->pid, f->invocation, &where) < 0)
                log_debug("pid %d of %s/%s is in no place of ours", f->pid, f->ns, f->name);
        v.where = where ?: "";
        v.generation = generation_of(v.where);
        *generation = MAX(*generation, v.generation);
        running_since(&v.lc, age);
        return store_put_run(m->store, &v);
}

int recover_mark(Manager *m) {
        return store_set_meta(m->store, META_COMPLETE, "1");
}

static int write_found(Recovery *r) {
        int64_t position = 1;
        int k = 0;

        for (size_t i = 0, last; i < r->n_found && k >= 0; i = last) {
                uint64_t generation = 0;

                for (last = i; last < r->n_found && same_service(r->found + i, r->found + last); last++) {
                        const Found *f = r->found + last;

                        if ((last == i || f->instance != f[-1].instance) && (k = write_run(r, f, &generation)) < 0)
                                return k;
                }
                if (!knows_service(r, r->found + i))
                        k = write_service(r, r->found + i, r->found[last - 1].instance + 1, generation, position++);
        }
        return k < 0 ? k : recover_mark(r->manager);
}

int recover_all(Manager *m, KlError *reterr) {
        _cleanup_(recovery_done) Recovery r = { .manager = m };
        int k = read_known(&r);

        if (k >= 0)
                k = r.everywhere ? look_everywhere(&r) : look_at_children(&r);
        if (k < 0)
                return kl_error_set(reterr, k, KL_E_FAILED, "cannot find out what runs: %s", strerror(-k));
        if (r.complete && r.n_found == 0)
                return 0;
        if (r.n_found > 1)
                qsort(r.found, r.n_found, sizeof(Found), compare);
        k = store_begin(m->store, true);
        if (k >= 0)
                k = write_found(&r);
        if (k >= 0)
                k = store_commit(m->store, reterr);
        else {
                store_rollback(m->store);
                k = store_error(m->store, k, reterr);
        }
        if (k >= 0 && r.n_found > 0)
                log_warning("running processes that the state did not know: %zu recovered", r.n_found);
        return k;
}

char *recover_problem(const Manager *m) {
        _cleanup_buffer_ Buffer names = {};
        size_t n = 0;

        for (size_t k = 0; k < m->n_order; k++)
                if (streq(m->order[k]->origin, ORIGIN_RECOVERED) && ++n <= NAMES_SHOWN) {
                        const char *key = m->order[k]->key, *short_name = startswith(key, "default/");

                        (void) buffer_printf(&names, "%s%s", n == 1 ? "" : ", ", short_name ?: key);
                }
        if (n == 0 || !names.data)
                return NULL;
        return text_printf("recovered from running processes, because the state did not know them: %s%s — apply their files again, which "
                           "restarts nothing; until then they are not started again when they end", names.data, n > NAMES_SHOWN ? ", …" : "");
}
