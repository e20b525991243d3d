/* The first line is a secret of the service, the others are a text, a variable and words. What is shown never holds the value of the variable. */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "model/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *words[16] = { NULL }, *text, *rest, *shown;
        Redactor r = {};
        size_t n = 0;

        if (size > 4096)
                return 0;
        text = malloc(size + 1);
        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        rest = text;
        r.values[0] = strsep(&rest, "\n");
        r.n_values = strlen(r.values[0]) >= REDACT_VALUE_MIN;
        if (rest && (shown = redact_text(&r, rest))) {
                /* The mark beside what was left may spell it again. */
                if (r.n_values > 0 && !strpbrk(r.values[0], "<>hiden") && strstr(shown, r.values[0]))
                        abort();
                free(shown);
        }
        while (rest && n + 1 < ARRAY_SIZE(words))
                words[n++] = strsep(&rest, "\n");
        strv_free(redact_words(&r, words));
        strv_free(redact_environment(&r, words));
        free(text);
        return 0;
}
