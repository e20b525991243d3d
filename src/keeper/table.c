/* Owns the memory of the children's entries. Must stay true: `top` is above every slot ever used, so that what lies beyond was never touched; an
 * entry never moves; an entry is in the chain of its run from table_add() to table_remove() and in the chain of its pid only while the keeper
 * has not reaped that pid. */
#include "keeper/table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"

/* Chains of the two indices; few, because random runs touch all of their pages. */
#define INDEX_SIZE 4096

/* The header's page, the entries, their logs, the indices; only the first three are of interest to another keeper. */
#define HEADER_SIZE 4096

static size_t logs_at(uint32_t capacity) {
        return HEADER_SIZE + capacity * sizeof(Child);
}

static size_t long_logs_at(uint32_t capacity) {
        return logs_at(capacity) + (size_t) capacity * TABLE_SHORT_LOG;
}

static size_t indices_at(uint32_t capacity) {
        return long_logs_at(capacity) + (size_t) capacity * WIRE_LOG_MAX;
}

static size_t table_bytes(uint32_t capacity) {
        return indices_at(capacity) + 2 * INDEX_SIZE * sizeof(uint32_t);
}

static void place(Table *t, uint8_t *p, uint32_t capacity) {
        t->header = (TableHeader *) p;
        t->children = (Child *) (p + HEADER_SIZE);
        t->short_logs = (uint8_t(*)[TABLE_SHORT_LOG]) (p + logs_at(capacity));
        t->logs = (uint8_t(*)[WIRE_LOG_MAX]) (p + long_logs_at(capacity));
        t->by_run = (uint32_t *) (p + indices_at(capacity));
        t->by_pid = t->by_run + INDEX_SIZE;
        t->capacity = capacity;
}

static void *map_table(int fd, uint32_t capacity) {
        size_t n = table_bytes(capacity);
        void *p = MAP_FAILED;

        if (fd >= 0 && ftruncate(fd, (off_t) n) >= 0)
                p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        else if (fd < 0)
                p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
                return NULL;
        /* A child needs nothing of it, and copying the page tables of a large one would slow every clone(2). */
        (void) madvise(p, n, MADV_DONTFORK);
        return p;
}

/* Where overcommit is strict, a small table is better than none. */
#define CAPACITY_MIN 1024

int table_init(Table *t, uint32_t capacity) {
        int fd = memfd_create("kingly-table", MFD_CLOEXEC);
        uint8_t *p = map_table(fd, capacity);

        while (!p && capacity / 2 >= CAPACITY_MIN) {
                capacity /= 2;
                p = map_table(fd, capacity);
        }
        if (!p) {
                fd_close(fd);
                return -ENOMEM;
        }
        *t = (Table) { .fd = fd };
        place(t, p, capacity);
        *t->header = (TableHeader) { .magic = TABLE_MAGIC, .version = TABLE_VERSION, .capacity = capacity };
        return 0;
}

void table_done(Table *t) {
        if (t->header) {
                (void) munmap(t->header, table_bytes(t->capacity));
                fd_close(t->fd);
        }
        *t = (Table) { .fd = -EBADF };
}

static bool pread_header(int fd, TableHeader *ret) {
        return fd_pread_all(fd, ret, sizeof(*ret), 0) >= 0 && ret->magic == TABLE_MAGIC;
}

static int read_header(int fd, TableHeader *ret) {
        struct stat st;

        if (!pread_header(fd, ret) || fstat(fd, &st) < 0)
                return -EBADMSG;
        if (ret->version != TABLE_VERSION)
                return -EPROTO;
        if (ret->capacity > TABLE_CAPACITY || ret->top > ret->capacity || (uint64_t) st.st_size < table_bytes(ret->capacity))
                return -EBADMSG;
        return 0;
}

bool table_is_ours(int fd) {
        TableHeader h;

        return pread_header(fd, &h) && h.keeper == getpid();
}

int table_view(int fd, Table *ret) {
        TableHeader h;
        uint8_t *p;
        int r = read_header(fd, &h);

        if (r < 0)
                return r;
        p = mmap(NULL, table_bytes(h.capacity), PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret = (Table) { .fd = -EBADF };
        place(ret, p, h.capacity);
        ret->top = h.top;
        return 0;
}

void table_unview(Table *t) {
        table_done(t);
}

/* Runs are random, but a manager's word for it is not enough to trust the low bits alone. */
static uint32_t *bucket_of_run(const Table *t, uint64_t run) {
        return t->by_run + ((run * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % INDEX_SIZE;
}

static uint32_t *bucket_of_pid(const Table *t, pid_t pid) {
        return t->by_pid + (uint32_t) pid % INDEX_SIZE;
}

static uint32_t number_of(const Table *t, const Child *c) {
        return (uint32_t) (c - t->children) + 1;
}

Child *table_add(Table *t, uint64_t run) {
        uint32_t *bucket = bucket_of_run(t, run);
        Child *c;

        if (t->free) {
                c = t->children + t->free - 1;
                t->free = c->next_run;
        } else if (t->top < t->capacity)
                c = t->children + t->top;
        else
                return NULL;
        *c = (Child) { .run = run, .process = PIDREF_NULL, .gate = { .fd = -EBADF }, .log_fds = { -EBADF, -EBADF }, .next_run = *bucket };
        *bucket = number_of(t, c);
        t->top = t->header->top = MAX(t->top, number_of(t, c));
        t->used++;
        return c;
}

void table_remove(Table *t, Child *c) {
        uint32_t *p = bucket_of_run(t, c->run);

        table_drop_pid(t, c);
        while (*p != number_of(t, c))
                p = &t->children[*p - 1].next_run;
        *p = c->next_run;
        c->run = 0;
        c->next_run = t->free;
        t->free = number_of(t, c);
        t->used--;
}

void table_set_pid(Table *t, Child *c, pid_t pid) {
        uint32_t *bucket = bucket_of_pid(t, pid);

        c->pid = c->process.pid = pid;
        c->next_pid = *bucket;
        *bucket = number_of(t, c);
}

void table_drop_pid(Table *t, Child *c) {
        uint32_t *p = bucket_of_pid(t, c->process.pid);

        if (c->process.pid == 0)
                return;
        while (*p != number_of(t, c))
                p = &t->children[*p - 1].next_pid;
        *p = c->next_pid;
        c->process.pid = 0;
}

Child *table_by_run(const Table *t, uint64_t run) {
        for (uint32_t n = *bucket_of_run(t, run); n; n = t->children[n - 1].next_run)
                if (t->children[n - 1].run == run)
                        return t->children + n - 1;
        return NULL;
}

Child *table_by_pid(const Table *t, pid_t pid) {
        for (uint32_t n = *bucket_of_pid(t, pid); n; n = t->children[n - 1].next_pid)
                if (t->children[n - 1].process.pid == pid)
                        return t->children + n - 1;
        return NULL;
}

Child *table_next(const Table *t, uint32_t *i) {
        while (*i < t->top) {
                Child *c = t->children + (*i)++;

                if (c->run != 0)
                        return c;
        }
        return NULL;
}

static uint8_t *log_slot(const Table *t, const Child *c) {
        return c->log_kept <= TABLE_SHORT_LOG ? t->short_logs[c - t->children] : t->logs[c - t->children];
}

void table_keep_log(Table *t, Child *c, const void *block, uint32_t n) {
        const uint8_t *p = block;

        c->log_size = n;
        while (n > 0 && p[n - 1] == 0)
                n--;
        c->log_kept = n;
        memcpy(log_slot(t, c), p, n);
}

void table_log(const Table *t, const Child *c, uint8_t ret[static WIRE_LOG_MAX]) {
        memcpy(ret, log_slot(t, c), c->log_kept);
        memset(ret + c->log_kept, 0, WIRE_LOG_MAX - c->log_kept);
}

void table_queue(Table *t, ChildQueueKind kind, Child *c) {
        ChildQueue *q = t->queues + kind;

        if (c->queued[kind])
                return;
        c->queued[kind] = true;
        c->next[kind] = 0;
        *(q->tail ? &t->children[q->tail - 1].next[kind] : &q->head) = number_of(t, c);
        q->tail = number_of(t, c);
}

Child *table_queue_first(const Table *t, ChildQueueKind kind) {
        uint32_t head = t->queues[kind].head;

        return head ? t->children + head - 1 : NULL;
}

void table_dequeue(Table *t, ChildQueueKind kind) {
        ChildQueue *q = t->queues + kind;
        Child *c = table_queue_first(t, kind);

        if (!c)
                return;
        q->head = c->next[kind];
        if (!q->head)
                q->tail = 0;
        c->queued[kind] = false;
}

bool table_makes_sense(const Child *left) {
        const bool *flags[] = { &left->acknowledged, &left->exec_near, &left->failed };

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (*(const uint8_t *) flags[i] > 1)
                        return false;
        return left->state >= CHILD_GATED && left->state <= CHILD_FAILED && left->log_size <= WIRE_LOG_MAX && left->log_kept <= left->log_size;
}

/* What the process before execve(2) kept to itself means nothing now. */
static void adopt_entry(Table *t, Child *c) {
        uint32_t *bucket;

        memset((uint8_t *) c + CHILD_KEPT, 0, sizeof(*c) - CHILD_KEPT);
        c->process.fd = c->gate.fd = c->log_fds[0] = c->log_fds[1] = -EBADF;
        if (c->run == 0) {
                c->next_run = t->free;
                t->free = number_of(t, c);
                return;
        }
        bucket = bucket_of_run(t, c->run);
        c->next_run = *bucket;
        *bucket = number_of(t, c);
        if (c->process.pid > 0)
                table_set_pid(t, c, c->process.pid);
        t->used++;
}

int table_adopt(int fd, Table *ret) {
        TableHeader h;
        uint8_t *p;
        int r = read_header(fd, &h);

        if (r < 0)
                return r;
        p = map_table(fd, h.capacity);
        if (!p)
                return -ENOMEM;
        *ret = (Table) { .fd = fd };
        place(ret, p, h.capacity);
        ret->top = h.top;
        memset(ret->by_run, 0, 2 * INDEX_SIZE * sizeof(uint32_t));
        for (uint32_t i = 0; i < h.top; i++) {
                if (ret->children[i].run != 0 && !table_makes_sense(ret->children + i)) {
                        (void) munmap(p, table_bytes(h.capacity));
                        *ret = (Table) { .fd = -EBADF };
                        return -EBADMSG;
                }
                adopt_entry(ret, ret->children + i);
        }
        return 0;
}
