/* What the keeper's list said when we began: its children, and the descriptors that it holds for us. The children are kept until somebody has
 * taken them up, the descriptors for good. */
#include "base/fd.h"
#include "manager/link_private.h"

int link_list_add(Link *l, const WireChild *p) {
        if (l->n_children == l->allocated) {
                size_t n = MAX(l->allocated * 2, 64u);
                LinkChild *c = reallocarray(l->children, n, sizeof(LinkChild));
                if (!c)
                        return -ENOMEM;
                l->children = c;
                l->allocated = n;
        }
        l->children[l->n_children] = (LinkChild) { .run = p->run, .pid = p->pid, .state = p->state, .start_time = p->start_time,
                                                         .executed = p->executed };
        memcpy(l->children[l->n_children].invocation, p->invocation, 16);
        l->n_children++;
        return 0;
}

LinkChild *link_list_find(Link *l, uint64_t run) {
        for (size_t i = l->n_children; i > 0; i--)
                if (l->children[i - 1].run == run)
                        return l->children + i - 1;
        return NULL;
}

bool link_list_hold(Link *l, const WireHold *p, int fd) {
        if (l->n_held == ARRAY_SIZE(l->held))
                return false;
        memcpy(l->held[l->n_held].name, p->name, sizeof p->name);
        l->held[l->n_held++].fd = fd;
        return true;
}

void link_list_free(Link *l) {
        for (size_t i = 0; i < l->n_held; i++)
                fd_close(l->held[i].fd);
        free(l->children);
}

LinkChild *link_children(Link *l, size_t *ret_n) {
        *ret_n = l->n_children;
        return l->children;
}

void link_list_done(Link *l) {
        free(l->children);
        l->children = NULL;
        l->n_children = l->allocated = 0;
}

const char *link_held_suffix(const Link *l, const char *prefix) {
        for (size_t i = 0; i < l->n_held; i++) {
                const char *suffix = startswith(l->held[i].name, prefix);

                if (suffix)
                        return suffix;
        }
        return NULL;
}

const char *link_held_next(const Link *l, const char *prefix, size_t *at) {
        while (*at < l->n_held) {
                const Held *held = l->held + (*at)++;

                if (held->fd >= 0 && startswith(held->name, prefix))
                        return held->name;
        }
        return NULL;
}

int link_take_held(Link *l, const char *name) {
        for (size_t i = 0; i < l->n_held; i++)
                if (streq(l->held[i].name, name))
                        return l->held[i].fd >= 0 ? TAKE_FD(l->held[i].fd) : -ENOENT;
        return -ENOENT;
}

void link_drop_untaken(Link *l, const char *prefix) {
        for (size_t i = 0; i < l->n_held; i++) {
                Held *held = l->held + i;

                if (held->fd < 0 || !startswith(held->name, prefix))
                        continue;
                held->fd = fd_close(held->fd);
                (void) link_drop(l, held->name);
        }
}
