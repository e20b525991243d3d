/* What the tests of this room share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/strv.h"
#include "base/text.h"
#include "config/config.h"

static char *const test_environment[] = { (char *) "HOME=/home/me", (char *) "EMPTY=", (char *) "PORT=8080", NULL };
static const ConfigOptions test_options = { .environment = test_environment };

/* All messages, a line each; malloc'ed. */
_unused_ static char *messages(const Diagnostics *d) {
        Buffer b = {};

        assert_int_equal(buffer_printf(&b, "%s", ""), 0);
        for (size_t i = 0; i < d->n; i++) {
                char *line = diagnostic_format(d->items + i);

                assert_non_null(line);
                assert_int_equal(buffer_printf(&b, "%s\n", line), 0);
                free(line);
        }
        return b.data;
}

/* Loads a text that has no faults. */
_unused_ static void load_good(const char *text, SpecList *specs) {
        Diagnostics d = {};
        int r = config_load_text("f", "/srv/shop", text, strlen(text), &test_options, specs, &d);
        char *said = messages(&d);

        assert_string_equal(said, "");
        assert_int_equal(r, 0);
        free(said);
        diagnostics_done(&d);
}
