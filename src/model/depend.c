/* Order among services: the dependencies as a graph of positions, its topological order, and the cycle that prevents one.
 * What must stay true: no recursion (a file may chain thousands of services), and the same list always gives the same order. */
#include "model/depend.h"

#include "base/text.h"
#include "model/spec_index.h"

ServiceSpec *depend_resolve(const SpecList *l, const ServiceSpec *s, const Dependency *d) {
        const char *slash = strchr(d->name, '/');
        size_t n = slash ? (size_t) (slash - d->name) : 0;

        if (!slash)
                return spec_list_find(l, s->ns, d->name);
        for (size_t i = 0; i < l->n; i++)
                if (strlen(l->items[i]->ns) == n && strncmp(l->items[i]->ns, d->name, n) == 0 && streq(l->items[i]->name, slash + 1))
                        return l->items[i];
        return NULL;
}

/* Two lists of edges in one array each: needs of i are needs[need_at[i]] … needs[need_at[i + 1] - 1], and so for who needs i. Unknown names have
 * no edge. */
typedef struct Graph {
        size_t n, *needs, *need_at, *users, *user_at;
        size_t *left;   /* needs that are not in the order yet */
} Graph;

static void graph_done(Graph *g) {
        free(g->needs);
        free(g->need_at);
        free(g->users);
        free(g->user_at);
        free(g->left);
}

static int graph_allocate(Graph *g, const SpecList *l) {
        size_t edges = 0;

        for (size_t i = 0; i < l->n; i++)
                edges += l->items[i]->depends.n;
        g->n = l->n;
        g->needs = calloc(edges + 1, sizeof(size_t));
        g->users = calloc(edges + 1, sizeof(size_t));
        g->need_at = calloc(l->n + 1, sizeof(size_t));
        g->user_at = calloc(l->n + 2, sizeof(size_t));
        g->left = calloc(l->n + 1, sizeof(size_t));
        return g->needs && g->users && g->need_at && g->user_at && g->left ? 0 : -ENOMEM;
}

/* Counting sort of the edges by their target. user_at is counted two places ahead, so that filling leaves each start where it belongs. */
static void graph_reverse(Graph *g) {
        for (size_t e = 0; e < g->need_at[g->n]; e++)
                if (g->needs[e] + 2 <= g->n)
                        g->user_at[g->needs[e] + 2]++;
        for (size_t i = 2; i <= g->n; i++)
                g->user_at[i] += g->user_at[i - 1];
        for (size_t i = 0; i < g->n; i++)
                for (size_t e = g->need_at[i]; e < g->need_at[i + 1]; e++)
                        g->users[g->user_at[g->needs[e] + 1]++] = i;
}

static int graph_init(Graph *g, const SpecList *l) {
        _cleanup_spec_index_ SpecIndex x = {};
        int r;

        r = graph_allocate(g, l);
        if (r >= 0)
                r = spec_index_init(&x, l);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l->n; i++) {
                const ServiceSpec *s = l->items[i];
                size_t to;

                g->need_at[i + 1] = g->need_at[i];
                for (size_t k = 0; k < s->depends.n; k++) {
                        r = spec_index_find(&x, s->ns, s->depends.items[k].name, &to);
                        if (r < 0)
                                return r;
                        if (r > 0)
                                g->needs[g->need_at[i + 1]++] = to;
                }
                g->left[i] = g->need_at[i + 1] - g->need_at[i];
        }
        graph_reverse(g);
        return 0;
}

/* ---- a heap of positions, the least on top ---- */

static void heap_push(size_t *heap, size_t *n, size_t v) {
        size_t i = (*n)++;

        for (; i > 0 && heap[(i - 1) / 2] > v; i = (i - 1) / 2)
                heap[i] = heap[(i - 1) / 2];
        heap[i] = v;
}

static size_t heap_pop(size_t *heap, size_t *n) {
        size_t top = heap[0], last = heap[--*n], i = 0, child;

        while ((child = 2 * i + 1) < *n) {
                if (child + 1 < *n && heap[child + 1] < heap[child])
                        child++;
                if (heap[child] >= last)
                        break;
                heap[i] = heap[child];
                i = child;
        }
        heap[i] = last;
        return top;
}

/* Of all whose needs are met, the first of the list goes next. Fills order as far as it gets and returns how far that is: short of g->n, the
 * rest hangs on a cycle. */
static size_t graph_sort(Graph *g, size_t *heap, size_t *order) {
        size_t waiting = 0, done = 0;

        for (size_t i = 0; i < g->n; i++)
                if (g->left[i] == 0)
                        heap_push(heap, &waiting, i);
        while (waiting > 0) {
                size_t i = heap_pop(heap, &waiting);

                order[done++] = i;
                for (size_t e = g->user_at[i]; e < g->user_at[i + 1]; e++)
                        if (--g->left[g->users[e]] == 0)
                                heap_push(heap, &waiting, g->users[e]);
        }
        return done;
}

/* 1: sorted, 0: there is a cycle. */
static int sort_list(const SpecList *l, Graph *g, size_t **ret) {
        _cleanup_free_ size_t *heap = NULL, *order = NULL;
        int r;

        r = graph_init(g, l);
        if (r < 0)
                return r;
        heap = calloc(l->n + 1, sizeof(size_t));
        order = calloc(l->n + 1, sizeof(size_t));
        if (!heap || !order)
                return -ENOMEM;
        if (graph_sort(g, heap, order) < l->n)
                return 0;
        *ret = TAKE_PTR(order);
        return 1;
}

int depend_order(const SpecList *l, size_t **ret) {
        _cleanup_(graph_done) Graph g = {};
        int r;

        r = sort_list(l, &g, ret);
        return r < 0 ? r : r > 0 ? 0 : -ELOOP;
}

/* ---- cycles ---- */

/* Who is left over has a need that is left over too; following those comes around. Returns a position on the cycle. */
static size_t next_on_way(const Graph *g, size_t i) {
        for (size_t e = g->need_at[i]; e < g->need_at[i + 1]; e++)
                if (g->left[g->needs[e]] > 0)
                        return g->needs[e];
        return i;
}

/* After as many steps as there are services the way has surely come around; the first of the list on the cycle is where its text begins. */
static size_t find_start(const Graph *g) {
        size_t at = 0, start;

        while (g->left[at] == 0)
                at++;
        for (size_t i = 0; i < g->n; i++)
                at = next_on_way(g, at);
        start = at;
        for (size_t i = next_on_way(g, at); i != at; i = next_on_way(g, i))
                start = MIN(start, i);
        return start;
}

static int cycle_text(const SpecList *l, const Graph *g, size_t start, char **ret) {
        _cleanup_buffer_ Buffer b = {};
        size_t i = start;
        bool mixed = false;
        int r;

        do {
                mixed = mixed || !streq(l->items[i]->ns, l->items[start]->ns);
                i = next_on_way(g, i);
        } while (i != start);
        do {
                const ServiceSpec *s = l->items[i];

                r = mixed ? buffer_printf(&b, "%s/%s -> ", s->ns, s->name) : buffer_printf(&b, "%s -> ", s->name);
                i = next_on_way(g, i);
        } while (r >= 0 && i != start);
        if (r >= 0)
                r = mixed ? buffer_printf(&b, "%s/%s", l->items[start]->ns, l->items[start]->name) : buffer_printf(&b, "%s", l->items[start]->name);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b.data);
        return 0;
}

int depend_find_cycle(const SpecList *l, char **ret_text, size_t *ret_index) {
        _cleanup_free_ size_t *order = NULL;
        _cleanup_(graph_done) Graph g = {};
        size_t start;
        int r;

        r = sort_list(l, &g, &order);
        if (r != 0)
                return MIN(r, 0);
        start = find_start(&g);
        r = cycle_text(l, &g, start, ret_text);
        if (r < 0)
                return r;
        *ret_index = start;
        return 1;
}

int depend_add(ServiceSpec *s, const char *on, int kind) {
        Dependency *items;

        for (size_t k = 0; k < s->depends.n; k++)
                if (streq(s->depends.items[k].name, on))
                        return 0;
        items = reallocarray(s->depends.items, s->depends.n + 1, sizeof(Dependency));
        if (!items)
                return -ENOMEM;
        s->depends.items = items;
        items[s->depends.n] = (Dependency) { .name = strdup(on), .kind = kind };
        if (!items[s->depends.n].name)
                return -ENOMEM;
        s->depends.n++;
        return 0;
}
