/* The services of one or several files on their way into a SpecList, with the places where they stand. */
#pragma once

#include "base/map.h"
#include "config/document.h"

typedef struct Origin {
        char *id;                   /* "namespace/name" */
        const char *file;           /* borrowed from the caller of the load; NULL: was in the list before */
        const Node *name, *depends; /* depends: the value of depends_on, or NULL */
        const ServiceSpec *spec;
} Origin;

typedef struct Loader {
        const ConfigOptions *options;
        Diagnostics *diagnostics;
        char *const *paths;  /* of the files, in the order in which messages come; NULL: one text */
        size_t first_diagnostic, first_error; /* what was there before this load */
        SpecList loaded;
        Origin **origins; /* of what was there, then of what was loaded */
        size_t n_origins, n_present;
        Map *ids;            /* Origin by id */
        Document *documents; /* kept, because origins point into them */
        size_t n_documents;
        struct Root **roots; /* of our own files */
        size_t n_roots;
        char **profiles;     /* names of all profiles in what was read */
} Loader;

/* `present` are the services that are there already. 0 or -ENOMEM. */
int loader_init(Loader *l, const ConfigOptions *options, const SpecList *present, Diagnostics *d);
void loader_done(Loader *l);
#define _cleanup_loader_ _cleanup_(loader_done)

/* Takes `doc`, which becomes empty; the loader's copy is returned, NULL on OOM. Earlier results of this function stay readable only through
 * the nodes. */
Document *loader_keep(Loader *l, Document *doc);
/* Takes the spec on success, also when its name was a duplicate (which is said). 0 or -ENOMEM. */
int loader_add(Loader *l, ServiceSpec *s, const char *file, const Node *name, const Node *depends);
/* Dependencies on services that are not there, and cycles; to be called when all files were read. */
int loader_check(Loader *l);
/* Sorts the messages of this load. 0 and everything appended to *specs, -EINVAL when there were errors (*specs is as before), -ENOMEM. */
int loader_finish(Loader *l, SpecList *specs);
