/* What the two files of the link share: link.c has the conversation, link_list.c what the keeper's list said. */
#pragma once

#include "keeper/hold.h"
#include "manager/link.h"

typedef struct Outgoing Outgoing;
struct Outgoing {
        Outgoing *next;
        int fd;
        size_t size;
        uint8_t data[];
};

struct Link {
        Manager *manager;
        int fd;
        sd_event_source *source;
        Outgoing *head, **tail;
        bool writable_wanted;
        WireHello hello;
        LinkChild *children;
        size_t n_children, allocated;
        Held held[HOLD_MAX];
        size_t n_held;
        bool listed;
        uint64_t early_signals;        /* heard before that; bit n-1: signal n */
        bool upgraded;
        char why[sizeof(((WireShutdown *) NULL)->why)];   /* we could not begin */
        uint8_t *buffer;
};

int link_list_add(Link *l, const WireChild *p);                 /* 0 or -ENOMEM */
LinkChild *link_list_find(Link *l, uint64_t run);               /* NULL: not there */
bool link_list_hold(Link *l, const WireHold *p, int fd);        /* takes the descriptor, or says that there is no room */
void link_list_free(Link *l);
