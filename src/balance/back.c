/* Backs: which of them can take a connection now. One that refuses is left out for a while that grows with each failure in a row; then a single connection
 * finds out whether it is well again, while the others go elsewhere or wait. */
#include "balance/state.h"

#include "base/log.h"
#include "balance/worker.h"

Back *back_find(const Front *f, uint64_t id) {
        for (size_t i = 0; i < f->n_backs; i++)
                if (f->backs[i]->id == id)
                        return f->backs[i];
        return NULL;
}

static int back_new(Front *f, uint64_t id, Back **ret) {
        Balancer *b = f->balancer;
        BalanceBack *lots;
        Back **backs, *k;

        if (b->n_backs >= BALANCE_BACKS_MAX)
                return -ENOSPC;
        backs = reallocarray(f->backs, f->n_backs + 1, sizeof(*backs));
        f->backs = backs ?: f->backs;
        lots = reallocarray(f->lots, f->n_backs + 1, sizeof(*lots));
        f->lots = lots ?: f->lots;
        k = calloc(1, sizeof(*k));
        if (!backs || !lots || !k) {
                free(k);
                return -ENOMEM;
        }
        k->front = f;
        k->id = id;
        k->at = f->n_backs;
        TAILQ_INIT(&k->connections);
        f->lots[f->n_backs] = (BalanceBack) {};
        f->backs[f->n_backs++] = k;
        b->n_backs++;
        *ret = k;
        return 0;
}

static void back_free(Back *k) {
        Front *f = k->front;

        for (size_t i = k->at + 1; i < f->n_backs; i++) {
                f->backs[i - 1] = f->backs[i];
                f->lots[i - 1] = f->lots[i];
                f->backs[i - 1]->at = i - 1;
        }
        f->n_backs--;
        f->balancer->n_backs--;
        free(k);
}

static bool same_address(const Back *k, const BalanceBackState *told) {
        return k->address_size == told->address_size && memcmp(&k->address, &told->address, told->address_size) == 0;
}

static void well_again(Back *k) {
        k->trouble_due = k->trouble_due || k->trouble != 0;
        k->failures = 0;
        k->trouble = 0;
        k->out_until = 0;
        say_later(k->front->balancer);
}

int back_state(Front *f, const BalanceBackState *told) {
        Back *k = back_find(f, told->back);
        int r = k ? 0 : back_new(f, told->back, &k);

        if (r < 0)
                return r;
        if (!same_address(k, told) || (k->state != BACK_ACTIVE && told->state == BACK_ACTIVE))
                well_again(k);
        k->kind = told->kind;
        k->address = told->address;
        k->address_size = told->address_size;
        k->stated = true;
        k->leftover = false;
        k->drained = k->drained && k->state == told->state && k->settles == (told->settles != 0);
        k->settles = told->settles;
        k->state = told->state;
        f->lots[k->at].id = told->affinity ?: told->back;
        f->lots[k->at].weight = told->weight;
        front_dirty(f);
        if (k->state == BACK_DRAINING)
                back_check(k);
        return 0;
}

void back_drain(Back *k) {
        k->state = BACK_DRAINING;
        k->leftover = true;
        front_dirty(k->front);
        back_check(k);
}

/* The program behind it has taken all of them: one that was only connected waits in a queue, which is lost when the program closes its socket. */
static bool settled(const Back *k) {
        const Connection *c;

        if (!k->settles)
                return k->front->lots[k->at].open == 0;
        TAILQ_FOREACH(c, &k->connections, siblings)
                if (!c->answered)
                        return false;
        return true;
}

void back_check(Back *k) {
        if (k->state != BACK_DRAINING)
                return;
        if (k->worker) /* comes again when that has closed its channel */
                worker_drain(k->worker);
        if (k->worker)
                return;
        if (k->leftover) {
                if (k->front->lots[k->at].open == 0)
                        back_free(k);
                return;
        }
        if (k->drained || !settled(k))
                return;
        k->drained = k->drained_due = true;
        say_later(k->front->balancer);
}

/* Made, but not open yet: another back may take it. */
static Connection *unopened(const Back *k) {
        Connection *c;

        TAILQ_FOREACH(c, &k->connections, siblings)
                if (c->state != CONNECTION_OPEN)
                        return c;
        return NULL;
}

static void leave(Back *k, bool cut) {
        Front *f = k->front;
        Connection *c;

        front_hold(f);
        k->state = BACK_DOWN; /* and so not taken again, nor freed by its last connection */
        while ((c = unopened(k))) {
                connection_detach(c);
                connection_dispatch(c);
        }
        while (cut && (c = TAILQ_FIRST(&k->connections)))
                connection_close(c, true);
        if (TAILQ_EMPTY(&k->connections))
                back_free(k);
        else
                back_drain(k);
        front_dirty(f);
        front_release(f);
}

void back_gone(Back *k) {
        leave(k, false);
}

void back_cut(Back *k) {
        leave(k, true);
}

static usec_t pause_of(const Back *k, int error) {
        if (error == -EAGAIN)
                return BUSY_PAUSE;
        return k->failures > 16 ? TROUBLE_MAX : MIN(TROUBLE_FIRST << (k->failures - 1), TROUBLE_MAX);
}

void back_failed(Back *k, int error) {
        Balancer *b = k->front->balancer;

        if (error != -EAGAIN) { /* the queue of a unix socket is full: busy, not ill */
                k->failed++;
                k->failures++;
                k->trouble_due = k->trouble_due || k->trouble == 0;
                k->trouble = -error;
                say_later(b);
        }
        k->trying = false;
        k->out_until = usec_add(balancer_now(b), pause_of(k, error));
        balancer_due(b, k->out_until);
        front_dirty(k->front);
}

void back_worked(Back *k) {
        if (k->failures > 0) {
                well_again(k);
                front_dirty(k->front);
        }
}

static bool eligible(const Back *k) {
        if (k->kind == BACK_CHANNEL && !worker_has_room(k->worker))
                return false;
        return k->state == BACK_ACTIVE && !k->trying && (k->out_until == 0 || k->out_until <= balancer_now(k->front->balancer));
}

bool front_eligible(Front *f) {
        for (size_t i = 0; i < f->n_backs; i++)
                if (eligible(f->backs[i]))
                        return true;
        return false;
}

int front_pick(Front *f, uint64_t source) {
        Balancer *b = f->balancer;

        for (size_t i = 0; i < f->n_backs; i++)
                f->lots[i].eligible = eligible(f->backs[i]);
        return balance_pick(f->lots, f->n_backs, (BalanceStrategy) f->told.strategy, (BalanceAffinity) f->told.affinity, source, balancer_random(b));
}
