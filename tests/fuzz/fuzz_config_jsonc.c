/* JSON with comments: the rewriting must keep lines and columns, and what json-c reads as an object must not be refused as a text. */
#include "config/config.h"
#include "config/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const char *text, size_t n, char c) {
        size_t found = 0;

        for (size_t i = 0; i < n; i++)
                found += text[i] == c;
        return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char *text = malloc(size + 1), *yaml = NULL;
        size_t n;
        int r;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        if (jsonc_to_yaml(text, size, &yaml, &n) < 0)
                return 0;
        if (n > size || yaml[n] != '\0' || count(yaml, n, '\n') != count(text, size, '\n'))
                abort();
        r = config_load_text("input.json", "/srv", text, size, &(ConfigOptions) {}, &specs, &d);
        if ((r == 0) != (d.errors == 0) || (r == 0) != (specs.n > 0))
                abort();
        free(yaml);
        free(text);
        return 0;
}
