/* The live view on a terminal, by ncurses: what is drawn where. The loop and the calls are monit.c's. Source: curses(3). */
#pragma once

#include "kingctl/monit_rows.h"

typedef enum MonitMode { MODE_BOTH, MODE_LOG, MODE_HELP } MonitMode;

typedef struct MonitScreen {
        MonitRows *rows;
        json_object *log;              /* entries of the selected one, or NULL */
        const char *log_label;         /* whose */
        const char *isolation;
        const char *message;           /* in the last line instead of the keys; NULL: none */
        const char *input;             /* a filter being typed, or NULL */
        MonitMode mode;
        bool colour, unicode;
        size_t top;                    /* first row shown; kept by the view so that the selected one is seen */
} MonitScreen;

/* Takes the terminal. colour: as far as it has any. false: it is of a kind that terminfo(5) does not know. */
bool monit_open(MonitScreen *s, bool colour);
/* Gives it back as it was. */
void monit_close(void);
/* Draws what changed. */
void monit_draw(MonitScreen *s);
/* How many lines of log there is room for. */
unsigned monit_log_lines(const MonitScreen *s);
