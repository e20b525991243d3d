/* Any bytes as mappings: every question has an answer within bounds. */
#include "model/sourcemap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SourcePosition p = {};

        for (uint32_t line = 0; line < 4; line++)
                for (uint32_t column = 0; column < 100; column += 1 + column * 3)
                        if (sourcemap_find((const char *) data, size, line, column, &p) > 0 &&
                            (p.source > INT32_MAX || p.line > INT32_MAX || p.column > INT32_MAX))
                                __builtin_trap();
        (void) sourcemap_find((const char *) data, size, UINT32_MAX, UINT32_MAX, &p);
        return 0;
}
