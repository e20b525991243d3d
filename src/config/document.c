/* Owns the memory of a document and the small questions asked of its nodes. Nothing in here knows a format or a key. */
#include "config/document.h"

#include <stdio.h>
#include <strings.h>

#include "base/text.h"

#define BLOCK_SIZE (64 * 1024)

struct DocumentBlock {
        DocumentBlock *next;
        size_t used, size;
        max_align_t data[];
};

void document_done(Document *d) {
        DocumentBlock *next;

        for (DocumentBlock *b = d->blocks; b; b = next) {
                next = b->next;
                free(b);
        }
        free(d->deferred);
        *d = (Document) {};
}

static DocumentBlock *block_new(size_t size) {
        DocumentBlock *b = malloc(sizeof(DocumentBlock) + size);

        if (b)
                *b = (DocumentBlock) { .size = size };
        return b;
}

void *document_alloc(Document *d, size_t n) {
        DocumentBlock *b = d->blocks;
        void *p;

        if (n > SIZE_MAX / 2)
                return NULL;
        n = (n + 7) & ~(size_t) 7;
        if (!b || b->size - b->used < n) {
                b = block_new(MAX(n, (size_t) BLOCK_SIZE));
                if (!b)
                        return NULL;
                if (d->blocks && n >= BLOCK_SIZE) {
                        /* A large piece has a block of its own, behind the one that still has room. */
                        b->next = d->blocks->next;
                        d->blocks->next = b;
                } else {
                        b->next = d->blocks;
                        d->blocks = b;
                }
        }
        p = (char *) b->data + b->used;
        b->used += n;
        return p;
}

char *document_text(Document *d, const char *text, size_t n) {
        char *s = document_alloc(d, n + 1);

        if (!s)
                return NULL;
        if (n > 0)
                memcpy(s, text, n);
        s[n] = '\0';
        return s;
}

bool node_is_null(const Node *n) {
        if (n->kind != NODE_SCALAR || n->quoted)
                return false;
        return n->n == 0 || streq(n->text, "~") || streq(n->text, "null") || streq(n->text, "Null") || streq(n->text, "NULL");
}

const char *node_words(const Node *n, char buf[NODE_WORDS_MAX]) {
        _cleanup_free_ char *clean = NULL;
        size_t length = 0;

        if (n->kind != NODE_SCALAR)
                return n->kind == NODE_LIST ? "a list" : "a map";
        if (node_is_null(n))
                return "nothing";
        if (n->n == 0)
                return "an empty text";
        if (n->secret)
                return "a value that is not shown";
        /* At most 40 bytes, cut between characters, and nothing in it that a terminal would obey. */
        while (length < n->n && length + utf8_sequence(n->text + length, n->n - length) <= 40) {
                size_t step = utf8_sequence(n->text + length, n->n - length);
                if (step == 0)
                        break;
                length += step;
        }
        clean = text_escape(n->text, length);
        if (!clean || strlen(clean) + sizeof("\"\"…") > NODE_WORDS_MAX)
                return "this text";
        snprintf(buf, NODE_WORDS_MAX, "\"%s%s\"", clean, length < n->n ? "…" : "");
        return buf;
}

const Pair *node_find(const Node *map, const char *key) {
        for (size_t i = 0; i < map->n; i++)
                if (streq(map->pairs[i].key->text, key))
                        return map->pairs + i;
        return NULL;
}

int document_read(Document *doc, const char *file, const char *text, size_t n, Diagnostics *d) {
        _cleanup_free_ char *rewritten = NULL;
        size_t errors = d->errors;
        int r;

        r = text_check(file, text, n, d);
        if (r <= 0)
                return r;
        if (jsonc_wanted(file, text, n)) {
                r = jsonc_to_yaml(text, n, &rewritten, &n);
                if (r < 0)
                        return r;
                text = rewritten;
        }
        r = document_read_yaml(doc, file, text, n, d);
        return r < 0 ? r : doc->root || d->errors == errors;
}
