/* Owns the control processes. Must stay true: each has a deadline and one end; `done` is called at most once, from the loop, as the last thing that
 * happens to a Control; what is left of it after that is nobody's business (control_remains.c). */
#include "manager/life/control_private.h"

#include <stdio.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/deadline.h"
#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/spawn/spawn.h"

static Control *control_free(Control *c) {
        if (!c)
                return NULL;
        if (c->run && control_find(c->instance->service->manager, c->run) == c)
                map_remove(c->instance->service->manager->controls, &c->run);
        sd_event_source_disable_unref(c->timer);
        sd_event_source_disable_unref(c->output);
        sd_event_source_disable_unref(c->late);
        fd_close(c->read);
        fd_close(c->write);
        cell_free(c->cell);
        strv_free(c->command);
        strv_free(c->env);
        free(c->what);
        free(c->why);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Control *, control_free);

Control *control_find(const Manager *m, uint64_t run) {
        return m->controls ? map_get(m->controls, &run) : NULL;
}

Instance *control_of_pid(const Manager *m, pid_t pid) {
        size_t at = 0;
        void *v;

        while (m->controls && map_next(m->controls, &at, &v))
                if (((Control *) v)->pid == pid)
                        return ((Control *) v)->instance;
        return NULL;
}

/* ---- the end ---- */

/* It may execute already, but the keeper has not said which process it is: without that a session cannot find what it has started. */
static bool unmet(const Control *c) {
        return !c->pending && !c->gated && c->pid == 0;
}

bool control_unmet(const Manager *m) {
        size_t at = 0;
        void *v;

        while (m->controls && map_next(m->controls, &at, &v))
                if (unmet(v))
                        return true;
        return false;
}

/* main_alive: the keeper has not said that it ended. */
static void end_tree(Control *c, bool main_alive) {
        Manager *m = c->instance->service->manager;

        if (main_alive && unmet(c) && control_leave_unmet(c))
                return;
        if (main_alive && !c->pending)
                (void) link_signal(m->link, c->run, SIGKILL, WIRE_TO_MAIN);
        if (!c->cell)
                return;
        if (main_alive || cell_populated(c->cell) != 0)
                (void) cell_kill(c->cell);
        control_leave_remains(m, TAKE_PTR(c->cell));
}

/* Takes c: tells whoever wanted it. */
static void conclude(Control *c, ControlResult *r, bool main_alive) {
        ControlDone done = c->done;
        void *userdata = c->userdata;
        _cleanup_free_ char *output = NULL;
        const char *tail = c->tail;
        size_t n;

        end_tree(c, main_alive);
        while (c->used > 0 && (c->tail[c->used - 1] == '\n' || c->tail[c->used - 1] == '\r'))
                c->used--;
        /* Cut at its beginning, perhaps within a character. */
        while (c->used == sizeof c->tail && tail < c->tail + 4 && ((uint8_t) *tail & 0xc0) == 0x80)
                tail++;
        n = c->used - (size_t) (tail - c->tail);
        output = utf8_valid(tail, n) ? strndup(tail, n) : text_escape(tail, n);
        r->output = output ?: "";
        log_debug("%s: %s: %s", c->instance->service->key, c->what, r->why);
        (void) control_free(c);
        done(userdata, r);
}

static void fail(Control *c, int error, bool permanent, const char *why, bool main_alive) {
        _cleanup_free_ char *text = strdup(why ?: strerror(-error));

        conclude(c, &(ControlResult) { .error = error, .permanent = permanent, .why = text ?: "", .code = -1 }, main_alive);
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        Control *c = userdata;
        char span[FORMAT_MAX], why[FORMAT_MAX + 32];

        if (!deadline_over(s, usec))
                return 0;
        snprintf(why, sizeof why, "timed out after %s", format_span(span, c->timeout, true));
        conclude(c, &(ControlResult) { .why = why, .code = -1, .timed_out = true }, true);
        return 0;
}

Control *control_cancel(Control *c) {
        if (!c)
                return NULL;
        end_tree(c, true);
        return control_free(c);
}

void control_cancel_all(Instance *i) {
        Map *controls = i->service->manager->controls;
        bool again = controls && map_size(controls) > 0;

        while (again) {
                size_t at = 0;
                void *v;

                again = false;
                while (!again && map_next(controls, &at, &v))
                        again = ((Control *) v)->instance == i;
                if (again)
                        (void) control_cancel(v);
        }
}

void control_free_all(Manager *m) {
        control_free_remains(m);
        m->controls = map_free(m->controls);
}

/* ---- the start ---- */

static int on_late(sd_event_source *s, void *userdata) {
        Control *c = userdata;
        _cleanup_free_ char *why = TAKE_PTR(c->why);

        fail(c, c->error, c->permanent, why, false);
        return 0;
}

static int fail_later(Control *c, int error, bool permanent, KlError *e) {
        Manager *m = c->instance->service->manager;

        c->pending = true;                 /* the keeper knows nothing of it */
        c->error = error;
        c->permanent = permanent;
        c->why = TAKE_PTR(e->message);
        return sd_event_add_defer(m->event, &c->late, on_late, c);
}

/* To the keeper, or pending when its socket is full. */
static int send_it(Control *c) {
        SpawnControl s = { .instance = c->instance, .what = c->what, .command = c->command, .env = c->env, .run = c->run,
                           .invocation = c->invocation, .cell = c->cell, .gated = c->gated, .output = c->write };
        _cleanup_error_ KlError e = {};
        bool permanent = false;
        int r = spawn_control(&s, &permanent, &e);

        c->pending = r == -EAGAIN;
        if (r == -EAGAIN)
                return 0;
        c->write = fd_close(c->write);
        return r < 0 ? fail_later(c, r, permanent, &e) : 0;
}

/* Inside of the run's place, where it has one that can be told from /proc; else like a run of its own. */
static int open_cell(Control *c, KlError *reterr) {
        Instance *i = c->instance;
        Service *s = i->service;
        CellName name = { .ns = s->spec->ns, .service = s->spec->name, .instance = i->index };

        if (i->cell && i->lc.main_alive && i->lc.run_since > 0 && cell_new_beside(i->cell, c->run, NULL, &c->cell) >= 0)
                return 0;
        name.generation = ++s->generation;
        s->dirty = true;
        c->gated = isolate_gated(s->manager->isolate);
        return cell_new(s->manager->isolate, &name, s->spec, NULL, &c->cell, reterr);
}

static int prepare(Control *c, const ControlRequest *r, KlError *reterr) {
        Manager *m = c->instance->service->manager;
        int k;

        c->what = strdup(r->what);
        c->command = strv_copy(r->command);
        c->env = strv_copy(r->env);
        if (!c->what || !c->command || (r->env && !c->env) || (!m->controls && !(m->controls = map_new_u64())))
                return -ENOMEM;
        if ((k = spawn_invocation(m, c->invocation)) < 0 || (k = spawn_run_number(m, &c->run)) < 0 || (k = open_cell(c, reterr)) < 0)
                return k;
        if (r->quiet && (k = control_open_output(c, m->event)) < 0)
                return k;
        k = deadline_arm(m, &c->timer, usec_add(now_usec(CLOCK_MONOTONIC), r->timeout), on_timeout, c);
        if (k >= 0)
                k = map_put(m->controls, &c->run, c);
        return k < 0 ? k : send_it(c);
}

int control_start(Instance *i, const ControlRequest *r, ControlDone done, void *userdata, Control **ret, KlError *reterr) {
        _cleanup_(control_freep) Control *c = NULL;
        int k;

        if (r->timeout == 0 || r->timeout == USEC_INFINITY || !r->command || !r->command[0])
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: no command, or no time for it", r->what);
        c = malloc(sizeof(Control));
        if (!c)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        *c = (Control) { .instance = i, .done = done, .userdata = userdata, .timeout = r->timeout, .quiet = r->quiet, .read = -EBADF, .write = -EBADF };
        k = prepare(c, r, reterr);
        if (k < 0) {
                if (c->cell)
                        (void) cell_clean(c->cell);
                if (reterr && !reterr->message)
                        kl_error_set(reterr, k, KL_E_FAILED, "cannot start %s: %s", r->what, strerror(-k));
                return k;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

void control_pump(Manager *m) {
        size_t at = 0;
        void *v;

        while (m->controls && map_next(m->controls, &at, &v)) {
                Control *c = v;

                if (c->pending && !c->late && (send_it(c) < 0 || c->pending))
                        return;
        }
}

/* ---- from the keeper and the isolation ---- */

void control_spawned(Manager *m, const WireSpawned *p) {
        PidRef main = { .pid = p->pid, .fd = -EBADF, .start_time = p->start_time };
        Control *c = control_find(m, p->run);
        char invocation[33];
        int r;

        if (!c) {
                control_remains_spawned(m, p);
                return;
        }
        c->pid = p->pid;
        hex_encode(invocation, c->invocation, sizeof c->invocation);
        r = cell_place(c->cell, &main, invocation);
        if (r < 0)
                fail(c, r, false, NULL, true);
}

void control_placed(Manager *m, Cell *cell, int error, const char *why) {
        size_t at = 0;
        void *v;

        while (m->controls && map_next(m->controls, &at, &v)) {
                Control *c = v;

                if (c->cell != cell)
                        continue;
                if (error < 0)
                        fail(c, error, false, why, true);
                else if (c->gated)
                        (void) link_release(m->link, c->run);
                return;
        }
}

void control_spawn_failed(Manager *m, const WireFailed *p) {
        Control *c = control_find(m, p->run);
        char why[200];

        if (!c) {
                control_remains_failed(m, p->run);
                return;
        }
        snprintf(why, sizeof why, "cannot %s %s: %s", wire_stage_name(p->stage), p->stage == STAGE_EXEC ? c->command[0] : "",
                 p->stage == STAGE_KILLED ? signal_name(p->error) : strerror(p->error));
        fail(c, p->stage == STAGE_KILLED ? -ECANCELED : -p->error, instance_failure_permanent(p), why, false);
}

void control_exited(Manager *m, const WireExited *p) {
        Control *c = control_find(m, p->run);
        ControlResult r = { .code = -1 };
        char why[64];

        /* What it means is not recorded anywhere: it can be forgotten at once. */
        (void) link_ack(m->link, p->run);
        if (!c)
                return;
        if (WIFEXITED(p->status)) {
                r.code = WEXITSTATUS(p->status);
                snprintf(why, sizeof why, "exit code %d", r.code);
        } else {
                r.signal = WTERMSIG(p->status);
                snprintf(why, sizeof why, "killed by %s", signal_name(r.signal));
        }
        r.why = why;
        if (c->output)
                (void) control_read_output(c);
        conclude(c, &r, false);
}
