/* Owns the making of a document: depth and weight are checked with every node that is added, so that no text, however small, can ask for
 * more work than CONFIG_NODES_MAX nodes. Maps leave with unique keys: duplicates are reported here, merge keys (`<<`) are resolved here. */
#include "config/builder.h"

#include "base/text.h"

#define SEEN_BY_HASH 16 /* maps larger than this are checked for duplicates by a hash map */

void builder_done(Builder *b) {
        free(b->stack);
        b->anchors = map_free(b->anchors);
        *b = (Builder) {};
}

static int builder_fail(Builder *b, const BuilderPlace *at, const char *message) {
        int r = diagnostics_add(b->diagnostics, b->file, at->line, at->column, false, "%s", message);
        return r < 0 ? r : -EINVAL;
}

static int too_large(Builder *b, const BuilderPlace *at) {
        _cleanup_free_ char *message = NULL;

        message = text_printf("the file stands for more than %d nodes when its aliases are expanded", CONFIG_NODES_MAX);
        return message ? builder_fail(b, at, message) : -ENOMEM;
}

static int too_deep(Builder *b, const BuilderPlace *at) {
        _cleanup_free_ char *message = NULL;

        message = text_printf("nested more than %d levels deep", DOCUMENT_DEPTH_MAX);
        return message ? builder_fail(b, at, message) : -ENOMEM;
}

static Node *node_new(Builder *b, const BuilderPlace *at, NodeKind kind) {
        Node *node = document_alloc(b->document, sizeof(Node));

        if (!node)
                return NULL;
        *node = (Node) { .kind = kind, .line = at->line, .column = at->column, .height = 1, .weight = 1 };
        b->document->n_nodes++;
        return node;
}

/* A name may be given again: aliases mean the latest one. */
static int set_anchor(Builder *b, const char *anchor, Node *node) {
        char *name;

        if (!anchor)
                return 0;
        if (!b->anchors)
                b->anchors = map_new_string();
        name = b->anchors ? document_text(b->document, anchor, strlen(anchor)) : NULL;
        if (!name)
                return -ENOMEM;
        (void) map_remove(b->anchors, name);
        return map_put(b->anchors, name, node);
}

/* A finished node becomes a child of the innermost open container, or the root. */
static int add(Builder *b, const BuilderPlace *at, Node *node) {
        BuilderFrame *f = b->depth > 0 ? b->frames + b->depth - 1 : NULL;

        if (!f) {
                b->document->root = node;
                return 0;
        }
        if (b->depth + node->height > DOCUMENT_DEPTH_MAX)
                return too_deep(b, at);
        f->weight += node->weight;
        f->height = MAX(f->height, (unsigned) node->height);
        if (f->weight >= CONFIG_NODES_MAX || b->document->n_nodes >= CONFIG_NODES_MAX)
                return too_large(b, at);
        if (b->n == b->allocated) {
                size_t wanted = MAX(b->allocated * 2, (size_t) 64);
                Node **stack = reallocarray(b->stack, wanted, sizeof(Node *));
                if (!stack)
                        return -ENOMEM;
                b->stack = stack;
                b->allocated = wanted;
        }
        b->stack[b->n++] = node;
        return 0;
}

int builder_scalar(Builder *b, const BuilderPlace *at, const char *text, size_t n, bool quoted) {
        Node *node;
        int r;

        if (n > 0 && memchr(text, '\0', n))
                return builder_fail(b, at, "a text cannot hold a NUL character");
        node = node_new(b, at, NODE_SCALAR);
        if (!node)
                return -ENOMEM;
        node->quoted = quoted;
        node->n = n;
        node->text = document_text(b->document, text, n);
        if (!node->text)
                return -ENOMEM;
        r = set_anchor(b, at->anchor, node);
        return r < 0 ? r : add(b, at, node);
}

int builder_open(Builder *b, const BuilderPlace *at, NodeKind kind) {
        Node *node;

        if (b->depth >= DOCUMENT_DEPTH_MAX)
                return too_deep(b, at);
        node = node_new(b, at, kind);
        if (!node)
                return -ENOMEM;
        node->open = true;
        b->frames[b->depth++] = (BuilderFrame) { .node = node, .base = b->n, .weight = 1 };
        return set_anchor(b, at->anchor, node);
}

int builder_alias(Builder *b, const BuilderPlace *at) {
        Node *node = b->anchors ? map_get(b->anchors, at->anchor) : NULL;
        _cleanup_free_ char *message = NULL;

        if (node && !node->open)
                return add(b, at, node);
        message = node ? text_printf("alias *%s stands inside of what it stands for", at->anchor)
                       : text_printf("alias *%s: no such anchor before this line", at->anchor);
        return message ? builder_fail(b, at, message) : -ENOMEM;
}

/* ---- maps ---- */

typedef struct MapBuild {
        Pair *pairs;
        size_t n;
        Map *seen; /* key text → Pair; NULL for small maps, which are searched */
} MapBuild;

static void map_build_done(MapBuild *m) {
        m->seen = map_free(m->seen);
}

static Pair *map_build_find(const MapBuild *m, const char *key) {
        if (m->seen)
                return map_get(m->seen, key);
        for (size_t i = 0; i < m->n; i++)
                if (streq(m->pairs[i].key->text, key))
                        return m->pairs + i;
        return NULL;
}

static int map_build_add(MapBuild *m, const Pair *p) {
        m->pairs[m->n] = *p;
        if (m->seen) {
                int r = map_put(m->seen, p->key->text, m->pairs + m->n);
                if (r < 0)
                        return r;
        }
        m->n++;
        return 0;
}

static bool is_merge(const Node *key) {
        return key->kind == NODE_SCALAR && !key->quoted && streq(key->text, "<<");
}

/* How many pairs `<<: value` can bring; SIZE_MAX when the value is nothing that can be merged. */
static size_t merge_size(const Node *value) {
        size_t n = 0;

        if (value->kind == NODE_MAP)
                return value->n;
        if (value->kind != NODE_LIST)
                return SIZE_MAX;
        for (size_t i = 0; i < value->n; i++) {
                if (value->items[i]->kind != NODE_MAP)
                        return SIZE_MAX;
                n += value->items[i]->n;
        }
        return n;
}

static int merge_one(MapBuild *m, const Node *map) {
        int r;

        for (size_t i = 0; i < map->n; i++) {
                if (map_build_find(m, map->pairs[i].key->text))
                        continue;
                r = map_build_add(m, map->pairs + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Keys written in the map itself win over merged ones, earlier maps of a list over later ones. */
static int merge(Builder *b, MapBuild *m, const Node *value) {
        int r;

        if (merge_size(value) == SIZE_MAX)
                return diagnostics_add(b->diagnostics, b->file, value->line, value->column, false,
                                       "`<<` merges a map or a list of maps (usually an alias)");
        if (value->kind == NODE_MAP)
                return merge_one(m, value);
        for (size_t i = 0; i < value->n; i++) {
                r = merge_one(m, value->items[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_own(Builder *b, MapBuild *m, const Pair *p) {
        const Node *key = p->key;
        const Pair *first;
        char words[NODE_WORDS_MAX];

        if (key->kind != NODE_SCALAR || node_is_null(key))
                return diagnostics_add(b->diagnostics, b->file, key->line, key->column, false, "expected the name of a key, not %s",
                                       node_words(key, words));
        first = map_build_find(m, key->text);
        if (!first)
                return map_build_add(m, p);
        return diagnostics_add(b->diagnostics, b->file, key->line, key->column, false, "duplicate key %s: it stands already in line %u",
                               node_words(key, words), first->key->line);
}

/* The pairs a map will have at most, with all that its merge keys bring. */
static size_t map_capacity(Node *const *children, size_t n) {
        size_t capacity = n;

        for (size_t i = 0; i < n; i++)
                if (is_merge(children[2 * i]) && merge_size(children[2 * i + 1]) != SIZE_MAX)
                        capacity += merge_size(children[2 * i + 1]);
        return capacity;
}

static int close_map(Builder *b, BuilderFrame *f) {
        _cleanup_(map_build_done) MapBuild m = {};
        Node *const *children = b->stack ? b->stack + f->base : NULL; /* keys and values in turn */
        size_t n = (b->n - f->base) / 2, capacity = map_capacity(children, n);
        int r;

        m.pairs = document_alloc(b->document, MAX(capacity, (size_t) 1) * sizeof(Pair));
        m.seen = capacity > SEEN_BY_HASH ? map_new_string() : NULL;
        if (!m.pairs || (capacity > SEEN_BY_HASH && !m.seen))
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (!is_merge(children[2 * i])) {
                        r = add_own(b, &m, &(Pair) { children[2 * i], children[2 * i + 1] });
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; i < n; i++)
                if (is_merge(children[2 * i])) {
                        r = merge(b, &m, children[2 * i + 1]);
                        if (r < 0)
                                return r;
                }
        f->node->pairs = m.pairs;
        f->node->n = m.n;
        return 0;
}

static int close_list(Builder *b, BuilderFrame *f) {
        size_t n = b->n - f->base;

        f->node->items = document_alloc(b->document, MAX(n, (size_t) 1) * sizeof(Node *));
        if (!f->node->items)
                return -ENOMEM;
        if (n > 0)
                memcpy(f->node->items, b->stack + f->base, n * sizeof(Node *));
        f->node->n = n;
        return 0;
}

int builder_close(Builder *b) {
        BuilderFrame *f = b->frames + b->depth - 1;
        BuilderPlace at = { .line = f->node->line, .column = f->node->column };
        int r;

        r = f->node->kind == NODE_MAP ? close_map(b, f) : close_list(b, f);
        if (r < 0)
                return r;
        f->node->open = false;
        f->node->weight = (uint32_t) f->weight;
        f->node->height = (uint16_t) (f->height + 1);
        b->n = f->base;
        b->depth--;
        return add(b, &at, f->node);
}
