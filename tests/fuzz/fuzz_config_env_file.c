/* An environment file: what was read is a valid, sorted environment without doubles. */
#include "base/strv.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_strv_ char **env = NULL;
        char *text = malloc(size + 1), *last = NULL;
        int r;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        r = config_load_env_text("env", text, size, &env, &d);
        free(text);
        if ((r == 0) != (d.errors == 0) || (r < 0 && env))
                abort();
        STRV_FOREACH(e, env) {
                char *name = strndup(*e, strcspn(*e, "="));

                if (!name || !env_name_valid(name) || (last && strcmp(last, name) >= 0))
                        abort();
                free(last);
                last = name;
        }
        free(last);
        return 0;
}
