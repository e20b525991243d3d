/* The text format of a line: what stands in front of the message, and reading it back. */
#pragma once

#include "base/macro.h"
#include "base/span.h"
#include "logger/reader.h"

#define LINE_MESSAGE_MAX 65536        /* bytes of one message; longer ones are cut into pieces */
#define LINE_STAMP_SIZE 27            /* 2026-01-02T03:04:05.000006Z */
#define LINE_PREFIX_SIZE (LINE_STAMP_SIZE + 5)      /* " out " */
#define LINE_PREFIX_CUT_SIZE (LINE_PREFIX_SIZE + 1) /* " out+ " */

/* Writes LINE_PREFIX_CUT_SIZE (cut) or LINE_PREFIX_SIZE bytes, no NUL. Cheap when called often within one second. */
void line_prefix(char *to, usec_t realtime, int stream, bool cut);

/* Takes a line (without its newline) apart; what has no valid prefix comes back whole, with time 0 and stream 0. */
void line_parse(const char *p, size_t n, LogRecord *ret);
