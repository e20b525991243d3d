/* One WireSpawn, composed in a buffer that is used again for the next. */
#include <stdio.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/api/input.h"
#include "manager/balance/balance.h"
#include "manager/balance/cluster.h"
#include "manager/health/ready.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/logs/collector.h"
#include "manager/logs/logs.h"
#include "manager/notify/fd_store.h"
#include "manager/notify/said.h"
#include "manager/sockets/sockets.h"
#include "manager/spawn/credentials.h"
#include "manager/spawn/sandbox.h"
#include "manager/spawn/spawn.h"
#include "manager/spawn/spawn_env.h"
#include "manager/spawn/spawn_private.h"
#include "model/balanced.h"

typedef struct Descriptors {
        int fds[8 + SOCKETS_MAX + FD_STORE_MAX];    /* borrowed, in wire order */
        size_t n;
        int in, ready, wire;         /* owned */
        Output output;
        SandboxParts sandbox;
        SocketsPassed sockets;
        int stored[FD_STORE_MAX];    /* borrowed */
        size_t n_stored;
} Descriptors;
#define DESCRIPTORS_NULL { .in = -EBADF, .output = OUTPUT_NULL, .ready = -EBADF, .wire = -EBADF, .sandbox = { .ruleset = -EBADF, .filter = -EBADF } }

static void descriptors_done(Descriptors *d) {
        fd_close(d->in);
        fd_close(d->output.out);
        fd_close(d->output.err);
        fd_close(d->ready);
        sandbox_parts_done(&d->sandbox);
        fd_close(d->wire);
        sockets_passed_done(&d->sockets);
}

static SpawnBuilder builder;

int spawn_invocation(const Manager *m, uint8_t ret[16]) {
        if (getrandom(ret, 16, 0) != 16)
                return -errno;
        (void) hex_decode(m->places.id, ret, INVOCATION_HOME);
        return 0;
}

int spawn_run_number(const Manager *m, uint64_t *ret) {
        do
                if (getrandom(ret, sizeof *ret, 0) != sizeof *ret)
                        return -errno;
        while (*ret == 0 || map_get(m->runs, ret) || control_find(m, *ret));
        return 0;
}

int spawn_invoke(Instance *i) {
        int r;

        if (i->invoked || i->run)
                return 0;
        credentials_forget(i);             /* those of the run before have its name */
        r = spawn_invocation(i->service->manager, i->invocation);
        i->invoked = r >= 0;
        return r;
}

int spawn_prepare(Instance *i, KlError *reterr) {
        Service *s = i->service;
        CellName name = { .ns = s->spec->ns, .service = s->spec->name, .instance = i->index };
        int r;

        if (i->cell)
                return 0;
        if ((r = spawn_invoke(i)) < 0 || (r = spawn_run_number(s->manager, &i->run)) < 0)
                return r;
        name.generation = i->generation = ++s->generation;
        r = cell_new(s->manager->isolate, &name, s->spec, i, &i->cell, reterr);
        if (r < 0)
                return r;
        i->journal = false;
        free(TAKE_PTR(i->drops));
        i->notifies = spec_notifies(s->spec);
        i->watchdog_interval = s->spec->watchdog;
        said_free(i);
        /* Known before it exists: a child that nobody knows could not be ended. */
        return instance_track(i);
}

static void add_descriptor(Descriptors *d, int fd) {
        if (fd >= 0)
                d->fds[d->n++] = fd;
}

/* What only this start decides. */
static int start_environment(const Instance *i, char ***env) {
        const Manager *m = i->service->manager;
        const ServiceSpec *s = i->service->spec;
        char id[33], number[32];
        int r;

        hex_encode(id, i->invocation, sizeof i->invocation);
        r = strv_env_set(env, "INVOCATION_ID", id);
        if (r >= 0 && i->notifies)
                r = strv_env_set(env, "NOTIFY_SOCKET", m->notify.path);
        if (r >= 0 && s->watchdog) {
                snprintf(number, sizeof number, "%" PRIu64, s->watchdog);
                r = strv_env_set(env, "WATCHDOG_USEC", number);
        }
        if (r >= 0 && s->fd_store) {
                snprintf(number, sizeof number, "%" PRIu32, s->fd_store);
                r = strv_env_set(env, "FDSTORE", number);
        }
        return r;
}

int spawn_environment(const Instance *i, char ***ret, KlError *reterr) {
        Identity id;
        int r = identity_resolve(i->service->spec, &id, reterr);

        return r < 0 ? r : environment_build(i, &id, ret, reterr);
}

/* What every process of the service is set up with. */
static int set_up(const ServiceSpec *s, const Identity *id, const Cell *cell, bool gated, Descriptors *d, KlError *reterr) {
        if (gated)
                builder.packet->flags |= SPAWN_GATED;
        add_descriptor(d, cell_cgroup_fd(cell));
        if (d->n)
                builder.packet->flags |= SPAWN_FD_CGROUP;
        return spawn_set_up(builder.packet, s, id, reterr);
}

/* Its descriptors are the last. */
static int add_sandbox(const Instance *i, Descriptors *d, KlError *reterr) {
        int r = sandbox_parts(i, &d->sandbox, reterr);

        builder.packet->flags |= d->sandbox.flags;
        add_descriptor(d, d->sandbox.ruleset);
        add_descriptor(d, d->sandbox.filter);
        return r;
}

static int add_output(const Instance *i, uint64_t run, Descriptors *d, KlError *reterr) {
        int r = spawn_output(i, run, &d->output, reterr);

        builder.packet->flags |= d->output.flags;
        return r;
}

static int finish(const Output *o, const WireSpawn **ret, size_t *ret_size, KlError *reterr) {
        int r;

        if (builder.packet->flags & SPAWN_LOG_PIPES)
                spawn_builder_log(&builder, &o->log, sizeof o->log);
        r = spawn_builder_finish(&builder, ret, ret_size);
        if (r == -E2BIG)
                return kl_error_set(reterr, r, KL_E_INVALID, "command line and environment together exceed %d KiB", WIRE_MAX / 1024);
        return r;
}

static int add_input(Instance *i, Descriptors *d, KlError *reterr) {
        int r;

        if (d->sockets.input >= 0) {
                builder.packet->flags |= SPAWN_FD_STDIN;
                add_descriptor(d, d->sockets.input);
        }
        if (!i->service->spec->collects && i->service->spec->input != STDIN_PIPE)
                return 0;
        r = i->service->spec->collects ? collector_reader(i, &d->in) : input_open(i, &d->in);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot make the pipe that it reads: %s", strerror(-r));
        builder.packet->flags |= SPAWN_FD_STDIN;
        add_descriptor(d, d->in);
        return 0;
}

/* And, behind them, what an earlier run left. */
static int add_sockets(Instance *i, const Identity *id, Descriptors *d, char ***env, KlError *reterr) {
        _cleanup_free_ char *stored = NULL, *names = NULL;
        int r = sockets_pass(i, id, &d->sockets, reterr);

        if (r >= 0)
                r = fd_store_pass(i, d->stored, &d->n_stored, &stored);
        if (r < 0 || d->sockets.n + d->n_stored == 0)
                return r;
        names = text_printf("%s%s%s", d->sockets.names ?: "", d->sockets.n > 0 && d->n_stored > 0 ? ":" : "", stored ?: "");
        return names ? strv_env_set(env, "LISTEN_FDNAMES", names) : -ENOMEM;
}

/* A balancer finds its wire where others find their first socket. */
static int add_wire(Instance *i, Descriptors *d, KlError *reterr) {
        int r = i->service->spec->balances ? balance_link_make(i, &d->wire) : 0;

        return r < 0 ? kl_error_set(reterr, r, KL_E_FAILED, "cannot make the wire to it: %s", strerror(-r)) : 0;
}

/* The descriptor behind the sockets. */
static int add_ready(Instance *i, Descriptors *d) {
        const ServiceSpec *s = i->service->spec;
        int r;

        if (s->cluster.by == CLUSTER_NODE)
                r = cluster_channel(i, &d->ready);
        else if (ready_by_pipe(s))
                r = ready_pipe(i, &d->ready);
        else if (s->ready_by == READY_IPC)
                r = ready_channel(i, &d->ready);
        else
                return 0;
        if (r < 0)
                return r;
        builder.packet->flags |= SPAWN_READY_FD;
        add_descriptor(d, d->ready);
        return 0;
}

/* Where Node looks for the channel to its parent (lib/child_process.js); it takes the variable away from its own children. */
static int add_channel(const Instance *i, const Identity *id, const Descriptors *d, char ***env) {
        const ServiceSpec *s = i->service->spec;
        size_t n = 3 + d->sockets.n + d->n_stored;
        char number[16];
        int r = cluster_environment(i, id, n, env);

        if (r < 0 || s->cluster.by == CLUSTER_NODE || s->ready_by != READY_IPC)
                return r;
        snprintf(number, sizeof number, "%zu", n);
        return strv_env_set(env, "NODE_CHANNEL_FD", number);
}

/* *ret_command stays NULL where it is as the file has it. */
static int resolve_main(const ServiceSpec *s, char *const *env, char **ret_file, char ***ret_command, KlError *reterr) {
        int r;

        if (!s->balances || !streq(s->command[0], BALANCER_COMMAND))
                return command_resolve(s, s->command[0], env, ret_file, reterr);
        r = balancer_program(ret_file);
        return r < 0 ? r : balancer_command(s, ret_command);
}

static int compose(Instance *i, const Identity *id, Descriptors *d, const WireSpawn **ret, size_t *ret_size, KlError *reterr) {
        const ServiceSpec *s = i->service->spec;
        _cleanup_strv_ char **env = NULL, **command = NULL;
        _cleanup_free_ char *file = NULL;
        char label[300];
        int r;

        if ((r = credentials_give(i, id, reterr)) < 0 || (r = environment_build(i, id, &env, reterr)) < 0 || (r = start_environment(i, &env)) < 0 ||
            (r = add_sockets(i, id, d, &env, reterr)) < 0 || (r = add_channel(i, id, d, &env)) < 0 ||
            (r = add_wire(i, d, reterr)) < 0 ||
            (r = resolve_main(s, env, &file, &command, reterr)) < 0 || (r = spawn_builder_init(&builder, i->run, i->invocation)) < 0 ||
            (r = set_up(s, id, i->cell, isolate_gated(i->service->manager->isolate), d, reterr)) < 0 || (r = add_input(i, d, reterr)) < 0 ||
            (r = add_output(i, i->run, d, reterr)) < 0)
                return r;
        i->journal = i->journal || d->output.journal;
        if (s->watchdog)
                builder.packet->flags |= SPAWN_WATCHDOG_PID;
        add_descriptor(d, d->output.out);
        add_descriptor(d, d->output.err);
        add_descriptor(d, d->wire);
        for (size_t k = 0; k < d->sockets.n; k++)
                add_descriptor(d, d->sockets.listen[k]);
        for (size_t k = 0; k < d->n_stored; k++)
                add_descriptor(d, d->stored[k]);
        builder.packet->n_listen = (uint32_t) (d->sockets.n + d->n_stored) + (d->wire >= 0);
        if ((r = add_ready(i, d)) < 0 || (r = add_sandbox(i, d, reterr)) < 0)
                return r;
        spawn_builder_strings(&builder, file, s->cwd ?: "/", instance_label(i, label), d->sandbox.mounts, command ?: s->command, env);
        return finish(&d->output, ret, ret_size, reterr);
}

static int control_environment(const SpawnControl *c, const Identity *id, char ***env, KlError *reterr) {
        char invocation[33];
        int r;

        hex_encode(invocation, c->invocation, 16);
        if ((r = environment_build(c->instance, id, env, reterr)) < 0 || (r = strv_env_set(env, "INVOCATION_ID", invocation)) < 0 ||
            (r = strv_env_set(env, "KINGLY_CONTROL", c->what)) < 0)
                return r;
        if (c->instance->notifies && said_access(c->instance) >= NOTIFY_ACCESS_EXEC &&
            (r = strv_env_set(env, "NOTIFY_SOCKET", c->instance->service->manager->notify.path)) < 0)
                return r;
        STRV_FOREACH(e, c->env) {
                _cleanup_free_ char *name = strndup(*e, strcspn(*e, "="));

                r = name ? strv_env_set(env, name, *e + strcspn(*e, "=") + 1) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compose_control(const SpawnControl *c, const Identity *id, Descriptors *d, const WireSpawn **ret, size_t *ret_size, KlError *reterr) {
        const ServiceSpec *s = c->instance->service->spec;
        _cleanup_strv_ char **env = NULL;
        _cleanup_free_ char *file = NULL, *label = NULL;
        char name[300];
        int r;

        if ((r = credentials_lend(c->instance, id, reterr)) < 0 || (r = control_environment(c, id, &env, reterr)) < 0 || (r = command_resolve(s, c->command[0], env, &file, reterr)) < 0 ||
            (r = spawn_builder_init(&builder, c->run, c->invocation)) < 0 || (r = set_up(s, id, c->cell, c->gated, d, reterr)) < 0)
                return r;
        if (c->output < 0 && (r = add_output(c->instance, c->run, d, reterr)) < 0)
                return r;
        d->output.log.tag = log_tag(c->what);
        if (c->output >= 0)
                builder.packet->flags |= SPAWN_FD_STDOUT | SPAWN_FD_STDERR;
        add_descriptor(d, c->output >= 0 ? c->output : d->output.out);
        add_descriptor(d, c->output >= 0 ? c->output : d->output.err);
        label = text_printf("%s, %s", instance_label(c->instance, name), c->what);
        if (!label)
                return -ENOMEM;
        r = add_sandbox(c->instance, d, reterr);
        if (r < 0)
                return r;
        spawn_builder_strings(&builder, file, s->cwd ?: "/", label, d->sandbox.mounts, c->command, env);
        return finish(&d->output, ret, ret_size, reterr);
}

/* Faults of the moment are retried by backoff; everything else is the file's fault and would fail again. */
bool spawn_transient(int r) {
        static const int errors[] = { -EAGAIN, -ENOMEM, -EMFILE, -ENFILE, -ENOBUFS, -ENOSPC, -EIO, -EINTR, -EROFS, -ECONNREFUSED,
                                      -ETIMEDOUT, -EBUSY, -EEXIST, -EADDRINUSE, -EADDRNOTAVAIL, -EDQUOT, -ENOTCONN, -ECONNRESET, -EPIPE, -ETOOMANYREFS };

        for (size_t k = 0; k < ARRAY_SIZE(errors); k++)
                if (errors[k] == r)
                        return true;
        return false;
}

static int failed(int r, bool *ret_permanent, KlError *reterr) {
        *ret_permanent = !spawn_transient(r);
        if (reterr && !reterr->message)
                kl_error_set(reterr, r, KL_E_FAILED, "cannot start: %s", strerror(-r));
        return r == -EAGAIN ? -EBUSY : r;
}

int spawn_send(Instance *i, bool *ret_permanent, KlError *reterr) {
        _cleanup_(descriptors_done) Descriptors d = DESCRIPTORS_NULL;
        const WireSpawn *packet;
        Identity id;
        size_t size;
        int r;

        r = identity_resolve(i->service->spec, &id, reterr);
        if (r >= 0)
                r = spawn_prepare(i, reterr);
        if (r >= 0 && (r = sandbox_ready(i->service->manager, i->service->spec)) == 0)
                return -EAGAIN;
        if (r >= 0)
                r = compose(i, &id, &d, &packet, &size, reterr);
        if (r >= 0) {
                logs_instance_begins(i);
                r = link_spawn(i->service->manager->link, packet, size, d.fds, d.n);
                if (r >= 0 || r == -EAGAIN)
                        return r;
        }
        return failed(r, ret_permanent, reterr);
}

int spawn_control(const SpawnControl *c, bool *ret_permanent, KlError *reterr) {
        _cleanup_(descriptors_done) Descriptors d = DESCRIPTORS_NULL;
        const ServiceSpec *s = c->instance->service->spec;
        const WireSpawn *packet;
        Identity id;
        size_t size;
        int r;

        r = identity_resolve(s, &id, reterr);
        if (r >= 0 && (r = sandbox_ready(c->instance->service->manager, s)) == 0)
                return -EAGAIN;
        if (r >= 0)
                r = compose_control(c, &id, &d, &packet, &size, reterr);
        if (r >= 0) {
                r = link_spawn(c->instance->service->manager->link, packet, size, d.fds, d.n);
                if (r >= 0 || r == -EAGAIN)
                        return r;
        }
        return failed(r, ret_permanent, reterr);
}
