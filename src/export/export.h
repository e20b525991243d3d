/* Moving out: a service as systemd units, as a Quadlet, as a Compose service or as a Kubernetes manifest. Each format has one table of keys; a
 * key without a row is named in the notes, so that nothing is dropped in silence. Pure: no I/O. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "model/spec.h"

typedef enum ExportFormat { EXPORT_SYSTEMD, EXPORT_QUADLET, EXPORT_COMPOSE, EXPORT_KUBERNETES, _EXPORT_FORMAT_MAX } ExportFormat;
const char *export_format_name(ExportFormat f);       /* "systemd" … */
int export_format_from_name(const char *name);        /* ExportFormat, or -EINVAL */

typedef struct ExportOptions {
        const char *image;             /* container image, for all but systemd */
        bool user;                     /* units for a user's manager */
        unsigned n_cpus;               /* what `instances: max` means */
        const SpecList *all;           /* all that are known, to name what is depended on; may be NULL */
} ExportOptions;

/* A file of the other world: text for units, a document for YAML. */
typedef struct ExportFile {
        char *name;                    /* "web@.service" */
        char *text;                    /* or */
        json_object *document;
} ExportFile;

typedef struct Export {
        ExportFile *files;
        size_t n;
        char **notes;                  /* "web: ready.by: fd has no counterpart" */
} Export;
void export_done(Export *e);
#define _cleanup_export_ _cleanup_(export_done)

/* Adds the files of one service to *ret (which may hold those of others). 0, -ENOMEM, or -EINVAL with reterr (no image). */
int export_service(ExportFormat format, const ServiceSpec *s, const ExportOptions *o, Export *ret, KlError *reterr);
