#include "manager/books/books.h"
#include "manager/life/instance.h"
#include "manager/life/instance_private.h"
#include "manager/life/start_queue.h"
#include "manager/spawn/spawn.h"

int start_queue_add(Instance *i) {
        Manager *m = i->service->manager;

        if (m->queue_size == m->queue_allocated && m->queue_head > m->queue_size / 2) {
                m->queue_size -= m->queue_head;
                memmove(m->queue, m->queue + m->queue_head, m->queue_size * sizeof(Instance *));
                m->queue_head = 0;
        }
        if (m->queue_size == m->queue_allocated) {
                size_t n = MAX(m->queue_allocated * 2, 64u);
                Instance **q = reallocarray(m->queue, n, sizeof(Instance *));

                if (!q)
                        return -ENOMEM;
                m->queue = q;
                m->queue_allocated = n;
        }
        m->queue[m->queue_size++] = i;
        i->queued = true;
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
        return 0;
}

void start_queue_drop(Instance *i) {
        Manager *m = i->service->manager;

        for (size_t k = m->queue_head; k < m->queue_size; k++)
                if (m->queue[k] == i)
                        m->queue[k] = NULL;
        i->queued = false;
}

/* The first of the queue. False when it must stay there: the keeper's socket is full. */
static bool start_one(Manager *m) {
        _cleanup_error_ KlError e = {};
        Instance *i = m->queue[m->queue_head];
        bool permanent = false;
        int r = i ? spawn_send(i, &permanent, &e) : 0;

        if (r == -EAGAIN)
                return false;
        m->queue_head++;
        if (!i)
                return true;
        i->queued = false;
        if (r >= 0) {
                i->in_flight = true;
                m->in_flight++;
                i->child = true;
                instance_placing_begins(i);
                if (i->status)
                        instance_set_status(i, NULL);
                return true;
        }
        instance_set_status(i, "%s", e.message ?: strerror(-r));
        i->hint = TAKE_PTR(e.hint);
        instance_feed(i, &(LcInput) { .event = EV_SPAWN_FAILED, .reason = REASON_SPAWN, .permanent = permanent });
        return true;
}

/* Those that the window lets begin get their run and their place, and the books say so before the keeper hears of it: whatever the keeper
 * has, the next manager knows whose it is. What cannot be prepared fails when its turn comes. How many places of the queue that are. */
static size_t prepare_starts(Manager *m, unsigned window) {
        size_t k = m->queue_head;
        bool fresh = false;

        for (unsigned n = m->in_flight; k < m->queue_size && n < window; k++) {
                Instance *i = m->queue[k];

                if (!i)
                        continue;
                n++;
                if (i->cell || spawn_prepare(i, NULL) < 0)
                        continue;
                books_mark_instance(i);
                fresh = true;
        }
        if (fresh)
                books_write_starts(m);
        return k - m->queue_head;
}

/* No more than was prepared: a failure makes room in the window, and may bring others to the queue, of whom the books do not know yet. */
void start_queue_pump(Manager *m) {
        unsigned window = isolate_window(m->isolate);

        for (size_t n = prepare_starts(m, window); n > 0; n--)
                if (!start_one(m))
                        return;          /* the link calls again */
        if (m->queue_head == m->queue_size)
                m->queue_head = m->queue_size = 0;
        else if (m->in_flight < window)
                (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
}
