/* Items by time, the earliest first: a binary heap of pointers to items that live elsewhere. Private to probes.c. */
#pragma once

#include "base/span.h"

#define HEAP_OUT SIZE_MAX

typedef struct HeapItem {
        usec_t time;
        size_t at;             /* HEAP_OUT: it is not in the heap */
} HeapItem;

typedef struct ProbeHeap {
        HeapItem **items;
        size_t n, reserved, allocated;
} ProbeHeap;

/* Room for n more items, which must be there before they are put in, so that putting in cannot fail. 0 or -ENOMEM. */
int probe_heap_reserve(ProbeHeap *h, size_t n);
void probe_heap_release(ProbeHeap *h, size_t n);
void probe_heap_done(ProbeHeap *h);
/* Puts it in, moves it, or takes it out (USEC_INFINITY). */
void probe_heap_set(ProbeHeap *h, HeapItem *item, usec_t time);
HeapItem *probe_heap_first(const ProbeHeap *h);   /* NULL: it is empty */
