/* Whether there are namespaces to be had depends on our rights, the kernel, its settings, a security module and a container around us. So it is
 * tried: the keeper makes a child with a sandbox that executes nothing, first by our own right, then by that of a user namespace. It is tried once,
 * when something asks for it first.
 *
 * Must stay true: what a specification asks for is kept or the start is refused by name; a start that needs to know waits in its queue for as long
 * as the trial takes, which has a deadline. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/call_list.h"
#include "manager/control.h"
#include "manager/instance.h"
#include "manager/link.h"
#include "manager/sandbox.h"
#include "manager/spawn.h"
#include "sandbox/sandbox.h"

#define TRIAL_MAX (30 * USEC_PER_SEC)
#define TRIAL_AGAIN (100 * USEC_PER_MSEC)  /* the keeper's socket is full */
#define LINES 7

typedef enum Means { MEANS_UNKNOWN, MEANS_OWN_RIGHT, MEANS_USER_NAMESPACE, MEANS_NONE } Means;

struct Sandbox {
        Manager *manager;
        Means means;
        Means trying;                      /* by which means the trial under way is made */
        bool own_refused;
        uint64_t run;                      /* of the trial, or 0 */
        sd_event_source *deadline;         /* of the trial; without one, the time to try by the next means */
        char *why;                         /* MEANS_NONE: what was refused, in words */
        CallList calls;                    /* wait for the end of the trial */
        int (*answer)(Manager *m, VarlinkCall *call);
        char *filter_key;                  /* what the filter below was made of: services of one kind start one after the other */
        int filter;
        char *lines_why;                   /* of the last report */
        SandboxSupport lines[LINES];
};

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

static Sandbox *sandbox_of(Manager *m) {
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

/* 1: known; 0: the trial is under way; -errno. */
static int find_out(Sandbox *s) {
        if (s->means != MEANS_UNKNOWN)
                return 1;
        return s->deadline ? 0 : try_next(s);
}

static bool wants_namespaces(const ServiceSpec *s) {
        return sandbox_wants_mounts(s) || sandbox_wants_network(s);
}

int sandbox_ready(Manager *m, const ServiceSpec *s) {
        if (!wants_namespaces(s))
                return 1;
        return sandbox_of(m) ? find_out(m->sandbox) : -ENOMEM;
}

/* ---- what a start asks for ---- */

void sandbox_parts_done(SandboxParts *p) {
        strv_free(p->mounts);
        fd_close(p->ruleset);
}

static int impossible(const Sandbox *s, const char *key, KlError *reterr) {
        (void) kl_error_set(reterr, -EOPNOTSUPP, KL_E_FAILED, "%s cannot be kept here: namespaces are refused, %s", key, s->why ?: "out of memory");
        kl_error_hint(reterr, "kingctl doctor lists what this machine permits");
        return -EOPNOTSUPP;
}

static int add_namespaces(const Sandbox *s, const ServiceSpec *spec, const char *keep, SandboxParts *p, KlError *reterr) {
        if (s->means == MEANS_USER_NAMESPACE && spec->capabilities_set && spec->capabilities && *spec->capabilities)
                return kl_error_set(reterr, -EOPNOTSUPP, KL_E_INVALID, "capabilities: within the user namespace that %s needs here they would mean nothing",
                                    sandbox_namespace_key(spec));
        if (s->means == MEANS_USER_NAMESPACE)
                p->flags |= SPAWN_NEW_USER;
        if (sandbox_wants_network(spec))
                p->flags |= SPAWN_NEW_NETWORK;
        if (spec->sandbox.private_devices)
                p->flags |= SPAWN_NO_DEVICES;
        if (!sandbox_wants_mounts(spec))
                return 0;
        p->flags |= SPAWN_NEW_MOUNTS;
        return sandbox_mounts(spec, keep, &p->mounts);
}

static int add_ruleset(const Sandbox *s, const ServiceSpec *spec, SandboxParts *p, KlError *reterr) {
        const char *key = sandbox_namespace_key(spec);

        if (!streq(key, "sandbox.system") || sandbox_landlock_version() < 0)
                return impossible(s, key, reterr);
        p->ruleset = sandbox_ruleset(spec, reterr);
        p->flags |= SPAWN_FD_RULESET | SPAWN_NO_NEW_PRIVS;
        return MIN(p->ruleset, 0);
}

static char *filter_key(const ServiceSpec *s) {
        _cleanup_free_ char *allowed = strv_join(s->sandbox.syscalls, " "), *denied = strv_join(s->sandbox.syscalls_denied, " ");

        return (allowed || !s->sandbox.syscalls) && (denied || !s->sandbox.syscalls_denied)
                ? text_printf("%d %s~%s", s->sandbox.syscall_action, allowed ?: "-", denied ?: "") : NULL;
}

static int add_filter(Sandbox *s, const ServiceSpec *spec, SandboxParts *p, KlError *reterr) {
        _cleanup_free_ char *key = filter_key(spec);
        int r;

        if (!key)
                return -ENOMEM;
        if (!s->filter_key || !streq(key, s->filter_key)) {
                r = sandbox_filter_supported(reterr);
                if (r >= 0)
                        r = sandbox_filter(spec, reterr);
                if (r < 0)
                        return r;
                fd_close(s->filter);
                s->filter = r;
                free(s->filter_key);
                s->filter_key = TAKE_PTR(key);
        }
        p->filter = s->filter;
        p->flags |= SPAWN_FD_FILTER | SPAWN_NO_NEW_PRIVS;
        return 0;
}

int sandbox_parts(Manager *m, const ServiceSpec *spec, bool notifies, SandboxParts *ret, KlError *reterr) {
        Sandbox *s;
        int r = 0;

        *ret = (SandboxParts) { .ruleset = -EBADF, .filter = -EBADF };
        if (!wants_namespaces(spec) && !sandbox_wants_filter(spec))
                return 0;
        s = sandbox_of(m);
        if (!s)
                return -ENOMEM;
        if (wants_namespaces(spec))
                r = s->means == MEANS_NONE ? add_ruleset(s, spec, ret, reterr) : add_namespaces(s, spec, notifies ? m->notify.path : NULL, ret, reterr);
        if (r >= 0 && sandbox_wants_filter(spec))
                r = add_filter(s, spec, ret, reterr);
        return r;
}

char *sandbox_failure(const Instance *i, const WireFailed *p) {
        _cleanup_strv_ char **mounts = NULL;

        const char *keep = i->notifies ? i->service->manager->notify.path : NULL;

        if (p->stage != STAGE_MOUNTS || p->detail == 0 || sandbox_mounts(i->service->spec, keep, &mounts) < 0 || p->detail > strv_length(mounts))
                return NULL;
        return text_printf("%s: %s", sandbox_mount_key(mounts[p->detail - 1]), mounts[p->detail - 1] + 1);
}

/* ---- doctor ---- */

int sandbox_ask(Manager *m, VarlinkCall *call, int (*answer)(Manager *m, VarlinkCall *call)) {
        Sandbox *s = sandbox_of(m);
        int r = s ? find_out(s) : -ENOMEM;

        if (r == 0) {
                s->answer = answer;
                return call_list_add(&s->calls, call);
        }
        return answer(m, call);
}

/* Settings that keep user namespaces from those who have no other right, the first that is found. */
static const char *setting_in_the_way(void) {
        static const struct { const char *path; char value; const char *text; } table[] = {
                { "/proc/sys/user/max_user_namespaces", '0', "user.max_user_namespaces is 0" },
                { "/proc/sys/kernel/unprivileged_userns_clone", '0', "kernel.unprivileged_userns_clone is 0" },
                { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1', "kernel.apparmor_restrict_unprivileged_userns is 1" },
        };

        for (size_t k = 0; k < ARRAY_SIZE(table); k++) {
                char text[16];

                if (read_file_into(AT_FDCWD, table[k].path, text, sizeof text) >= 1 && text[0] == table[k].value)
                        return table[k].text;
        }
        return NULL;
}

static const char *by_means(Sandbox *s) {
        const char *setting = s->means == MEANS_NONE ? setting_in_the_way() : NULL;

        if (s->means == MEANS_OWN_RIGHT)
                return "enforced, by namespaces";
        if (s->means == MEANS_USER_NAMESPACE)
                return "enforced, by namespaces within a user namespace";
        free(s->lines_why);
        s->lines_why = text_printf("namespaces are refused, %s%s%s", s->why ?: "", setting ? "; " : "", setting ?: "");
        return s->lines_why ?: "namespaces are refused";
}

const SandboxSupport *sandbox_support(Manager *m, size_t *ret_n) {
        static const char *const keys[] = { "sandbox.read_only", "sandbox.hidden", "sandbox.private_tmp", "sandbox.private_devices", "sandbox.network" };
        Sandbox *s = sandbox_of(m);
        bool namespaces, landlock = sandbox_landlock_version() > 0, filter = sandbox_filter_supported(NULL) >= 0;
        const char *how;
        size_t n = 0;

        *ret_n = 0;
        if (!s)
                return NULL;
        namespaces = s->means == MEANS_OWN_RIGHT || s->means == MEANS_USER_NAMESPACE;
        how = by_means(s);
        s->lines[n++] = (SandboxSupport) { "sandbox.system", namespaces || landlock, namespaces || !landlock ? how : "enforced, by Landlock" };
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
                s->lines[n++] = (SandboxSupport) { keys[k], namespaces, how };
        s->lines[n++] = (SandboxSupport) { "sandbox.syscalls", filter, filter ? "enforced, by seccomp" : "the kernel has no filter of system calls" };
        *ret_n = n;
        return s->lines;
}
