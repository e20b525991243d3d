/* Builds a Document from a sequence of openings, scalars and closings, whatever format they come from. */
#pragma once

#include "base/map.h"
#include "config/document.h"

typedef struct BuilderFrame {
        Node *node;
        size_t base;             /* where its children start on the stack */
        uint64_t weight;
        unsigned height;
} BuilderFrame;

typedef struct Builder {
        Document *document;
        const char *file;
        Diagnostics *diagnostics;
        Node **stack;            /* finished children of the open containers */
        size_t n, allocated;
        BuilderFrame frames[DOCUMENT_DEPTH_MAX];
        size_t depth;
        Map *anchors;
} Builder;

void builder_done(Builder *b);
#define _cleanup_builder_ _cleanup_(builder_done)

/* The place and the anchor of what comes; anchor may be NULL. */
typedef struct BuilderPlace {
        unsigned line, column;
        const char *anchor;
} BuilderPlace;

/* Each returns 0, -ENOMEM, or -EINVAL with a message in the diagnostics: the document cannot be read any further. */
int builder_scalar(Builder *b, const BuilderPlace *at, const char *text, size_t n, bool quoted);
int builder_open(Builder *b, const BuilderPlace *at, NodeKind kind);
int builder_close(Builder *b);
int builder_alias(Builder *b, const BuilderPlace *at);   /* at->anchor names it */
