/* A credential of a service: a name, and the file or the text that it gets under this name. Kept in one string, "NAME=/path", "NAME=-/path" (the file
 * may be missing) or "NAME=:text", so that a list of them is an array as environments are. */
#pragma once

#include "base/macro.h"

#define CREDENTIALS_MAX 64                     /* of one service */
#define CREDENTIALS_SIZE_MAX (1024 * 1024)     /* bytes of all of them together, as systemd has it (systemd.exec(5), LoadCredential=) */
#define CREDENTIAL_TEXT_MAX (64 * 1024)        /* bytes of one that is written in the file */

typedef struct Credential {
        const char *name;                      /* n_name bytes; all are borrowed from the entry */
        size_t n_name;
        const char *file;                      /* absolute path, or NULL: */
        const char *text;
        bool optional;                         /* the file may be missing */
} Credential;

static inline bool credential_split(const char *entry, Credential *ret) {
        const char *equals = strchr(entry, '=');

        *ret = (Credential) {};
        if (!equals || equals == entry)
                return false;
        ret->name = entry;
        ret->n_name = (size_t) (equals - entry);
        if (equals[1] == ':')
                ret->text = equals + 2;
        else {
                ret->optional = equals[1] == '-';
                ret->file = equals + 1 + ret->optional;
        }
        return ret->text || ret->file[0] == '/';
}
