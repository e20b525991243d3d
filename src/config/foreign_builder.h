/* What the readers of foreign formats share: saying things at a place, and making services. */
#pragma once

#include "config/document.h"
#include "config/foreign.h"
#include "config/json_build.h"

typedef struct Foreign {
        const char *file, *directory, *ns;    /* ns: where services go that name no namespace */
        char *const *environment;             /* of the caller; may be NULL */
        const ConfigOptions *options;
        char ***profiles;                     /* where names of profiles are added */
        Diagnostics *diagnostics;
        SpecList *specs;
        bool repeated;                        /* what is read now was read before under another name: notes were said */
} Foreign;

typedef struct Place { unsigned line, column; } Place;
static inline Place place_of(const Node *n) { return (Place) { n->line, n->column }; }

/* A warning (what is not carried over, and what to do) or an error; 0 or -ENOMEM. */
int foreign_note(const Foreign *f, Place at, const char *format, ...) _printf_(3, 4);
int foreign_fault(const Foreign *f, Place at, const char *format, ...) _printf_(3, 4);

/* Sets a key of kingly.yaml ("restart.delay"). Owns the value; NULL counts as out of memory. 0 or -ENOMEM. */
int foreign_set(json_object *service, const char *path, json_object *value);
int foreign_set_text(json_object *service, const char *path, const char *text);
int foreign_set_strv(json_object *service, const char *path, char *const *l);
/* Appends to a list, which is made where there is none. */
int foreign_push(json_object *service, const char *path, json_object *value);
/* A variable of its environment. */
int foreign_set_env(json_object *service, const char *name, const char *value);
/* A variable of its environment in a profile. */
int foreign_set_profile_env(json_object *service, const char *profile, const char *name, const char *value);
/* A path against the directory of the file; malloc'ed, NULL on OOM. */
char *foreign_path(const Foreign *f, const char *path);

/* The service is complete: its keys are checked like anybody's, complaints are put at `at`. A name that Kingly does not take is changed to one
 * that it takes, which is said. Owns the service. 0 or -ENOMEM. */
int foreign_add(const Foreign *f, Place at, const char *ns, const char *name, json_object *service);

int procfile_load(const Foreign *f, const char *text, size_t n);
int supervisord_load(const Foreign *f, const char *text, size_t n);
int pm2_load(const Foreign *f, const Node *root);
int process_compose_load(const Foreign *f, const Node *root);
