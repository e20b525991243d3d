/* Must stay true: a record is in the file before its descriptor is with the keeper, and is cleared after that was dropped, so that the next manager never
 * finds a descriptor without its name; a record without a descriptor is free. */
#include "manager/notify/fd_store_index.h"

#include <stdio.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "manager/link.h"

#define HELD_INDEX "fd-stores"
#define HELD_PREFIX "fd-stored-"

struct FdStoreIndex {
        int fd;                        /* of the memory file */
        uint32_t next_order;
        bool taken[FD_STORES_MAX];     /* by an item of a store */
        FdRecord records[FD_STORES_MAX];
};

uint64_t fd_index_owner(const Service *s) {
        uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

        for (const char *p = s->key; *p; p++)
                h = (h ^ (uint8_t) *p) * UINT64_C(0x100000001b3);
        return h ?: 1;
}

FdStoreIndex *fd_index_free(FdStoreIndex *x) {
        if (x)
                fd_close(x->fd);
        free(x);
        return NULL;
}

static bool makes_sense(const FdRecord *r) {
        return r->owner != 0 && memchr(r->name, '\0', sizeof(r->name)) && fd_store_name_valid(r->name);
}

/* With what a file says, or none at all. Takes the descriptor on success. */
static int make(Manager *m, int fd) {
        FdStoreIndex *x = calloc(1, sizeof(FdStoreIndex));

        if (!x)
                return -ENOMEM;
        x->fd = fd;
        if (fd_pread_all(fd, x->records, sizeof(x->records), 0) < 0)
                memset(x->records, 0, sizeof(x->records));
        for (size_t i = 0; i < FD_STORES_MAX; i++) {
                if (!makes_sense(x->records + i))
                        x->records[i] = (FdRecord) {};
                x->next_order = MAX(x->next_order, x->records[i].order + 1);
        }
        m->fd_index = x;
        return 0;
}

int fd_index_open(Manager *m) {
        int fd = link_take_held(m->link, HELD_INDEX);
        int r = fd < 0 ? 0 : make(m, fd);

        if (r < 0)
                fd_close(fd);
        return r;
}

/* With the first descriptor that is stored. */
static int begin(Manager *m) {
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (m->fd_index)
                return 0;
        fd = memfd_create("kingly-fd-stores", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, sizeof(m->fd_index->records)) < 0)
                return -errno;
        r = link_hold(m->link, HELD_INDEX, fd);
        if (r >= 0)
                r = make(m, fd);
        if (r >= 0)
                TAKE_FD(fd);
        return r;
}

static int write_record(const FdStoreIndex *x, uint32_t number) {
        ssize_t n = pwrite(x->fd, x->records + number, sizeof(FdRecord), (off_t) (number * sizeof(FdRecord)));

        return n < 0 ? -errno : n == sizeof(FdRecord) ? 0 : -EIO;
}

static const char *held_name(uint32_t number, char buf[32]) {
        snprintf(buf, 32, HELD_PREFIX "%" PRIu32, number);
        return buf;
}

int fd_index_put(Manager *m, const FdRecord *record, int fd, uint32_t *ret_number) {
        uint32_t number = 0;
        char name[32];
        FdStoreIndex *x;
        int r = begin(m);

        if (r < 0)
                return r;
        x = m->fd_index;
        while (number < FD_STORES_MAX && x->records[number].owner != 0)
                number++;
        if (number == FD_STORES_MAX)
                return -ENOSPC;
        x->records[number] = *record;
        x->records[number].order = x->next_order;
        r = write_record(x, number);
        if (r >= 0)
                r = link_hold(m->link, held_name(number, name), fd);
        if (r < 0) {
                x->records[number] = (FdRecord) {};
                (void) write_record(x, number);
                return r;
        }
        x->next_order++;
        x->taken[number] = true;
        *ret_number = number;
        return 0;
}

void fd_index_drop(Manager *m, uint32_t number) {
        char name[32];

        (void) link_drop(m->link, held_name(number, name));
        m->fd_index->records[number] = (FdRecord) {};
        m->fd_index->taken[number] = false;
        (void) write_record(m->fd_index, number);
}

bool fd_index_next(const Manager *m, uint64_t owner, uint32_t *at, uint32_t *ret_number, FdRecord *ret) {
        uint32_t best = FD_STORES_MAX;

        for (uint32_t i = 0; m->fd_index && i < FD_STORES_MAX; i++) {
                const FdRecord *r = m->fd_index->records + i;

                if (r->owner == owner && !m->fd_index->taken[i] && r->order >= *at &&
                    (best == FD_STORES_MAX || r->order < m->fd_index->records[best].order))
                        best = i;
        }
        if (best == FD_STORES_MAX)
                return false;
        *ret = m->fd_index->records[best];
        *at = ret->order + 1;
        *ret_number = best;
        return true;
}

int fd_index_take(Manager *m, uint32_t number) {
        char name[32];
        int fd = link_take_held(m->link, held_name(number, name));

        m->fd_index->taken[number] = fd >= 0;
        return fd;
}

void fd_index_adopted(Manager *m) {
        link_drop_untaken(m->link, HELD_PREFIX);
        for (uint32_t i = 0; m->fd_index && i < FD_STORES_MAX; i++)
                if (m->fd_index->records[i].owner != 0 && !m->fd_index->taken[i]) {
                        m->fd_index->records[i] = (FdRecord) {};
                        (void) write_record(m->fd_index, i);
                }
}
