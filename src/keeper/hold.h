/* Descriptors that outlive the manager, by name. */
#pragma once

#include "keeper/wire.h"

#define HOLD_MAX 4096

/* A descriptor with a name: one that is held, or one that an earlier keeper left. */
typedef struct Held {
        char name[64];                  /* "": the slot is free */
        int fd;                         /* -EBADF: dropped, and the vault is still to be told */
        bool stored;                    /* the vault of the keeper that has it now has it too */
} Held;

typedef struct Hold {
        bool changed;                   /* since the vault was told */
        size_t n;                       /* slots in use lie below; the others were never touched */
        Held slots[HOLD_MAX];
} Hold;

/* Takes the descriptor in every case; one of the same name is closed. -ENOSPC: HOLD_MAX are held already. */
int hold_put(Hold *h, const char *name, int fd);
int hold_get(const Hold *h, const char *name);          /* borrowed, or -ENOENT */
/* As hold_put(), but the second of one name becomes "NAME#2"; stored: the vault has it. */
int hold_inherit(Hold *h, const char *name, int fd, bool stored);
void hold_drop(Hold *h, const char *name);
void hold_forget(Held *held);           /* frees the slot of one that was dropped, now that the vault knows */
void hold_done(Hold *h);
