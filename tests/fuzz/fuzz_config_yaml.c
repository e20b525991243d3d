/* A file of services. What loads must come back equal from its canonical form. */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const ServiceSpec *s) {
        json_object *first = config_spec_to_json(s), *full = config_spec_to_json_full(s), *second;
        _cleanup_spec_list_ SpecList again = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        if (!first || !full || config_load_json(first, &again, &d) < 0 || again.n != 1)
                abort();
        for (const SpecKey *k = spec_keys; k->path; k++)
                if (!spec_key_equal(k, s, again.items[0]))
                        abort();
        second = config_spec_to_json(again.items[0]);
        if (!second || strcmp(json_object_to_json_string(first), json_object_to_json_string(second)) != 0)
                abort();
        json_object_put(first);
        json_object_put(full);
        json_object_put(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char *environment[] = { (char *) "NAME=value", (char *) "EMPTY=", NULL };
        ConfigOptions o = { .environment = environment };
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char *text = malloc(size + 1);
        int r;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        r = config_load_text("input.yaml", "/srv", text, size, &o, &specs, &d);
        free(text);
        /* Either services or errors, never both and never neither. */
        if ((r == 0) != (d.errors == 0) || (r == 0) != (specs.n > 0))
                abort();
        for (size_t i = 0; i < specs.n; i++)
                check_round_trip(specs.items[i]);
        for (size_t i = 0; i < d.n; i++) {
                char *line = diagnostic_format(d.items + i);
                if (!line || (d.items[i].line == 0 && !d.items[i].warning)) /* "read as …" is about the file */
                        abort();
                free(line);
        }
        return 0;
}
