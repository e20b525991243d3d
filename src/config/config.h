/* Text → specs. YAML, JSON and JSONC become one document tree with line and column; the key table of model/spec.h says what may stand
 * where. Every error of a file is reported at once. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "model/spec.h"

#define CONFIG_FILE_MAX        (16 * 1024 * 1024) /* bytes a file */
#define CONFIG_SERVICES_MAX    10000
#define CONFIG_NODES_MAX       2000000 /* nodes of a document, aliases expanded: what a YAML bomb runs into */
#define CONFIG_DIAGNOSTICS_MAX 100

typedef struct Diagnostic {
        char *file;            /* as given; "" for API input */
        unsigned line, column; /* from 1; 0: unknown */
        bool warning;
        char *message; /* without the place */
} Diagnostic;
typedef struct Diagnostics {
        Diagnostic *items;
        size_t n, errors; /* errors: how many are not warnings */
        size_t dropped;   /* beyond CONFIG_DIAGNOSTICS_MAX */
} Diagnostics;
void diagnostics_done(Diagnostics *d);
#define _cleanup_diagnostics_ _cleanup_(diagnostics_done)
int diagnostics_add(Diagnostics *d, const char *file, unsigned line, unsigned column, bool warning, const char *format, ...) _printf_(6, 7);
/* "file:line:column: error: message" (the place as far as known), malloc'ed. */
char *diagnostic_format(const Diagnostic *d);

typedef struct ConfigOptions {
        /* Values for ${VAR}: NULL-terminated NAME=value array (environ of whoever applies the file); NULL: none is set. */
        char *const *environment;
        const char *fallback_namespace; /* "default" if NULL */
        /* Profiles in force, NULL-terminated, later ones over earlier ones; an empty list: none. NULL: those under which a service of the file was
         * applied before, which `remembered` tells: of these services ("namespace/name", NULL-terminated) the first that is known decides. *ret is
         * malloc'ed (strv) or NULL; a negative errno ends the load. Asked once for each file that has profiles. NULL: none is remembered. */
        char *const *profiles;
        int (*remembered)(void *userdata, char *const *services, char ***ret);
        /* Where the profiles of services from foreign files are put, as they would stand in a file of ours, by "namespace/name"; borrowed. NULL: nowhere. */
        json_object *overlays;
        /* Runs a file that is a program (.config.js) and gives what it says, as JSON, malloc'ed; 0, or -errno, which is then said. NULL: such
         * files are refused. */
        int (*evaluate)(void *userdata, const char *path, char **ret, size_t *ret_n);
        void *userdata;
} ConfigOptions;

/* Load appends to *specs, or leaves it as it was when there are errors. 0 when the file is free of errors (warnings are possible), -EINVAL
 * when *d got errors, -errno when the file could not be read (also said in *d). "-" reads standard input. Duplicates and dependency cycles
 * are found within *specs as a whole. */
int config_load_file(const char *path, const ConfigOptions *o, SpecList *specs, Diagnostics *d);
/* Several files (NULL-terminated) that may depend on each other's services: dependencies are looked up when all of them were read. With
 * errors in any, *specs is as it was. */
int config_load_files(char *const *paths, const ConfigOptions *o, SpecList *specs, Diagnostics *d);
/* The same for text in memory (text[n] is NUL); `name` is shown in messages; directory is what relative paths are relative to. */
int config_load_text(const char *name, const char *directory, const char *text, size_t n, const ConfigOptions *o, SpecList *specs,
                     Diagnostics *d);
/* One service from the API: {"name":…, "namespace":…, keys as in the file}; no ${} expansion, paths must be absolute. Its dependencies are
 * not looked up: what it names may come later in the request or be there already (depend_find_cycle() is the caller's when all have come).
 */
int config_load_json(json_object *service, SpecList *specs, Diagnostics *d);

/* Canonical form: the keys that differ from their defaults, in table order, nested as in the file. New reference; NULL on OOM. */
json_object *config_spec_to_json(const ServiceSpec *s);
/* The same as an entry of `services:`: without name, namespace and what does not stand in files, and with its dollars doubled where reading the
 * file would take them for variables. */
json_object *config_spec_to_file(const ServiceSpec *s);
/* Every key with its value in force, for `describe`. */
json_object *config_spec_to_json_full(const ServiceSpec *s);

/* What json-c holds as YAML text that reads back the same, malloc'ed; NULL on OOM. */
char *config_yaml(json_object *o);

/* Environment files: NAME=value lines, # comments, single and double quotes, `export ` accepted. Adds to *env, which comes out sorted by
 * name; the last value of a name wins. Errors as above; *env is unchanged then. */
int config_load_env_file(const char *path, char ***env, Diagnostics *d);
int config_load_env_text(const char *name, const char *text, size_t n, char ***env, Diagnostics *d); /* text[n] is NUL */

/* Generated from the table: JSON Schema (draft 2020-12) of kingly.yaml; the KEYS section of kingly.yaml(5) in mdoc. malloc'ed text. */
int config_schema(char **ret);
int config_manual(char **ret);
