/* The mappings of a source map, ECMA-426 (Source Map, revision 3): Base64 VLQ numbers, each relative to the one of its kind before it; commas
 * between segments, semicolons between lines of the generated file. */
#pragma once

#include "base/macro.h"

typedef struct SourcePosition {
        uint32_t source;         /* index into `sources` */
        uint32_t line, column;   /* from 0 */
} SourcePosition;

/* Where what stands at a line and column (from 0) of the generated file comes from: that of the last segment at or before it in its line.
 * 1; 0 nowhere; -EBADMSG the mappings are none. One pass over the text up to that line. */
int sourcemap_find(const char *mappings, size_t n, uint32_t line, uint32_t column, SourcePosition *ret);
