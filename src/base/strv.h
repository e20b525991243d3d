/* NULL-terminated string arrays, as argv and environ are. NULL is the empty array. */
#pragma once

#include "base/macro.h"

char **strv_free(char **l);
DEFINE_CLEANUP(char **, strv_free);
#define _cleanup_strv_ _cleanup_(strv_freep)

size_t strv_length(char *const *l);
bool strv_contains(char *const *l, const char *s);
bool strv_equal(char *const *a, char *const *b);
char **strv_copy(char *const *l);                         /* NULL on OOM */
int strv_append(char ***l, const char *s);                /* copies s; 0 or -ENOMEM */
int strv_consume(char ***l, char *s);                     /* owns s in every case; s NULL counts as OOM */
char *strv_join(char *const *l, const char *separator);   /* NULL on OOM */

/* Splits a command line into words without a shell: blanks separate, single quotes take literally, double quotes and backslash as in POSIX
 * sh (2.2 Quoting), nothing is expanded. -EINVAL for an open quote or a trailing backslash. */
int strv_split_command(const char *line, char ***ret);

/* Environment arrays of "NAME=value". strv_env_set replaces or appends a NAME (value NULL removes); the getter returns the value or NULL.
 */
int strv_env_set(char ***env, const char *name, const char *value);
const char *strv_env_get(char *const *env, const char *name);
bool env_name_valid(const char *name);                    /* [A-Za-z_][A-Za-z0-9_]* */

#define STRV_FOREACH(s, l) for (char *const *s = (l); s && *s; s++)
