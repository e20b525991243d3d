/* Files of other supervisors: the first byte chooses the format. Nothing outside is read (the directory is one that is not there). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "config/foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct {
                ForeignFormat format;
                const char *name;
        } formats[] = {
                { FOREIGN_PROCFILE, "Procfile" }, { FOREIGN_SUPERVISORD, "supervisord.conf" }, { FOREIGN_PM2, "ecosystem.json" },
                { FOREIGN_PM2, "ecosystem.yaml" }, { FOREIGN_PROCESS_COMPOSE, "process-compose.yaml" },
        };
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_spec_list_ SpecList specs = {};
        size_t chosen;
        char **profiles = NULL, *text;

        if (size == 0 || size > 64 * 1024)
                return 0;
        chosen = data[0] % ARRAY_SIZE(formats);
        text = malloc(size);
        if (!text)
                return 0;
        memcpy(text, data + 1, size - 1);
        text[size - 1] = '\0';
        (void) foreign_recognise("x.yaml", text);
        (void) foreign_load(formats[chosen].format, formats[chosen].name, "/nonexistent", text, size - 1, NULL, &specs, &profiles, &d);
        strv_free(profiles);
        free(text);
        return 0;
}
