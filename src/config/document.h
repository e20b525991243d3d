/* The tree that every text becomes before its keys mean anything: maps, lists and scalars with their place in the file.
 *
 * Nodes, their texts and their arrays live in blocks that are freed together. An alias is a second pointer to the same node, so the tree is
 * a graph without cycles: memory follows the size of the text, while `weight` counts what the aliases stand for and is held below
 * CONFIG_NODES_MAX. */
#pragma once

#include <json-c/json.h>

#include "base/macro.h"
#include "config/config.h"

#define DOCUMENT_DEPTH_MAX 64

typedef enum NodeKind { NODE_SCALAR, NODE_LIST, NODE_MAP } NodeKind;

typedef struct Node Node;
typedef struct Pair {
        Node *key, *value; /* the key is a scalar */
} Pair;
struct Node {
        uint8_t kind;          /* NodeKind */
        bool quoted;           /* scalar: quoted, a block or tagged as a string, so that it is text whatever it looks like */
        bool open;             /* being built: an alias to it would be a cycle */
        bool visited;          /* by the expansion of variables */
        bool deferred;         /* not expanded yet: it has a value of another service in it */
        bool resolving;        /* that is being looked up */
        bool secret;           /* a variable in it is one: messages do not quote it */
        bool broken;           /* a variable in it could not be expanded, which was told: nothing more is to be said about the text */
        uint16_t height;       /* 1 for a scalar and an empty container */
        uint32_t weight;       /* nodes of the subtree with aliases expanded */
        unsigned line, column; /* from 1; 0: not from a text */
        size_t n;              /* scalar: bytes; list: items; map: pairs */
        union {
                char *text; /* NUL-terminated, no NUL inside */
                Node **items;
                Pair *pairs; /* keys are unique, merges resolved */
        };
};

typedef struct DocumentBlock DocumentBlock;
typedef struct Document {
        Node *root; /* NULL: nothing but comments */
        size_t n_nodes;
        DocumentBlock *blocks;
        Node **deferred;       /* every such node, once */
        size_t n_deferred;
        size_t expanded;       /* bytes that variables brought in */
} Document;

void document_done(Document *d);
#define _cleanup_document_ _cleanup_(document_done)
void *document_alloc(Document *d, size_t n);                  /* NULL on OOM; freed with the document */
char *document_text(Document *d, const char *text, size_t n); /* a NUL-terminated copy */

/* true for a plain scalar that YAML reads as null: nothing, ~, null. */
bool node_is_null(const Node *n);
/* a map, a list, nothing, "text" (in double quotes, shortened): for messages, into buf. */
#define NODE_WORDS_MAX 96
const char *node_words(const Node *n, char buf[NODE_WORDS_MAX]);
const Pair *node_find(const Node *map, const char *key); /* NULL if absent */

/* YAML, JSON or JSONC, by name and content: checked, rewritten where it must be, read. 1 and a document (whose root may be NULL), 0 when the text
 * could not be understood (which was said in *d), -ENOMEM. */
int document_read(Document *doc, const char *file, const char *text, size_t n, Diagnostics *d);

/* All of the following say what is wrong with a text in *d: 0 (also when *d got errors: look at d->errors) or -ENOMEM. */
int document_read_yaml(Document *doc, const char *file, const char *text, size_t n, Diagnostics *d);
int document_read_json(Document *doc, json_object *o, Diagnostics *d);
/* Replaces ${NAME}, ${NAME:-default} and $$ in every value, but for those with a ${service.…} in them: these are left to document_expand_node(),
 * because what they stand for is known when all documents are. */
int document_expand(Document *doc, const char *file, char *const *environment, Diagnostics *d);
/* The value that name[n] ("service.db.port") stands for at a node: 1 and *ret malloc'ed, 0 when there is none (which was said), -ENOMEM. */
typedef int (*NodeLookup)(void *userdata, Node *at, const char *name, size_t n, char **ret);
int document_expand_node(Document *doc, const char *file, char *const *environment, Node *n, NodeLookup lookup, void *userdata, Diagnostics *d);

/* JSON with comments → text that the YAML reader takes: comments become blanks, surrogate pairs become one \U escape; lines and columns
 * stay. malloc'ed. */
int jsonc_to_yaml(const char *text, size_t n, char **ret, size_t *ret_n);
/* Whether text is JSON: by the extension of the name where that says it, else by its first character. */
bool jsonc_wanted(const char *name, const char *text, size_t n);

/* One place for what neither format allows: invalid UTF-8, NUL and other control characters. 1 if the text is clean, 0 with a message in
 * *d, -ENOMEM. */
int text_check(const char *file, const char *text, size_t n, Diagnostics *d);
