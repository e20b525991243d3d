/* The state file at our start. Must stay true: what runs is more important than what was written, so neither a bad file nor a bad disk keeps us
 * from beginning; nothing is ever removed, only set aside; what stands in for the file goes home into it whole, in one transaction. */
#include "base/log.h"
#include "manager/apply.h"
#include "manager/books/books.h"
#include "manager/books/recover.h"
#include "manager/books/reexec.h"
#include "manager/books/state.h"
#include "manager/triggers/schedule.h"

/* It can be read by nobody but those who would repair it. */
static bool bad_file(int r) {
        return r == -EUCLEAN || r == -EACCES || r == -EPERM;
}

/* The disk's faults, or somebody else has locked it: the file may be as good as ever. */
static bool bad_disk(int r) {
        return r == -EBUSY || r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EIO || r == -ENXIO;
}

static int set_aside(Manager *m, const KlError *why, KlError *reterr) {
        _cleanup_free_ char *aside = NULL;
        int r = store_set_aside(m->places.store, now_usec(CLOCK_REALTIME), &aside);

        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "%s; and it cannot be set aside: %s", why->message, strerror(-r));
        manager_problem(m, "%s: set aside as %s and begun anew, with what runs and the configuration files", why->message, aside);
        return 0;
}

static int open_file(Manager *m, KlError *reterr) {
        _cleanup_error_ KlError e = {};
        int r = store_open(m->places.store, &m->store, &e);

        /* Too much would be forgotten for what was wrong for a moment only. */
        if (bad_file(r)) {
                kl_error_done(&e);
                r = store_open(m->places.store, &m->store, &e);
        }
        if (bad_file(r) && (r = set_aside(m, &e, reterr)) >= 0)
                return store_open(m->places.store, &m->store, reterr);
        if (r < 0 && !reterr->message)
                *reterr = TAKE_GENERIC(e, (KlError) {});
        return r;
}

/* Those before us could not read what we make of it: for a moment a copy in memory stands in, of which nobody hears, and nothing is acknowledged. */
static int stand_in_on_trial(Manager *m, KlError *reterr) {
        int r = store_open_copy(m->places.store, m->places.runtime, &m->store, reterr);

        if (r < 0)
                return r;
        log_notice("the state is migrated when the keeper is content with us");
        m->state_away = m->state_trial = m->store_failed = true;
        return recover_all(m, reterr);
}

static int stand_in(Manager *m, int error, const KlError *why, KlError *reterr) {
        int r = store_open_copy(m->places.store, m->places.runtime, &m->store, reterr);

        if (r < 0)
                return r;
        m->state_away = true;
        books_failed(m, error, why);
        return recover_all(m, reterr);
}

int state_open(Manager *m, KlError *reterr) {
        _cleanup_error_ KlError e = {};
        int r;

        if (reexec_on_trial(m) && store_outdated(m->places.store) > 0)
                return stand_in_on_trial(m, reterr);
        r = open_file(m, &e);

        if (r >= 0)
                r = recover_all(m, &e);
        if (r >= 0)
                return 0;
        m->store = store_close(m->store);
        if (bad_disk(r))
                return stand_in(m, r, &e, reterr);
        *reterr = TAKE_GENERIC(e, (KlError) {});
        return r;
}

int state_lasting(const Manager *m, KlError *reterr) {
        if (!m->state_away || m->loading)
                return 0;
        return kl_error_set(reterr, -EROFS, KL_E_FAILED, "%s", m->store_problem ?: "the state cannot be written");
}

static int come_home(Manager *m, KlError *reterr) {
        _cleanup_(store_closep) Store *home = NULL;
        int r = store_open(m->places.store, &home, reterr);

        if (r >= 0)
                r = store_replace(home, m->store, reterr);
        if (r < 0)
                return r;
        store_close(m->store);
        m->store = TAKE_PTR(home);
        m->state_away = false;
        return 0;
}

/* From memory, but for the events that were written. */
static int write_anew(Manager *m, KlError *reterr) {
        int r = store_begin(m->store, true);

        for (size_t k = 0; k < m->n_order && r >= 0; k++) {
                Service *s = m->order[k];

                if (!s->deleting)
                        r = apply_store(m, s->spec, (StoredService) { .origin = s->origin, .wanted = s->wanted, .generation = s->generation,
                                                                      .position = s->position });
                schedule_mark(s);
                for (size_t n = 0; n < s->n_instances; n++)
                        s->instances[n]->dirty = true;
        }
        if (r >= 0)
                r = recover_mark(m);
        if (r >= 0)
                return store_commit(m->store, reterr);
        store_rollback(m->store);
        return store_error(m->store, r, reterr);
}

static int begin_anew(Manager *m, KlError *reterr) {
        _cleanup_(store_closep) Store *old = m->store;
        _cleanup_error_ KlError e = {};
        int r;

        (void) store_error(old, -EUCLEAN, &e);
        r = set_aside(m, &e, reterr);
        if (r >= 0)
                r = store_open(m->places.store, &m->store, reterr);
        if (r < 0) {
                m->store = TAKE_PTR(old);
                return r;
        }
        m->state_damaged = false;
        return write_anew(m, reterr);
}

int state_mend(Manager *m, KlError *reterr) {
        if (m->state_trial)
                return -EAGAIN;
        if (m->state_damaged)
                return begin_anew(m, reterr);
        return m->state_away ? come_home(m, reterr) : 0;
}
