/* What the manager is told. Must stay true: the messages about one run go out in the order SPAWNED, EXECED, EXITED (or SPAWNED, FAILED); nothing is
 * lost when the socket is full, because what is unsaid is a bit in the child's entry; a new manager learns everything by LIST. */
#include "keeper/state.h"

#include "base/log.h"

static int send_manager(Keeper *k, const void *packet, const int *fds, size_t n_fds) {
        return helper_send(&k->manager, &k->poller, packet, ((const WireHeader *) packet)->size, fds, n_fds);
}

/* ---- about one child ---- */

static int send_spawned(Keeper *k, Child *c) {
        WireSpawned p = { .h = { WIRE_SPAWNED, sizeof(p) }, .run = c->run, .pid = c->pid, .start_time = c->process.start_time };

        return send_manager(k, &p, NULL, 0);
}

static int send_execed(Keeper *k, Child *c) {
        WireRun p = { .h = { WIRE_EXECED, sizeof(p) }, .run = c->run };

        return send_manager(k, &p, NULL, 0);
}

static int send_failed(Keeper *k, Child *c) {
        WireFailed p = { .h = { WIRE_FAILED, sizeof(p) }, .run = c->run, .error = c->error, .stage = c->stage, .detail = c->detail };
        int r = send_manager(k, &p, NULL, 0);

        if (r >= 0)
                c->acknowledged = true; /* nobody acknowledges a failure */
        return r;
}

static int send_exited(Keeper *k, Child *c) {
        pulse_waited(k);
        return send_manager(k, &c->exit, NULL, 0);
}

static const struct {
        unsigned what;
        int (*send)(Keeper *k, Child *c);
} words[] = {
        { SAY_SPAWNED, send_spawned },
        { SAY_EXECED, send_execed },
        { SAY_FAILED, send_failed },
        { SAY_EXITED, send_exited },
};

static int flush_child(Keeper *k, Child *c) {
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                if (!(c->say & words[i].what) || c->acknowledged)
                        continue;
                r = words[i].send(k, c);
                if (r < 0)
                        return r;
                c->say &= ~words[i].what;
        }
        c->say = 0;
        return 0;
}

void say(Keeper *k, Child *c, unsigned what) {
        if (!k->listening)
                return;
        c->say |= what;
        table_queue(&k->table, QUEUE_SAY, c);
}

/* ---- one topic after the other, each until it is finished or the socket is full ---- */

static int flush_hello(Keeper *k) {
        WireHello p = { .h = { WIRE_HELLO, sizeof(p) }, .version = WIRE_VERSION, .keeper_pid = k->defaults.keeper, .is_init = k->defaults.keeper == 1,
                        .manager_starts = k->manager.starts, .nofile_soft = k->nofile_soft, .last_status = k->last_status,
                        .last_hung = k->last_hung };
        int r = k->hello_due ? send_manager(k, &p, NULL, 0) : 0;

        if (r >= 0)
                k->hello_due = false;
        return r;
}

static int flush_ping(Keeper *k) {
        WireHeader p = { WIRE_PING, sizeof(p) };
        int r = k->pulse.ping_due ? send_manager(k, &p, NULL, 0) : 0;

        if (r >= 0)
                k->pulse.ping_due = false;
        return r;
}

static int flush_reopened(Keeper *k) {
        WireHeader p = { WIRE_REOPENED, sizeof(p) };
        int r = k->reopened_due ? send_manager(k, &p, NULL, 0) : 0;

        if (r >= 0)
                k->reopened_due = false;
        return r;
}

static int flush_refusal(Keeper *k) {
        int r = k->refusal_due ? send_manager(k, &k->refusal, NULL, 0) : 0;

        if (r >= 0)
                k->refusal_due = false;
        return r;
}

static int flush_signals(Keeper *k) {
        while (k->signals_due) {
                int sig = __builtin_ctzll(k->signals_due) + 1;
                WireSignal p = { .h = { WIRE_SIGNALED, sizeof(p) }, .signal = sig };
                int r = send_manager(k, &p, NULL, 0);

                if (r < 0)
                        return r;
                k->signals_due &= k->signals_due - 1;
                k->pulse.signals |= UINT64_C(1) << (sig - 1);
                pulse_waited(k);
        }
        return 0;
}

static int flush_children(Keeper *k) {
        Child *c;

        while ((c = table_queue_first(&k->table, QUEUE_SAY))) {
                int r = flush_child(k, c);

                if (r < 0)
                        return r;
                table_dequeue(&k->table, QUEUE_SAY);
                child_settle(k, c);
        }
        return 0;
}

static int list_child(Keeper *k, Child *c) {
        WireChild p = { .h = { WIRE_CHILD, sizeof(p) }, .run = c->run, .pid = c->pid, .state = c->state, .start_time = c->process.start_time,
                        .executed = c->exec_near };
        int r;

        if (c->acknowledged)
                return 0;
        if (c->state == CHILD_FAILED)
                return send_failed(k, c);
        memcpy(p.invocation, c->invocation, sizeof(p.invocation));
        r = k->list_half ? 0 : send_manager(k, &p, NULL, 0);
        if (r < 0 || c->state != CHILD_EXITED)
                return r;
        r = send_exited(k, c);
        k->list_half = r < 0;
        return r;
}

static int list_held(Keeper *k) {
        for (; k->list_held < k->hold.n; k->list_held++) {
                Held *held = k->hold.slots + k->list_held;
                WireHold p = { .h = { WIRE_HELD, sizeof(p) } };
                int r;

                if (!held->name[0] || held->fd < 0)
                        continue;
                memcpy(p.name, held->name, sizeof(p.name));
                r = send_manager(k, &p, &held->fd, 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int flush_list(Keeper *k) {
        WireHeader end = { WIRE_LIST_END, sizeof(end) };
        uint32_t next = k->list_next;
        Child *c;
        int r;

        if (!k->listing)
                return 0;
        while ((c = table_next(&k->table, &next))) {
                r = list_child(k, c);
                if (r < 0)
                        return r;
                k->list_next = next;
                child_settle(k, c);
        }
        r = list_held(k);
        if (r >= 0)
                r = send_manager(k, &end, NULL, 0);
        if (r >= 0)
                k->listing = false;
        return r;
}

static int flush_upgrade(Keeper *k) {
        WireUpgrade p = { .h = { WIRE_UPGRADE, sizeof(p) }, .news = k->upgrade.news, .last = k->table.header->upgrade };
        int r = k->upgrade.tell_due ? send_manager(k, &p, NULL, 0) : 0;

        if (r >= 0 && k->upgrade.tell_due)
                k->upgrade.tell_due = k->upgrade.news = false;
        return r;
}

/* Last: everything that was noted before it is said. */
static int flush_leave(Keeper *k) {
        WireHeader p = { WIRE_LEAVE, sizeof(p) };
        int r = k->upgrade.leave_due ? send_manager(k, &p, NULL, 0) : 0;

        if (r >= 0)
                k->upgrade.leave_due = false;
        return r;
}

static int (*const topics[])(Keeper *k) = { flush_hello, flush_ping, flush_reopened, flush_refusal, flush_upgrade, flush_signals, flush_children,
                                               flush_list, flush_leave };

void say_flush(Keeper *k) {
        if (!k->listening || k->manager.full)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
                int r = topics[i](k);

                if (r == -EAGAIN)
                        return;
                if (r < 0) {
                        /* What it left for us to hear is still read; its end of the pair will follow. */
                        log_errno(LOG_DEBUG, r, "the manager cannot be told any more");
                        say_stop(k);
                        return;
                }
        }
}

void say_refusal(Keeper *k, uint64_t run, int error, SpawnStage stage) {
        if (!k->listening)
                return;
        k->refusal = (WireFailed) { .h = { WIRE_FAILED, sizeof(WireFailed) }, .run = run, .error = error, .stage = stage };
        k->refusal_due = true;
        say_flush(k);
}

void say_stop(Keeper *k) {
        Child *c;

        k->listening = k->hello_due = k->reopened_due = k->refusal_due = k->listing = k->list_half = k->upgrade.leave_due = false;
        while ((c = table_queue_first(&k->table, QUEUE_SAY))) {
                c->say = 0;
                table_dequeue(&k->table, QUEUE_SAY);
                child_settle(k, c);
        }
}
