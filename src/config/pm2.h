/* Between pm2.c (files, applications, commands) and pm2_keys.c (what a key of an application means). */
#pragma once

#include "config/foreign_builder.h"

typedef struct App {
        const Foreign *f;
        const Node *map;
        json_object *service;
        const char *name;
        const char *cwd;          /* absolute */
} App;

/* A value by its key or another spelling of it (may be NULL); NULL when absent or null. */
static inline const Node *pm2_find(const Node *map, const char *a, const char *b) {
        const Pair *p = node_find(map, a);

        if (!p && b)
                p = node_find(map, b);
        return p && !node_is_null(p->value) ? p->value : NULL;
}
static inline const char *pm2_text(const Node *n) {
        return n && n->kind == NODE_SCALAR ? n->text : NULL;
}

/* PM2's defaults, then every key of the application, into its service. 0 or -ENOMEM. */
int pm2_read_keys(App *a);
