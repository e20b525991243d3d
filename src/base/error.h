/* The error that a person or a program at the edge sees: a stable id, a message, and what to do.
 *
 * Inside, functions return negative errno for what is unexpected and a documented positive code for what the direct caller must handle;
 * only where a message can say more than errno does a function take a `KlError *reterr` as its last argument (NULL is allowed). */
#pragma once

#include "base/macro.h"

typedef struct KlError {
        const char *id;  /* static string, one of KL_E_*; NULL: no error */
        char *message;   /* "WHAT: WHY", owned; NULL if memory ran out */
        char *hint;      /* what to do about it, owned, or NULL */
} KlError;

/* Stable ids; also the last part of the Varlink error name `io.kingly.Manager.ID`. */
#define KL_E_FAILED "Failed"                /* the operation failed                  exit status 1 */
#define KL_E_INVALID "InvalidInput"         /* usage, file or parameter              2 */
#define KL_E_NOT_FOUND "NoSuchService"      /* nothing has that name                 3 */
#define KL_E_NO_DAEMON "NoDaemon"           /* nobody listens                        4 */
#define KL_E_PERMISSION "PermissionDenied"  /*                                       5 */
#define KL_E_TIMEOUT "TimedOut"             /*                                       6 */
#define KL_E_EXISTS "AlreadyExists"
#define KL_E_BUSY "Busy"
#define KL_E_NO_MEMORY "OutOfMemory"

void kl_error_done(KlError *e);

/* Fills `e` (replacing what it held) and returns `r`, so that `return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "…")` reads well. */
int kl_error_set(KlError *e, int r, const char *id, const char *format, ...) _printf_(4, 5);

/* Adds the hint to an error that is set already; nothing happens for a NULL `e`. */
void kl_error_hint(KlError *e, const char *format, ...) _printf_(2, 3);

/* The exit status of kingctl for an id (see interface: 1 failed, 2 invalid, 3 not found, 4 no daemon, 5 permission, 6 timeout). */
int kl_error_exit_status(const char *id);

/* Whether r, 0 or negative errno, says that memory or descriptors are short: no fault of whoever is concerned, and over some day. */
static inline bool error_is_want(int r) {
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

#define _cleanup_error_ _cleanup_(kl_error_done)
