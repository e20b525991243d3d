/* Where a daemon keeps its things (interface: Places). */
#pragma once

#include "base/error.h"

typedef struct Places {
        bool user;            /* the user's own daemon */
        char *home;           /* KINGLY_HOME, or NULL */
        char *config_file, *config_dir;
        char *state, *logs, *runtime;
        char *socket, *pid_file, *notify, *store;
        char *id;             /* short text that tells this daemon from others on the machine */
} Places;

/* From the environment and uid; system: -1 by uid, 0 user, 1 system. 0, -ENOMEM, or -EINVAL with reterr (no XDG_RUNTIME_DIR …). */
int places_init(Places *p, int system, KlError *reterr);
int places_make(const Places *p, KlError *reterr);     /* makes the directories */
void places_done(Places *p);
/* One of our own programs: beside the one that runs, else where they were installed. Path, malloc'ed. 0 or -errno. */
int places_program(const char *name, char **ret);
/* Likewise any file of ours; mode: what access(2) is asked. */
int places_file(const char *name, int mode, char **ret);
