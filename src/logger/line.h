/* The text format of a line: what stands in front of the message, and reading it back. */
#pragma once

#include "base/macro.h"
#include "base/span.h"
#include "logger/reader.h"

#define LINE_MESSAGE_MAX 65536        /* bytes of one message; longer ones are cut into pieces */
#define LINE_STAMP_SIZE 27            /* 2026-01-02T03:04:05.000006Z */
#define LINE_PREFIX_SIZE (LINE_STAMP_SIZE + 5)      /* " out ": the shortest */
#define LINE_PREFIX_CUT_SIZE (LINE_PREFIX_SIZE + 1) /* " out+ " */
#define LINE_PREFIX_MAX 64                          /* " out@INSTANCE+ [post_start] " */

/* Writes LINE_STAMP_SIZE bytes, no NUL. Cheap when called often within one second. */
void line_stamp(char *to, usec_t realtime);
/* Writes the whole prefix, no NUL, and returns its size: at most LINE_PREFIX_MAX. instance: -1 where the file is that of one instance; tag: stands in
 * brackets before the message, of which it is a part to whoever reads it; NULL for none. */
size_t line_prefix(char *to, usec_t realtime, int stream, int32_t instance, bool cut, const char *tag);

/* The time that a stamp of LINE_STAMP_SIZE bytes, followed by one more byte, says; 0: it is none. */
usec_t line_time(const char *p);
/* Takes a line (without its newline) apart; what has no valid prefix comes back whole, with time 0 and stream 0. */
void line_parse(const char *p, size_t n, LogRecord *ret);
