/* What services wrote, made fit to be shown. */
#pragma once

#include <stdio.h>

#include "base/macro.h"

/* Takes the sequences that only choose colours and type (ECMA-48 SGR: ESC [ … m) out, in place; returns s. */
char *log_text_uncolour(char *s);
/* A message on f without any control character: colours are left out, other control characters and bytes that are no text are shown as \xNN.
 * Of several lines, each further one is indented by so many columns; one carriage return at the end of a line is dropped. */
void log_text_print(FILE *f, const char *message, unsigned indent);
