/* One value of a document → one field of a spec. */
#pragma once

#include "config/document.h"

typedef struct FieldReader {
        const char *file;      /* for messages */
        const char *directory; /* absolute: what relative paths are relative to; NULL: relative paths are errors */
        Diagnostics *diagnostics;
        ServiceSpec *spec;
        void *part;            /* what the keys at hand are in, where that is not the spec itself: a ProbeSpec; or NULL */
        const char *within;    /* for messages, with `part`: "probes.readiness." */
} FieldReader;

/* Reads the value of key `k`. `shell` and what `defaults:` gave must be in the spec already when KEY_COMMAND and KEY_ENV are read. Null
 * brings the default back. What is wrong is said in the diagnostics; returns 0, or -ENOMEM. */
int field_read(const FieldReader *f, const SpecKey *k, const Node *value);

/* ---- what the readers of single types share ---- */

void *field_of(const FieldReader *f, const SpecKey *k);
/* "KEY: expected …, not …" at the place of n; 0 or -ENOMEM. */
int field_wrong(const FieldReader *f, const SpecKey *k, const Node *n);
int field_wrong_because(const FieldReader *f, const SpecKey *k, const Node *n, const char *why);
/* Room for n strings and the NULL at the end: appending one by one would be quadratic for the lists that a file can hold. */
char **field_strings_new(size_t n);
void field_strings_replace(char ***field, char **l); /* owns l */
/* A list's items, or the one scalar (*self) as a list of one. */
size_t field_items(const Node *n, Node *const **ret, Node *const *self);
/* "yes" → "true", as YAML 1.1 has it; what is no such word comes back as it is. */
const char *field_boolean(const char *text);
/* A path against the directory of the file; *ret stays NULL when it was refused, which has been said then. 0 or -ENOMEM. */
int field_absolute(const FieldReader *f, const SpecKey *k, const Node *n, const char *path, char **ret);

int field_read_command(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_words(const FieldReader *f, const SpecKey *k, const Node *n);      /* the same without a shell */
int field_read_env(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_credentials(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_paths(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_strings(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_depends(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_devices(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_sockets(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_headers(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_probe(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_codes(const FieldReader *f, const SpecKey *k, const Node *n);
int field_read_capabilities(const FieldReader *f, const SpecKey *k, const Node *n);
