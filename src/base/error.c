/* Owns the texts inside a KlError. A KlError is either empty (id NULL) or carries a static id; message and hint may be missing when memory
 * ran out, and every function here must work for that case, because "out of memory" is itself reported this way. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void kl_error_done(KlError *e) {
        if (!e)
                return;
        free(e->message);
        free(e->hint);
        *e = (KlError) {};
}

static char *format_owned(const char *format, va_list ap) {
        char *s = NULL;

        return vasprintf(&s, format, ap) < 0 ? NULL : s;
}

int kl_error_set(KlError *e, int r, const char *id, const char *format, ...) {
        char *message;
        va_list ap;

        if (!e)
                return r;
        /* Formatted before the old texts go: callers wrap an error by giving its own message as an argument. */
        va_start(ap, format);
        message = format_owned(format, ap);
        va_end(ap);

        kl_error_done(e);
        e->id = id;
        e->message = message;
        return r;
}

void kl_error_hint(KlError *e, const char *format, ...) {
        char *hint;
        va_list ap;

        if (!e || !e->id)
                return;
        va_start(ap, format);
        hint = format_owned(format, ap);
        va_end(ap);

        free(e->hint);
        e->hint = hint;
}

int kl_error_exit_status(const char *id) {
        static const struct {
                const char *id;
                int status;
        } table[] = {
                { KL_E_FAILED, 1 },    { KL_E_INVALID, 2 },    { KL_E_NOT_FOUND, 3 },
                { KL_E_NO_DAEMON, 4 }, { KL_E_PERMISSION, 5 }, { KL_E_TIMEOUT, 6 },
        };

        if (!id)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (streq(table[i].id, id))
                        return table[i].status;
        return 1;
}
