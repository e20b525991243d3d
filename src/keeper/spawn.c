/* The life of a child: born at its gate, released, executing, reaped. Must stay true: the gate is drained before the end of a process is believed,
 * so that a set-up that failed is never reported as an exit; the number of a process is used only until it is reaped. */
#include "keeper/state.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"

static void gate_close(Keeper *k, Child *c) {
        poller_remove(&k->poller, &c->gate);
        c->gate.fd = fd_close(c->gate.fd);
}

static void gate_ended(Keeper *k, Child *c) {
        gate_close(k, c);
        if (c->failed || !c->exec_near)
                return; /* said when it is reaped */
        c->state = CHILD_EXECUTING;
        say(k, c, SAY_EXECED);
        logs_submit(k, c);
}

/* Nobody would learn what becomes of the child, so nothing may. */
static void gate_lost(Keeper *k, Child *c, int error) {
        c->failed = true;
        c->error = error;
        c->stage = STAGE_GATE;
        gate_close(k, c);
        (void) pidref_signal(&c->process, SIGKILL);
}

static void gate_drain(Keeper *k, Child *c) {
        while (c->gate.fd >= 0) {
                ChildReport p;
                ssize_t n = recv(c->gate.fd, &p, sizeof(p), MSG_DONTWAIT);

                if (n < 0 && (errno == EINTR || errno == ECONNRESET)) /* reset: it died with its release unread */
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)) /* what is there stays there: asked again at once */
                        return;
                if (n < 0) {
                        gate_lost(k, c, errno);
                        return;
                }
                if (n != sizeof(p)) {
                        gate_ended(k, c);
                        return;
                }
                c->exec_near = p.error == 0;
                if (p.error == 0)
                        continue;
                c->failed = true;
                c->error = p.error;
                c->stage = p.stage;
                c->detail = p.detail;
        }
}

static void gate_ready(PollSource *s, uint32_t events) {
        Child *c = CONTAINER_OF(s, Child, gate);

        gate_drain(c->owner, c);
}

void child_drain(Keeper *k, Child *c) {
        if (!child_is_alien(c))
                gate_drain(k, c);
}

void child_settle(Keeper *k, Child *c) {
        if (c->acknowledged && !c->queued[QUEUE_SAY] && !c->queued[QUEUE_LOG] && !c->queued[QUEUE_STORE] && c->log_fds[0] < 0)
                table_remove(&k->table, c);
}

static void child_failed(Keeper *k, Child *c, int error, SpawnStage stage) {
        c->state = CHILD_FAILED;
        c->failed = true;
        c->error = error;
        c->stage = stage;
        logs_close(c);
        vault_child(k, c);
        say(k, c, SAY_FAILED);
}

/* ---- after execve(2) of ourselves: it is our child still, and was not reaped, so its number is its own ---- */

void child_resume(Keeper *k, Child *c) {
        PidRef process;

        c->owner = k;
        c->gate = (PollSource) { .fd = -EBADF, .priority = PRIORITY_GATE, .ready = gate_ready };
        if (c->process.pid == 0)
                return;
        k->alive++;
        if (pidref_open(c->process.pid, c->process.start_time, &process) >= 0)
                c->process.fd = process.fd;
        alien_watch(k, c);
}

void child_resume_gate(Keeper *k, Child *c, int gate) {
        c->gate.fd = gate;
        if (poller_add(&k->poller, &c->gate, 0) < 0)
                gate_close(k, c);
}

void child_resumed(Keeper *k, Child *c) {
        bool before_exec = c->process.pid > 0 && (c->state == CHILD_GATED || c->state == CHILD_STARTING);

        if (before_exec && !c->failed && c->gate.fd < 0)
                gate_lost(k, c, EBADF);
}

/* ---- birth ---- */

/* The descriptors that came with the packet, in the order of the flags, and our log pipes → those that the command will see. Returns the cgroup's. */
static int sort_descriptors(ChildSetup *setup, const int *fds, const int log_pipes[2]) {
        static const uint32_t standard[] = { SPAWN_FD_STDIN, SPAWN_FD_STDOUT, SPAWN_FD_STDERR };
        const int otherwise[] = { setup->defaults->null_fd, log_pipes[0], log_pipes[1] };
        const WireSpawn *s = setup->spawn;
        int cgroup = (s->flags & SPAWN_FD_CGROUP) ? *fds++ : -EBADF;

        for (size_t i = 0; i < ARRAY_SIZE(standard); i++) {
                int fd = (s->flags & standard[i]) ? *fds++ : otherwise[i];

                setup->fds[i] = fd >= 0 ? fd : setup->defaults->null_fd;
        }
        setup->n_fds = 3 + s->n_listen + ((s->flags & SPAWN_READY_FD) != 0);
        memcpy(setup->fds + 3, fds, (setup->n_fds - 3) * sizeof(int));
        fds += setup->n_fds - 3;
        setup->own[OWN_RULESET] = (s->flags & SPAWN_FD_RULESET) ? *fds++ : -EBADF;
        setup->own[OWN_FILTER] = (s->flags & SPAWN_FD_FILTER) ? *fds++ : -EBADF;
        return cgroup;
}

static SpawnStage stage_of_clone(int cgroup, int error) {
        static const int shortages[] = { -EAGAIN, -ENOMEM, -EMFILE, -ENFILE };

        for (size_t i = 0; i < ARRAY_SIZE(shortages); i++)
                if (error == shortages[i])
                        return STAGE_CLONE;
        return cgroup >= 0 ? STAGE_CGROUP : STAGE_CLONE;
}

/* In the keeper, after clone(2). */
static void child_born(Keeper *k, Child *c, pid_t pid, usec_t before) {
        int r;

        table_set_pid(&k->table, c, pid);
        k->alive++;
        c->process.start_time = process_born(pid, before);
        say(k, c, SAY_SPAWNED);
        r = poller_add(&k->poller, &c->gate, 0); /* EPOLLHUP is always reported, and the end is all that matters */
        if (r < 0)
                gate_lost(k, c, -r);
}

static int child_clone(Keeper *k, Child *c, ChildSetup *setup, const int *fds, SpawnStage *ret_stage) {
        _cleanup_fd_ int out = -EBADF, err = -EBADF, gate = -EBADF;
        int pair[2], pipes[2] = { -EBADF, -EBADF }, cgroup, r;
        usec_t before;
        pid_t pid;

        *ret_stage = STAGE_PIPE;
        if (setup->spawn->flags & SPAWN_LOG_PIPES) {
                r = logs_make_pipes(c, pipes);
                if (r < 0)
                        return r;
                out = pipes[0];
                err = pipes[1];
        }
        c->held_back = !vault_child_first(k, c);
        setup->gated = c->held_back || (setup->spawn->flags & SPAWN_GATED);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        c->gate.fd = pair[0];
        setup->own[OWN_GATE] = gate = pair[1];
        cgroup = sort_descriptors(setup, fds, pipes);
        before = now_usec(CLOCK_BOOTTIME);
        pid = process_clone(cgroup, &c->process.fd);
        if (pid == 0)
                child_run(setup);
        if (pid < 0) {
                c->gate.fd = fd_close(c->gate.fd);
                *ret_stage = stage_of_clone(cgroup, pid);
                return pid;
        }
        child_born(k, c, pid, before);
        return 0;
}

void spawn_child(Keeper *k, const WireSpawn *s, const int *fds) {
        ChildSetup setup = { .defaults = &k->defaults, .spawn = s };
        SpawnStage stage;
        Child *c;
        int r;

        c = table_by_run(&k->table, s->run);
        if (c) {
                log_warning("SPAWN for run %016" PRIx64 ", which is there already", s->run);
                say_refusal(k, s->run, EEXIST, STAGE_MALFORMED);
                return;
        }
        c = table_add(&k->table, s->run);
        if (!c) {
                say_refusal(k, s->run, ENOSPC, STAGE_TABLE_FULL);
                return;
        }
        c->owner = k;
        c->state = (s->flags & SPAWN_GATED) ? CHILD_GATED : CHILD_STARTING;
        c->gate = (PollSource) { .fd = -EBADF, .priority = PRIORITY_GATE, .ready = gate_ready };
        memcpy(c->invocation, s->invocation, sizeof(c->invocation));
        table_keep_log(&k->table, c, wire_spawn_log(s), s->log_size);
        r = child_clone(k, c, &setup, fds, &stage);
        if (r < 0)
                child_failed(k, c, -r, stage);
}

/* ---- life and death ---- */

static void open_gate(Child *c) {
        if (c->gate.fd >= 0)
                (void) send(c->gate.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* fails only when it is dead already */
}

void child_release(Keeper *k, Child *c) {
        if (c->state != CHILD_GATED)
                return;
        c->state = CHILD_STARTING;
        if (!c->held_back)
                open_gate(c);
}

void child_stored(Child *c) {
        if (!c->held_back)
                return;
        c->held_back = false;
        if (c->state == CHILD_STARTING)
                open_gate(c);
}

void child_signal(Child *c, int sig, unsigned target) {
        if (c->process.pid == 0)
                return;
        /* A child that has not come to its setsid(2) yet has no group of its own. */
        if (target == WIRE_TO_GROUP && kill(-c->process.pid, sig) >= 0)
                return;
        (void) pidref_signal(&c->process, sig);
}

static uint64_t usec_of(const struct timeval *t) {
        return (uint64_t) t->tv_sec * USEC_PER_SEC + (uint64_t) t->tv_usec;
}

static void child_exited(Keeper *k, Child *c, int status, const struct rusage *u) {
        c->state = CHILD_EXITED;
        c->exit = (WireExited) {
                .h = { WIRE_EXITED, sizeof(WireExited) },
                .run = c->run,
                .pid = c->pid,
                .status = status,
                .utime_usec = usec_of(&u->ru_utime),
                .stime_usec = usec_of(&u->ru_stime),
                .maxrss_bytes = (uint64_t) u->ru_maxrss * 1024,
                .in_bytes = (uint64_t) u->ru_inblock * 512,
                .out_bytes = (uint64_t) u->ru_oublock * 512,
                .exited_monotonic = now_usec(CLOCK_MONOTONIC),
        };
        say(k, c, SAY_EXITED);
}

void child_ended(Keeper *k, Child *c, int status, const struct rusage *usage) {
        table_drop_pid(&k->table, c);
        c->process.fd = fd_close(c->process.fd);
        k->alive--;
        alien_forget(k, c);
        gate_drain(k, c);
        if (c->gate.fd >= 0)
                gate_close(k, c);
        if (c->state == CHILD_EXECUTING)
                child_exited(k, c, status, usage);
        else if (c->failed)
                child_failed(k, c, c->error, c->stage);
        else
                child_failed(k, c, WIFSIGNALED(status) ? WTERMSIG(status) : 0, STAGE_KILLED);
}
