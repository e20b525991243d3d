/* A call of Logs inside: logs.c works it off, log_select.c says what is read, log_watch.c wakes it up. */
#pragma once

#include "manager/life/service.h"
#include "manager/logs/log_source.h"

struct LogStream {
        LogStream *next;
        Manager *manager;
        VarlinkCall *call;
        char *ns;
        Selector *selectors;
        size_t n_selectors;
        LogStart start;
        usec_t end;                      /* CLOCK_REALTIME: what was written later is not waited for; 0: it is */
        LogSource **sources;
        size_t n;
        json_object *origins;            /* those that the client was not told of yet; NULL: none */
        json_object *notices;            /* likewise: whose output is elsewhere or cannot be read; NULL: none */
        int stream;                      /* 0 out, 1 err, -1 both */
        bool follow;
        char **contains;                 /* lines that surely hold none of these are left out; NULL: none are */
        bool fold;                       /* they may do so in other letters, of ASCII */
        json_object *gathered;           /* without "more" */
        sd_event_source *turn, **watches;
        size_t n_watches;
};

/* ---- log_select.c ---- */

/* Reads the parameters and opens a source for every instance that they select. 0, -EINVAL or -ENOENT with reterr, -errno. */
int log_stream_select(LogStream *s, json_object *parameters, KlError *reterr);
/* Adds a source for an instance that came later, from its beginning, if it is selected and has none. */
void log_stream_join(LogStream *s, const Instance *i);
/* Has the client told with the next reply, once. */
void log_stream_tell(LogStream *s, const char *text);

/* ---- log_watch.c ---- */

/* Has the stream's turn come again whenever there may be more in the source. */
int log_stream_watch(LogStream *s, const LogSource *source);
void log_stream_unwatch(LogStream *s);
