/* What belongs together: a line and the lines that continue it, such as the frames of a stack trace. */
#pragma once

#include "base/macro.h"

typedef struct Event {
        size_t size;             /* bytes, without the last newline */
        size_t eaten;            /* with it */
        bool cut;                /* a line is longer than `max`: it goes on in the next */
} Event;

typedef enum EventEnd {
        EVENT_MORE,              /* more may come: the last line is kept until it is known whether the next one continues it */
        EVENT_LINES,             /* what is complete is all there is for now; an unfinished line is kept */
        EVENT_ALL,               /* nothing more will come */
} EventEnd;

/* The first event of n bytes at p, at most `max` bytes long. False: not known yet; then *ret_pending tells whether there is a complete line
 * among what is kept.
 *
 * A line continues the one before it when it begins with a blank, "at ", "... ", "Caused by:", "Suppressed:" or "Traceback (", and the line
 * after the frames of a Python traceback, which names the error, does too. An empty line continues nothing. */
bool event_next(const char *p, size_t n, size_t max, EventEnd end, Event *ret, bool *ret_pending);
