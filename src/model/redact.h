/* Secrets in what is shown to people: found by the names of variables and by the shape of a text, and replaced by a mark. Pure.
 *
 * What is a secret: the value of a variable whose name says so (…PASSWORD, …SECRET, …TOKEN, …KEY, …CREDENTIAL and the like; not …_FILE, …_PATH and
 * …_DIR(ECTORY), which name a place, nor public keys) or that the service's `secrets` names; the password in a URL (scheme://user:password@host, RFC 3986,
 * 3.2.1); what follows `Authorization:` (RFC 9110, 11.6.2); a private key in PEM (RFC 7468). Where the environment of the service is known, its
 * secret values are found wherever else they stand. */
#pragma once

#include "model/spec.h"

#define REDACTED "<hidden>"
#define REDACT_VALUES_MAX 32
#define REDACT_VALUE_MIN 8        /* bytes: a shorter value would be found in innocent text */

typedef struct Redactor {
        char *const *names;       /* globs of further names, borrowed */
        const char *values[REDACT_VALUES_MAX];   /* borrowed */
        size_t n_values;
} Redactor;

/* Borrows from the spec; NULL: what can be known without one. */
void redactor_init(Redactor *r, const ServiceSpec *s);

/* Whether the value of the variable (option, key of a map) name[n] is a secret. */
bool redact_name(const Redactor *r, const char *name, size_t n);
/* The text without its secrets; malloc'ed, NULL on OOM. */
char *redact_text(const Redactor *r, const char *text);
/* "NAME=value" without the value where it is secret; malloc'ed, NULL on OOM. */
char *redact_variable(const Redactor *r, const char *variable);
/* The words of a command: "--password", "x" and "--password=x" too. Environment arrays. malloc'ed, NULL on OOM. */
char **redact_words(const Redactor *r, char *const *words);
char **redact_environment(const Redactor *r, char *const *env);
/* What of env or command has the mark in it: it was copied from an output, and the secret is lost. NULL: nothing; borrowed. */
const char *redact_marked(const ServiceSpec *s);
/* spec_key_format() without secrets. malloc'ed, NULL on OOM. */
char *redact_key(const Redactor *r, const SpecKey *k, const ServiceSpec *s);
