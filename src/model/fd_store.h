/* The fd store of an instance: which orders a message of sd_notify holds, and how long descriptors are kept. Pure.
 * Sources: sd_pid_notify_with_fds(3), systemd.service(5) (FileDescriptorStoreMax=, FileDescriptorStorePreserve=), systemd's FILE_DESCRIPTOR_STORE.md. */
#pragma once

#include "base/macro.h"

#define FD_STORE_MAX 128               /* of one instance: they pass at its start in one packet with its other descriptors */
#define FD_STORE_NAME_MAX 255          /* bytes, without the NUL */
#define FD_STORE_NAME "stored"         /* of what comes without a name */

typedef enum FdStorePreserve { FD_STORE_PRESERVE_NO, FD_STORE_PRESERVE_RESTART, FD_STORE_PRESERVE_YES } FdStorePreserve;

typedef struct FdStoreOrder {
        bool store, remove;            /* remove first */
        bool poll;                     /* drop it when its other end has hung up */
        bool named;                    /* the message had a valid name; a removal needs one */
        char name[FD_STORE_NAME_MAX + 1];
} FdStoreOrder;

/* Printable ASCII without a colon, since names are joined by colons in LISTEN_FDNAMES; at most FD_STORE_NAME_MAX bytes. "" is one. */
bool fd_store_name_valid(const char *name);
/* What the lines of a message ask for. The first FDNAME= counts; one that is not valid is as good as none. */
void fd_store_read(const char *text, FdStoreOrder *ret);
/* Whether the store is kept. alive: some run of the instance lives; rests: nothing of it lives, and nothing of it is to come by itself. */
bool fd_store_kept(FdStorePreserve preserve, bool alive, bool rests);
