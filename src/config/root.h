/* A file of ours as a whole → its services, in two steps: when all files were opened it is known what each of them says of its services, so that
 * one can have values of another. */
#pragma once

#include "config/loader.h"
#include "config/profiles.h"

typedef struct Root {
        Loader *loader;
        FieldReader field;
        char *directory;
        const char *ns;
        const Node *node;
        size_t document;             /* index in loader->documents */
        Profiles profiles;
        bool top_is_good;            /* no unknown keys at its top */
        ServiceSpec *defaults;       /* what `defaults:` says, NULL without */
        const Node **default_places; /* where it says it */
        const Node **places;         /* the same for the service at hand */
        size_t n_keys;
} Root;

/* Of the document that the loader kept last; the root is the loader's. file and directory as in a FieldReader. What is wrong is said in the loader's
 * diagnostics; 0, -ENOMEM, or what the hook of the options gave. */
int root_open(Loader *l, const char *file, const char *directory);
/* Hands every service to the loader. 0 or -ENOMEM. */
int root_read(Root *f);
Root *root_free(Root *f);
DEFINE_CLEANUP(Root *, root_free);

/* `services`, NULL when it is no map. */
const Node *root_services(const Root *f);
/* What a service is made of, the strongest first: its profiles, the service, the profiles at the top, the defaults. Maps only. */
#define ROOT_LAYERS_MAX (2 + 2 * PROFILES_MAX)
size_t root_layers(const Root *f, const Node *service, const Node *layers[ROOT_LAYERS_MAX]);
