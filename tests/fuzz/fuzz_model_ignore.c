/* Patterns and a path, a line each: the first line is the path, the others are patterns. */
#include <stdlib.h>
#include <string.h>

#include "model/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *patterns[64] = { NULL }, *text, *rest, *path;
        size_t n = 0;

        if (size > 4096)
                return 0;
        text = malloc(size + 1);
        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        rest = text;
        path = strsep(&rest, "\n");
        while (rest && n + 1 < ARRAY_SIZE(patterns))
                patterns[n++] = strsep(&rest, "\n");
        (void) ignore_match(patterns, path, size & 1);
        free(text);
        return 0;
}
