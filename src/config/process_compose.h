/* What the readers of process-compose.yaml share. Private to them. */
#pragma once

#include "config/foreign_builder.h"

typedef struct Process {
        const Foreign *f;
        const Node *root, *map;
        const char *name;
        json_object *service;
} Process;

static inline const char *text_of(const Node *n) {
        return n && n->kind == NODE_SCALAR ? n->text : NULL;
}

static inline const Node *find(const Node *map, const char *key) {
        const Pair *p = map && map->kind == NODE_MAP ? node_find(map, key) : NULL;

        return p && !node_is_null(p->value) ? p->value : NULL;
}

/* process_compose_probes.c: readiness_probe, liveness_probe; ready_log_line. 0 or -ENOMEM. */
int process_compose_probe(Process *p, const Node *v, const char *key);
int process_compose_ready_line(Process *p, const Node *v, const char *key);
