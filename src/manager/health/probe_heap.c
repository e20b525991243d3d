#include "manager/health/probe_heap.h"

int probe_heap_reserve(ProbeHeap *h, size_t n) {
        if (h->reserved + n > h->allocated) {
                size_t wanted = MAX(h->allocated * 2, h->reserved + n);
                HeapItem **items = reallocarray(h->items, wanted, sizeof(HeapItem *));

                if (!items)
                        return -ENOMEM;
                h->items = items;
                h->allocated = wanted;
        }
        h->reserved += n;
        return 0;
}

void probe_heap_release(ProbeHeap *h, size_t n) {
        h->reserved -= n;
}

void probe_heap_done(ProbeHeap *h) {
        free(h->items);
        *h = (ProbeHeap) {};
}

static void put(ProbeHeap *h, HeapItem *item, size_t at) {
        h->items[at] = item;
        item->at = at;
}

static void sift_up(ProbeHeap *h, HeapItem *item) {
        size_t at = item->at;

        for (; at > 0 && h->items[(at - 1) / 2]->time > item->time; at = (at - 1) / 2)
                put(h, h->items[(at - 1) / 2], at);
        put(h, item, at);
}

static void sift_down(ProbeHeap *h, HeapItem *item) {
        size_t at = item->at;

        for (size_t child; (child = 2 * at + 1) < h->n; at = child) {
                if (child + 1 < h->n && h->items[child + 1]->time < h->items[child]->time)
                        child++;
                if (h->items[child]->time >= item->time)
                        break;
                put(h, h->items[child], at);
        }
        put(h, item, at);
}

static void take_out(ProbeHeap *h, HeapItem *item) {
        HeapItem *last = h->items[--h->n];

        if (last != item) {
                put(h, last, item->at);
                sift_up(h, last);
                sift_down(h, last);
        }
        item->at = HEAP_OUT;
}

void probe_heap_set(ProbeHeap *h, HeapItem *item, usec_t time) {
        item->time = time;
        if (time == USEC_INFINITY) {
                if (item->at != HEAP_OUT)
                        take_out(h, item);
                return;
        }
        if (item->at == HEAP_OUT)
                put(h, item, h->n++);
        sift_up(h, item);
        sift_down(h, item);
}

HeapItem *probe_heap_first(const ProbeHeap *h) {
        return h->n > 0 ? h->items[0] : NULL;
}
