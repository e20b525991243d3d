/* Positions in stack traces of Node, which name the generated file, as those of its sources: by the source map beside the file or in it. */
#pragma once

#include "base/macro.h"

typedef struct LogMap LogMap;
int log_map_new(LogMap **ret);
LogMap *log_map_free(LogMap *m);
DEFINE_CLEANUP(LogMap *, log_map_free);

/* The message with every /PATH.js:LINE:COLUMN (.mjs, .cjs, also as file:// URL) that has a map replaced; malloc'ed. NULL: nothing changed. */
char *log_map_message(LogMap *m, const char *message);
