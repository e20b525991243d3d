/* Which lines somebody wants to see. The daemon knows nothing of it: a pattern may cost whatever it costs, here it is its owner's time. */
#pragma once

#include <regex.h>

#include "kingctl/ctl.h"

typedef struct LogFilter {
        int stream;              /* 0 out, 1 err, -1 both */
        int priority;            /* the least urgent one that is wanted, -1: all */
        bool by_text, invert;
        regex_t pattern;
} LogFilter;

/* From --stream, --priority, --grep, --ignore-case, --invert. 0, or -EINVAL with reterr. */
int log_filter_init(LogFilter *f, const Options *o, KlError *reterr);
void log_filter_done(LogFilter *f);
/* Whether it lets everything pass. */
bool log_filter_open(const LogFilter *f);
/* Texts of which every line it wants to see holds one, as it is shown, whatever the case of ASCII letters with --ignore-case. The caller's; NULL:
 * none are known. */
char **log_filter_literals(const Options *o);
bool log_filter_wants(const LogFilter *f, json_object *entry);
