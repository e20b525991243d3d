/* Descriptors that outlive the manager, by name. */
#pragma once

#include "keeper/wire.h"

#define HOLD_MAX 256

typedef struct Held {
        char name[64];                  /* "": the slot is free */
        int fd;
} Held;

typedef struct Hold { Held slots[HOLD_MAX]; } Hold;

/* Takes the descriptor in every case; one of the same name is closed. -ENOSPC: HOLD_MAX are held already. */
int hold_put(Hold *h, const char *name, int fd);
int hold_get(const Hold *h, const char *name);          /* borrowed, or -ENOENT */
void hold_drop(Hold *h, const char *name);
void hold_done(Hold *h);

/* Puts the descriptors that systemd passed (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES) here, the second of one name as "NAME#2",
 * and removes those variables. A name that is missing is "fd3", "fd4", …. */
void hold_adopt(Hold *h);
