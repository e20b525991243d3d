/* Open addressing with linear probing. Removal shifts the rest of the probe chain back instead of leaving tombstones, so a map that lives
 * for months never degrades. Invariants: capacity is a power of two; at most three quarters are taken, so every probe ends at a free slot;
 * a slot is taken iff its key is not NULL. A slot holds no hash: to reckon it anew when the map grows costs less than eight bytes an entry. */
#include "base/map.h"

typedef struct Slot {
        const void *key;
        void *value;
} Slot;

struct Map {
        Slot *slots;
        size_t capacity, used;
        uint64_t (*hash)(const void *key);
        bool (*equal)(const void *a, const void *b);
};

#define MAP_FIRST_CAPACITY 16

/* The finaliser of splitmix64: linear probing needs the low bits to depend on all of the key. */
static uint64_t mix(uint64_t x) {
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

static uint64_t string_hash(const void *key) {
        uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

        for (const unsigned char *p = key; *p; p++)
                h = (h ^ *p) * UINT64_C(0x100000001b3);
        return mix(h);
}

static bool string_equal(const void *a, const void *b) {
        return strcmp(a, b) == 0;
}

static uint64_t u64_hash(const void *key) {
        return mix(*(const uint64_t *) key);
}

static bool u64_equal(const void *a, const void *b) {
        return *(const uint64_t *) a == *(const uint64_t *) b;
}

static Map *map_new(uint64_t (*hash)(const void *), bool (*equal)(const void *, const void *)) {
        Map *m = calloc(1, sizeof(*m));

        if (m) {
                m->hash = hash;
                m->equal = equal;
        }
        return m;
}

Map *map_new_string(void) {
        return map_new(string_hash, string_equal);
}

Map *map_new_u64(void) {
        return map_new(u64_hash, u64_equal);
}

Map *map_free(Map *m) {
        if (m)
                free(m->slots);
        free(m);
        return NULL;
}

/* The slot that holds the key, or the free one where its probe chain ends. */
static Slot *map_find(const Map *m, const void *key) {
        size_t i = m->hash(key) & (m->capacity - 1);

        while (m->slots[i].key && !m->equal(m->slots[i].key, key))
                i = (i + 1) & (m->capacity - 1);
        return &m->slots[i];
}

static int map_grow(Map *m) {
        Map grown = *m;

        grown.capacity = m->capacity ? m->capacity * 2 : MAP_FIRST_CAPACITY;
        grown.slots = calloc(grown.capacity, sizeof(Slot));
        if (!grown.slots)
                return -ENOMEM;
        for (size_t i = 0; i < m->capacity; i++)
                if (m->slots[i].key)
                        *map_find(&grown, m->slots[i].key) = m->slots[i];
        free(m->slots);
        *m = grown;
        return 0;
}

int map_put(Map *m, const void *key, void *value) {
        int r;

        if (m->capacity && map_find(m, key)->key)
                return -EEXIST;
        if ((m->used + 1) * 4 > m->capacity * 3) {
                r = map_grow(m);
                if (r < 0)
                        return r;
        }
        *map_find(m, key) = (Slot) { .key = key, .value = value };
        m->used++;
        return 0;
}

void *map_get(const Map *m, const void *key) {
        return m->used ? map_find(m, key)->value : NULL;
}

void *map_remove(Map *m, const void *key) {
        size_t mask = m->capacity - 1, hole;
        void *value;
        Slot *slot;

        slot = m->used ? map_find(m, key) : NULL;
        if (!slot || !slot->key)
                return NULL;
        value = slot->value;
        hole = (size_t) (slot - m->slots);
        for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
                /* An entry may move into the hole only if that does not put it in front of its home slot. */
                if (((i - m->hash(m->slots[i].key)) & mask) < ((i - hole) & mask))
                        continue;
                m->slots[hole] = m->slots[i];
                hole = i;
        }
        m->slots[hole] = (Slot) {};
        m->used--;
        return value;
}

size_t map_size(const Map *m) {
        return m->used;
}

bool map_next(const Map *m, size_t *i, void **ret_value) {
        while (*i < m->capacity) {
                const Slot *slot = &m->slots[(*i)++];

                if (!slot->key)
                        continue;
                *ret_value = slot->value;
                return true;
        }
        return false;
}
