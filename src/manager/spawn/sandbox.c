/* Whether there are namespaces to be had depends on our rights, the kernel, its settings, a security module and a container around us. So it is
 * tried: the keeper makes a child with a sandbox that executes nothing, first by our own right, then by that of a user namespace. It is tried once,
 * when something asks for it first.
 *
 * Must stay true: a start that needs to know waits in its queue for as long as the trial takes, which has a deadline. */
#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/life/control.h"
#include "manager/link.h"
#include "manager/spawn/sandbox_private.h"
#include "manager/spawn/spawn.h"

#define TRIAL_MAX (30 * USEC_PER_SEC)
#define TRIAL_AGAIN (100 * USEC_PER_MSEC)  /* the keeper's socket is full */

Sandbox *sandbox_free(Sandbox *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->deadline);
        call_list_done(&s->calls);
        fd_close(s->filter);
        free(s->filter_key);
        free(s->lines_why);
        free(s->why);
        free(s);
        return NULL;
}

Sandbox *sandbox_of(Manager *m) {
        if (!m->sandbox && (m->sandbox = calloc(1, sizeof(Sandbox))))
                *m->sandbox = (Sandbox) { .manager = m, .filter = -EBADF };
        return m->sandbox;
}

/* ---- the trial ---- */

static int try_by(Sandbox *s, Means means);
static int on_late(sd_event_source *source, uint64_t usec, void *userdata);

static void known(Sandbox *s, Means means) {
        Manager *m = s->manager;
        CallList calls = TAKE_GENERIC(s->calls, (CallList) {});

        s->means = means;
        s->deadline = sd_event_source_disable_unref(s->deadline);
        for (size_t k = 0; k < calls.n; k++)
                (void) s->answer(m, calls.items[k]);
        call_list_done(&calls);
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
        control_pump(m);
}

static int arm(Sandbox *s, usec_t span) {
        int r;

        if (!s->deadline)
                return sd_event_add_time_relative(s->manager->event, &s->deadline, CLOCK_MONOTONIC, span, USEC_PER_SEC / 10, on_late, s);
        r = sd_event_source_set_time_relative(s->deadline, span);
        return r < 0 ? r : sd_event_source_set_enabled(s->deadline, SD_EVENT_ONESHOT);
}

/* 0 or -errno. When the keeper's socket is full it is asked a moment later. */
static int try_next(Sandbox *s) {
        int r = try_by(s, s->own_refused ? MEANS_USER_NAMESPACE : MEANS_OWN_RIGHT);

        return r == -EAGAIN ? arm(s, TRIAL_AGAIN) : r;
}

static void refused(Sandbox *s, const char *what) {
        char *why = s->trying == MEANS_OWN_RIGHT ? text_printf("not by our own right (%s)", what)
                : text_printf("%s nor by that of a user namespace (%s)", s->why ?: "", what);

        free(s->why);
        s->why = why;
        s->own_refused = true;
        if (s->trying == MEANS_USER_NAMESPACE || try_next(s) < 0)
                known(s, MEANS_NONE);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        Sandbox *s = userdata;

        if (s->run == 0) {
                if (try_next(s) < 0)
                        known(s, MEANS_NONE);
                return 0;
        }
        s->run = 0;
        s->trying = MEANS_USER_NAMESPACE;
        refused(s, "the trial did not end in 30 s");
        return 0;
}

/* Everything that a sandbox may consist of. */
static int compose_trial(SpawnBuilder *b, uint64_t run, Means means, const WireSpawn **ret, size_t *ret_size) {
        static char *const mounts[] = { (char *) "s/", (char *) "W/proc", (char *) "t/tmp", NULL }, *const argv[] = { (char *) "trial", NULL };
        static const uint8_t invocation[16];
        int r = spawn_builder_init(b, run, invocation);

        if (r < 0)
                return r;
        b->packet->flags = SPAWN_NEW_MOUNTS | SPAWN_NEW_NETWORK | SPAWN_TRIAL | (means == MEANS_USER_NAMESPACE ? SPAWN_NEW_USER : 0);
        spawn_builder_strings(b, "/", "/", "trial of the sandbox", mounts, argv, NULL);
        return spawn_builder_finish(b, ret, ret_size);
}

/* 0 or -errno; -EAGAIN: the keeper's socket is full. */
static int try_by(Sandbox *s, Means means) {
        _cleanup_(spawn_builder_done) SpawnBuilder b = {};
        Manager *m = s->manager;
        const WireSpawn *packet;
        uint64_t run;
        size_t size;
        int r;

        if ((r = spawn_run_number(m, &run)) < 0 || (r = compose_trial(&b, run, means, &packet, &size)) < 0 ||
            (r = link_spawn(m->link, packet, size, NULL, 0)) < 0)
                return r;
        s->run = run;
        s->trying = means;
        return arm(s, TRIAL_MAX);
}

bool sandbox_trial_failed(Manager *m, const WireFailed *p) {
        Sandbox *s = m->sandbox;
        char what[160];

        if (!s || s->run == 0 || s->run != p->run)
                return false;
        s->run = 0;
        snprintf(what, sizeof what, "cannot %s: %s", wire_stage_name(p->stage), strerror(p->error));
        refused(s, what);
        return true;
}

bool sandbox_trial_exited(Manager *m, const WireExited *p) {
        Sandbox *s = m->sandbox;

        if (!s || s->run == 0 || s->run != p->run)
                return false;
        s->run = 0;
        (void) link_ack(m->link, p->run);
        if (p->status == 0)
                known(s, s->trying);
        else
                refused(s, "the trial was killed");
        return true;
}

int sandbox_find_out(Sandbox *s) {
        if (s->means != MEANS_UNKNOWN)
                return 1;
        return s->deadline ? 0 : try_next(s);
}
