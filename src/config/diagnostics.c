/* Owns the list of what is wrong with a file. It is bounded: a file of ten thousand faults shows the first hundred and counts the rest. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "config/config.h"

static void diagnostic_done(Diagnostic *d) {
        free(d->file);
        free(d->message);
}

void diagnostics_done(Diagnostics *d) {
        for (size_t i = 0; i < d->n; i++)
                diagnostic_done(d->items + i);
        free(d->items);
        *d = (Diagnostics) {};
}

#define MESSAGE_MAX 600 /* bytes: a message may quote what somebody wrote, and that may be megabytes */

static int make_message(char **ret, const char *format, va_list ap) _printf_(2, 0);
static int make_message(char **ret, const char *format, va_list ap) {
        _cleanup_free_ char *raw = text_vprintf(format, ap), *clean = NULL;
        size_t n;

        if (!raw)
                return -ENOMEM;
        n = strlen(raw);
        if (n > MESSAGE_MAX) {
                /* Not in the middle of a character. */
                for (n = MESSAGE_MAX; n > 0 && ((unsigned char) raw[n] & 0xc0) == 0x80;)
                        n--;
        }
        clean = text_escape(raw, n);
        if (!clean)
                return -ENOMEM;
        *ret = raw[n] ? text_printf("%s…", clean) : TAKE_PTR(clean);
        return *ret ? 0 : -ENOMEM;
}

int diagnostics_add(Diagnostics *d, const char *file, unsigned line, unsigned column, bool warning, const char *format, ...) {
        Diagnostic item = { .line = line, .column = column, .warning = warning };
        Diagnostic *items;
        va_list ap;
        int r;

        if (!warning)
                d->errors++;
        if (d->n >= CONFIG_DIAGNOSTICS_MAX) {
                d->dropped++;
                return 0;
        }
        va_start(ap, format);
        r = make_message(&item.message, format, ap);
        va_end(ap);
        if (r < 0)
                return r;
        item.file = strdup(file);
        items = item.file ? reallocarray(d->items, d->n + 1, sizeof(Diagnostic)) : NULL;
        if (!items) {
                diagnostic_done(&item);
                return -ENOMEM;
        }
        d->items = items;
        d->items[d->n++] = item;
        return 0;
}

char *diagnostic_format(const Diagnostic *d) {
        const char *kind = d->warning ? "warning" : "error", *separator = d->file[0] ? ":" : "";

        if (d->line == 0)
                return text_printf("%s%s%s%s: %s", d->file, separator, d->file[0] ? " " : "", kind, d->message);
        return text_printf("%s%s%u:%u: %s: %s", d->file, separator, d->line, d->column, kind, d->message);
}
