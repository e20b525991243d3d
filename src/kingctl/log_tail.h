/* The last lines that a filter leaves: nobody knows beforehand how far back they reach. */
#pragma once

#include "kingctl/log_filter.h"

typedef struct LogTail LogTail;
int log_tail_new(const LogFilter *filter, uint64_t lines, LogTail **ret);
LogTail *log_tail_free(LogTail *t);
DEFINE_CLEANUP(LogTail *, log_tail_free);

/* Keeps the entry if it is among the last of its origin. 0 or -ENOMEM. */
int log_tail_add(LogTail *t, json_object *entry);
/* How many origins have not as many as wanted although `asked` lines of each came, so that there may be more before them. */
size_t log_tail_short(const LogTail *t, uint64_t asked);
/* How many origins have as many as wanted. */
size_t log_tail_full(const LogTail *t);
/* Forgets all, for a further look back. */
void log_tail_clear(LogTail *t);
/* What was kept, in the order it came. 0 or -ENOMEM. */
int log_tail_each(LogTail *t, void (*print)(void *userdata, json_object *entry), void *userdata);
