/* What becomes of a run: the keeper's and the isolation's news, turned into lifecycle events. A run that nobody knows (any more) is
 * answered so that the keeper forgets it. */
#include <sys/wait.h>

#include "base/log.h"
#include "base/text.h"
#include "manager/balance/balance.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/journal_events.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/memory.h"
#include "manager/notify/notify.h"
#include "manager/notify/said.h"
#include "manager/spawn/sandbox.h"

void instance_spawned(Manager *m, const WireSpawned *p) {
        Instance *i = map_get(m->runs, &p->run);
        char invocation[33];
        int r;

        if (!i) {
                control_spawned(m, p);
                return;
        }
        /* A child of the keeper cannot be mistaken for another: its number stays taken until the keeper has reaped it and says so. */
        i->main = (PidRef) { .pid = p->pid, .fd = -EBADF, .start_time = p->start_time };
        notify_track(i);
        if (!i->cell)
                return;
        hex_encode(invocation, i->invocation, sizeof i->invocation);
        r = cell_place(i->cell, &i->main, invocation);
        if (r < 0)
                instance_placed(m, i->cell, r, strerror(-r));
        else
                instance_ready_early(i);
}

/* Whose cell it is. One that waits to be removed is nobody's: its instance may be gone already. */
static Instance *owner(Manager *m, Cell *cell) {
        Instance *i = books_buried(m, cell) ? NULL : cell_userdata(cell);

        return i && i->cell == cell ? i : NULL;
}

void instance_placed(void *userdata, Cell *cell, int error, const char *why) {
        Manager *m = userdata;
        Instance *i = owner(m, cell);

        if (!i)
                control_placed(m, cell, error, why);
        if (!i || i->lc.state != LC_PLACING)
                return;
        if (error == 0) {
                journal_label(i);
                if (isolate_gated(m->isolate))
                        (void) link_release(m->link, i->run);
                return;
        }
        instance_set_status(i, "%s", why);
        instance_feed(i, &(LcInput) { .event = EV_FAIL, .reason = REASON_ISOLATION });
}

void instance_execed(Manager *m, uint64_t run) {
        Instance *i = map_get(m->runs, &run);

        /* What the service itself said may have implied it already. */
        if (!i || (i->lc.state != LC_PLACING && i->lc.state != LC_KILLING))
                return;
        event_emit(m, i, NULL, EVENT_STARTED, "started, pid %d", i->main.pid);
        instance_event(i, EV_EXECED);
}

/* Whoever is told that it runs is told its pid as well. */
static bool keep_ready(Instance *i) {
        Said *said = i->lc.state == LC_PLACING && i->main.pid == 0 ? said_of(i) : NULL;

        if (!said)
                return false;
        said->ready = true;
        books_mark_instance(i);
        books_flush(i->service->manager);
        return true;
}

void instance_ready_early(Instance *i) {
        if (!i->said || !i->said->ready)
                return;
        i->said->ready = false;
        instance_ready(i);
}

void instance_ready(Instance *i) {
        Manager *m = i->service->manager;
        LcState before = i->lc.state;

        if (keep_ready(i))
                return;
        if (i->lc.state == LC_PLACING)
                instance_execed(m, i->run);
        instance_event(i, EV_READY);
        if (i->lc.state != before)
                books_flush(m);
}

/* Faults of the machine's moment; whatever else the child set-up refuses, it would refuse again. */
bool instance_failure_permanent(const WireFailed *p) {
        switch (p->error) {
        case EAGAIN: case ENOMEM: case EMFILE: case ENFILE: case EIO: case ENOSPC: case EBUSY: case ETXTBSY:
                return false;
        default:
                return p->stage != STAGE_KILLED && p->stage != STAGE_CLONE && p->stage != STAGE_CGROUP && p->stage != STAGE_PIPE && p->stage != STAGE_TABLE_FULL;
        }
}

/* What to do about it; the first that fits. */
static void set_hint(Instance *i, const WireFailed *p) {
        const ServiceSpec *s = i->service->spec;
        static const struct {
                int error;
                SpawnStage stage;        /* _STAGE_MAX: any */
                const char *hint;
        } table[] = {
                { ENOENT, STAGE_EXEC, "the file, or the interpreter its first line names, does not exist" },
                { EACCES, STAGE_EXEC, "it is not executable for this user: chmod +x, or check the directories above it" },
                { ENOEXEC, STAGE_EXEC, "it is no program: a script needs a first line such as #!/bin/sh" },
                { EAGAIN, STAGE_EXEC, "its user has as many processes as limits.processes (RLIMIT_NPROC) allows" },
                { EAGAIN, _STAGE_MAX, "a limit of processes is reached: RLIMIT_NPROC of kingd's user, pids.max of a cgroup, or kernel.pid_max" },
                { EMFILE, _STAGE_MAX, "kingd has as many files open as its RLIMIT_NOFILE allows: raise LimitNOFILE= of kingd.service" },
                { ENFILE, _STAGE_MAX, "the machine has as many files open as fs.file-max allows" },
                { ENOMEM, _STAGE_MAX, "the machine, or the cgroup it is in, is out of memory" },
        };

        if (p->error == ENOENT && (p->stage == STAGE_CWD || p->stage == STAGE_EXEC) && (s->sandbox.private_tmp || s->sandbox.hidden)) {
                i->hint = strdup("its sandbox may hide it: name it in sandbox.writable or sandbox.read_only, and it is there");
                return;
        }
        for (size_t k = 0; k < ARRAY_SIZE(table) && !i->hint; k++)
                if (table[k].error == p->error && (table[k].stage == p->stage || table[k].stage == _STAGE_MAX))
                        i->hint = strdup(table[k].hint);
}

static void describe_failure(Instance *i, const WireFailed *p) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_free_ char *mount = sandbox_failure(i, p);
        const char *what = s->command[0];

        if (p->stage == STAGE_KILLED) {
                instance_set_status(i, "killed by %s before it executed", signal_name(p->error));
                return;
        }
        if (mount) {
                instance_set_status(i, "%s: %s", mount, strerror(p->error));
                return;
        }
        if (p->stage == STAGE_CWD)
                what = s->cwd ?: "/";
        else if (p->stage == STAGE_USER || p->stage == STAGE_GROUPS)
                what = s->user ?: s->group;
        else if (p->stage != STAGE_EXEC)
                what = NULL;
        instance_set_status(i, "cannot %s%s%s: %s", wire_stage_name(p->stage), what ? " " : "", what ?: "", strerror(p->error));
        set_hint(i, p);
}

void instance_spawn_failed(Manager *m, const WireFailed *p) {
        Instance *i = map_get(m->runs, &p->run);

        if (!i) {
                if (!sandbox_trial_failed(m, p))
                        control_spawn_failed(m, p);
                return;
        }
        /* When it was we who ended it (stop, failed placement), what is known already says more. */
        if (!(p->stage == STAGE_KILLED && i->lc.state != LC_PLACING))
                describe_failure(i, p);
        i->child = false;
        instance_feed(i, &(LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = instance_failure_permanent(p) });
}

/* A cell is new with each run, so any OOM kill in it is this run's. */
static bool oom_killed(Instance *i) {
        uint64_t n;

        return i->cell && cell_oom_kills(i->cell, &n) >= 0 && n > 0;
}

/* The cgroup knows of every process and of the page cache; but systemd may have removed it by now. */
static void record_usage(Instance *i, const WireExited *p) {
        LastUsage *l = i->last ?: (i->last = malloc(sizeof(LastUsage)));
        Usage u;

        if (!l)
                return;
        *l = (LastUsage) { .cpu_usec = p->utime_usec + p->stime_usec, .memory_peak = p->maxrss_bytes, .io_read = p->in_bytes,
                           .io_written = p->out_bytes, .cpu_source = USAGE_RUSAGE, .memory_peak_source = USAGE_RUSAGE,
                           .io_source = USAGE_RUSAGE };
        if (!i->cell)
                return;
        cell_totals(i->cell, &u);
        if (u.cpu_source == USAGE_CGROUP) {
                l->cpu_usec = u.cpu_usec;
                l->cpu_source = USAGE_CGROUP;
        }
        if (u.memory_peak_source == USAGE_CGROUP) {
                l->memory_peak = u.memory_peak;
                l->memory_peak_source = USAGE_CGROUP;
        }
        if (u.io_source == USAGE_CGROUP) {
                l->io_read = u.io_read;
                l->io_written = u.io_written;
                l->io_source = USAGE_CGROUP;
        }
}

/* An exit that waits for its reason. */
struct HeldExit {
        WireExited packet;
        bool oom;
};

static void conclude_exit(Instance *i, const WireExited *p, bool oom) {
        LcInput in = { .event = EV_MAIN_EXIT, .exit = { .code = -1 }, .oom = oom };

        balance_link_ended(i);
        if (p->status == WIRE_STATUS_UNKNOWN) {
                event_unknown(i, p->pid, true);
                instance_event(i, EV_GONE);
                return;
        }
        if (WIFEXITED(p->status))
                in.exit.code = WEXITSTATUS(p->status);
        else
                in.exit.signal = WTERMSIG(p->status);
        in.exit.core = WIFSIGNALED(p->status) && WCOREDUMP(p->status);
        event_exit(i, p);
        if (oom)
                event_oom(i);
        instance_feed(i, &in);
}

static bool ended_by_us(const Instance *i) {
        return i->lc.state == LC_STOPPING || i->lc.state == LC_KILLING;
}

/* Whether the reason was asked for: `asked` concludes. The keeper keeps an exit until then, so nothing is lost with us. */
static bool hold_exit(Instance *i, const WireExited *p, bool oom) {
        if (!i->cell || ended_by_us(i) || oom || cell_ask_stopped(i->cell) <= 0)
                return false;
        i->held = malloc(sizeof(HeldExit));
        if (i->held)
                *i->held = (HeldExit) { .packet = *p, .oom = oom };
        return i->held;
}

void instance_record_exit(Instance *i, const WireExited *p) {
        bool oom;

        if (i->held)
                return;
        /* At once: the cgroup goes with the last process. */
        oom = WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGKILL && oom_killed(i);
        record_usage(i, p);
        if (!hold_exit(i, p, oom))
                conclude_exit(i, p, oom);
}

void instance_exited(Manager *m, const WireExited *p) {
        Instance *i = map_get(m->runs, &p->run);

        /* The former main process: the keeper said so before it knew of the present one, and takes it back. */
        if (i && i->said && i->said->main_told && p->pid != i->main.pid)
                log_debug("%s: pid %d has ended and was not its main process any more", i->service->key, p->pid);
        else if (i)
                instance_record_exit(i, p);
        else if (!sandbox_trial_exited(m, p))
                control_exited(m, p);
}

void instance_empty(void *userdata, Cell *cell) {
        Instance *i = owner(userdata, cell);

        if (i)
                instance_event(i, EV_EMPTY);
        else
                control_empty(userdata, cell);
}

/* A limit that was to be changed on the living was refused after all. */
void instance_unlimited(void *userdata, Cell *cell, int error, const char *why) {
        Instance *i = owner(userdata, cell);

        if (i)
                event_emit(i->service->manager, i, NULL, EVENT_UNLIMITED, "limits were not changed: %s", why);
}

void instance_limit(void *userdata, Cell *cell, LimitHit hit, uint64_t count) {
        Instance *i = owner(userdata, cell);

        if (i)
                event_limit(i, hit, count);
}

void instance_oversize(void *userdata, Cell *cell, uint64_t bytes) {
        Instance *i = owner(userdata, cell);

        if (i)
                memory_exceeded(i, bytes);
}

void instance_stopped_outside(void *userdata, Cell *cell, const char *why) {
        Instance *i = owner(userdata, cell);

        if (!i || !lifecycle_alive(&i->lc) || ended_by_us(i))
                return;
        event_emit(i->service->manager, i, NULL, EVENT_STOPPED_OUTSIDE, "%s", why);
        instance_set_status(i, "%s", why);
}

void instance_asked(void *userdata, Cell *cell, const char *why) {
        Instance *i = owner(userdata, cell);
        _cleanup_free_ HeldExit *held = NULL;

        if (!i || !i->held)
                return;
        held = TAKE_PTR(i->held);
        if (why)
                instance_stopped_outside(userdata, cell, why);
        conclude_exit(i, &held->packet, held->oom);
}

static int on_adopted_gone(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Instance *i = userdata;

        i->adopted = sd_event_source_disable_unref(i->adopted);
        balance_link_ended(i);
        event_unknown(i, i->main.pid, true);
        instance_event(i, EV_GONE);
        return 0;
}

int instance_watch_adopted(Instance *i) {
        int r = sd_event_add_io(i->service->manager->event, &i->adopted, i->main.fd, EPOLLIN, on_adopted_gone, i);

        return r < 0 ? r : sd_event_source_set_priority(i->adopted, PRIORITY_KEEPER);
}
