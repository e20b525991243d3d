/* Owns the descriptors that the manager wants to find again after its death, and those that systemd gave the keeper at its start: the manager
 * learns of both in the same way. */
#include "keeper/hold.h"

#include <stdio.h>

#include "base/fd.h"

static Held *find(Hold *h, const char *name) {
        for (size_t i = 0; i < h->n; i++)
                if (streq(h->slots[i].name, name))
                        return h->slots + i;
        return NULL;
}

static Held *find_free(Hold *h) {
        Held *held = find(h, "");

        return held || h->n == HOLD_MAX ? held : h->slots + h->n++;
}

int hold_put(Hold *h, const char *name, int fd) {
        Held *held = find(h, name);

        if (held)
                fd_close(held->fd);
        else
                held = find_free(h);
        if (!held) {
                fd_close(fd);
                return -ENOSPC;
        }
        snprintf(held->name, sizeof(held->name), "%s", name);
        held->fd = fd;
        held->stored = false;
        h->changed = true;
        return 0;
}

int hold_get(const Hold *h, const char *name) {
        for (size_t i = 0; i < h->n; i++)
                if (streq(h->slots[i].name, name))
                        return h->slots[i].fd;
        return -ENOENT;
}

void hold_drop(Hold *h, const char *name) {
        Held *held = find(h, name);

        if (!held || *name == '\0')
                return;
        held->fd = fd_close(held->fd);
        h->changed = true;
        if (!held->stored)
                hold_forget(held);
}

void hold_forget(Held *held) {
        fd_close(held->fd);
        *held = (Held) { .fd = -EBADF };
}

void hold_done(Hold *h) {
        for (size_t i = 0; i < h->n; i++)
                if (h->slots[i].name[0])
                        hold_forget(h->slots + i);
}

static void make_unique(Hold *h, char *name, size_t size) {
        size_t at = MIN(strlen(name), size - sizeof("#4294967295"));

        for (unsigned i = 2; find(h, name); i++)
                snprintf(name + at, size - at, "#%u", i);
}

int hold_inherit(Hold *h, const char *name, int fd, bool stored) {
        char unique[sizeof(h->slots[0].name)];
        int r;

        snprintf(unique, sizeof(unique), "%s", name);
        make_unique(h, unique, sizeof(unique));
        r = hold_put(h, unique, fd);
        if (r >= 0)
                find(h, unique)->stored = stored;
        return r;
}
