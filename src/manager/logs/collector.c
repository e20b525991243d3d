/* Must stay true: the manager has a write end of its own as long as the collector is meant to run, so that its input does not end with each run of
 * the service; every run gets a description of its own of its end (opened anew by /proc/self/fd), so that no run's O_NONBLOCK is another's. */
#include "manager/logs/collector.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "manager/life/service.h"
#include "manager/link.h"

#define HELD_SIZE 64

/* The keeper's names are shorter than ours may be: FNV-1a of it. */
static void held_name(const Instance *collector, char ret[HELD_SIZE]) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (const char *p = collector->service->key; *p; p++)
                h = (h ^ (uint8_t) *p) * UINT64_C(0x100000001b3);
        snprintf(ret, HELD_SIZE, "log-%016" PRIx64 "-%u", h, collector->index);
}

static int open_again(int fd, int flags) {
        char path[64];
        int r;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        r = open(path, flags | O_CLOEXEC | O_NOCTTY);
        return r < 0 ? -errno : r;
}

/* When the keeper has died as well, the one who reads has the only read end. */
static int input_of(const Instance *collector) {
        char path[64];
        struct stat st;
        int fd;

        if (collector->main.pid <= 0)
                return -ENOENT;
        snprintf(path, sizeof path, "/proc/%d/fd/0", collector->main.pid);
        if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
                return -ENOENT;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

static int find_pipe(Instance *c, const char *name) {
        Manager *m = c->service->manager;
        int pair[2], fd = link_take_held(m->link, name), r;

        if (fd >= 0)
                return fd;
        fd = input_of(c);
        if (fd < 0) {
                if (pipe2(pair, O_CLOEXEC) < 0)
                        return -errno;
                fd = pair[0];
                c->input.write = pair[1];
        }
        r = link_hold(m->link, name, fd);
        if (r >= 0)
                return fd;
        fd_close(fd);
        c->input.write = fd_close(c->input.write);
        return r;
}

/* Our two ends, made or found. */
static int open_pipe(Instance *c) {
        char name[HELD_SIZE];
        int r;

        held_name(c, name);
        if (c->input.read < 0) {
                r = find_pipe(c, name);
                if (r < 0)
                        return r;
                c->input.read = r;
        }
        if (c->input.write < 0) {
                r = open_again(c->input.read, O_WRONLY);
                if (r < 0)
                        return r;
                c->input.write = r;
        }
        return 0;
}

Service *collector_of(const Service *s) {
        Manager *m = s->manager;

        for (size_t k = 0; k < m->n_order; k++) {
                const ServiceSpec *c = m->order[k]->spec;
                if (c->collects && streq(c->collects, s->spec->name) && streq(c->ns, s->spec->ns))
                        return m->order[k];
        }
        return NULL;
}

/* Counted round where there are fewer collectors than instances. */
static Instance *collector_for(const Service *collector, unsigned index) {
        return collector->instances[index % collector->n_instances];
}

int collector_writer(const Instance *i, int *ret_fd, KlError *reterr) {
        Service *collector = collector_of(i->service);
        int r;

        if (!collector || collector->n_instances == 0) {
                (void) kl_error_set(reterr, -ENOENT, KL_E_INVALID, "log.to: exec, but nothing collects what %s writes", i->service->spec->name);
                kl_error_hint(reterr, "write log: {to: {exec: COMMAND}}, or a service with `collects: %s`", i->service->spec->name);
                return -ENOENT;
        }
        r = open_pipe(collector_for(collector, i->index));
        if (r >= 0)
                r = open_again(collector_for(collector, i->index)->input.read, O_WRONLY);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot make the pipe to its collector: %s", strerror(-r));
        *ret_fd = r;
        return 0;
}

int collector_reader(Instance *c, int *ret_fd) {
        int r = open_pipe(c);

        if (r >= 0)
                r = open_again(c->input.read, O_RDONLY);
        if (r < 0)
                return r;
        *ret_fd = r;
        return 0;
}

void collector_adopt(Instance *c) {
        int r = c->service->spec->collects ? open_pipe(c) : 0;

        if (r < 0)
                log_errno(LOG_WARNING, r, "%s[%u]: cannot find its input again", c->service->key, c->index);
}

static bool collected_alive(const Instance *c) {
        const Service *s = service_find(c->service->manager, c->service->spec->ns, c->service->spec->collects);

        for (size_t k = 0; s && k < s->n_instances; k++)
                if (collector_for(c->service, (unsigned) k) == c && lifecycle_alive(&s->instances[k]->lc))
                        return true;
        return false;
}

bool collector_end_input(Instance *c) {
        if (!c->service->spec->collects || c->input.write < 0 || collected_alive(c))
                return false;
        c->input.write = fd_close(c->input.write);
        return true;
}

void collector_free(Instance *i) {
        i->input.read = fd_close(i->input.read);
        i->input.write = fd_close(i->input.write);
}

void collector_forget(Instance *i) {
        char name[HELD_SIZE];

        if (i->input.read < 0)
                return;
        held_name(i, name);
        (void) link_drop(i->service->manager->link, name);
        collector_free(i);
}
