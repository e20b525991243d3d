/* Reading back what json_line.h describes. */
#pragma once

#include "logger/reader.h"

/* The time of a line, from its beginning alone; 0: it is none of ours. */
usec_t json_line_time(const char *p, size_t n);
/* Takes a line (without its newline) apart. The message is decoded where it stands, over the line. False: it is none of ours, nothing was
 * changed. */
bool json_line_parse(char *p, size_t n, LogRecord *ret);
