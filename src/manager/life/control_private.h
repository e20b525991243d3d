/* A control process, for the files of this name. */
#pragma once

#include "manager/life/control.h"

struct Control {
        Instance *instance;
        char *what, **command, **env;
        ControlDone done;
        void *userdata;
        usec_t timeout;
        uint64_t run;
        pid_t pid;                         /* 0: not known yet */
        uint8_t invocation[16];
        Cell *cell;
        sd_event_source *timer, *output, *late;   /* late: it failed before control_start() had returned */
        int read;                          /* of a quiet one: our end of its pipe, or -EBADF */
        int write;                         /* the other, until it is spawned */
        size_t used;                       /* of tail */
        char tail[CONTROL_OUTPUT_MAX];
        bool quiet : 1;
        bool gated : 1;
        bool pending : 1;                  /* the keeper's socket was full */
        bool permanent : 1;                /* of late */
        char *why;                         /* of late */
        int error;
};

/* Takes the cell, whose processes were killed: it is cleaned when it is empty. */
void control_leave_remains(Manager *m, Cell *cell);
/* Takes c's cell until the keeper has said which process it is, and kills all of it then. False: out of memory, nothing was taken. */
bool control_leave_unmet(Control *c);
void control_remains_spawned(Manager *m, const WireSpawned *p);   /* nobody's Control: what was given up before, or a stranger's */
void control_remains_failed(Manager *m, uint64_t run);            /* likewise: it never executed */
void control_free_remains(Manager *m);

/* A pipe for what a quiet one says; its last CONTROL_OUTPUT_MAX bytes are kept. 0 or -errno. */
int control_open_output(Control *c, sd_event *event);
/* What there is of it now. True: there will be no more. */
bool control_read_output(Control *c);
