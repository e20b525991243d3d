/* What the keeper cannot say of descriptors that it holds for fd stores: whose they are and what they are called. A memory file that it holds like
 * them, so that it lives exactly as long as they do. One record for each, numbered; the descriptor is held under the name of that number. */
#pragma once

#include "manager/manager.h"
#include "model/fd_store.h"

#define FD_STORES_MAX 1024             /* descriptors of all services together */

typedef struct FdRecord {
        uint64_t owner;                /* hash of "namespace/name"; 0: the record is free */
        uint32_t instance;
        uint32_t order;                /* when it was stored, among those of all services */
        uint32_t poll, pad;            /* it goes when its other end has hung up */
        char name[FD_STORE_NAME_MAX + 1];
} FdRecord;

/* Takes up the keeper's copy, should there be one; what makes no sense in it is free. 0 or -ENOMEM. */
int fd_index_open(Manager *m);
FdStoreIndex *fd_index_free(FdStoreIndex *x);
uint64_t fd_index_owner(const Service *s);
/* Writes the record, hands the descriptor to the keeper, and only then says 0 with its number; -ENOSPC: FD_STORES_MAX are there. The descriptor stays the
 * caller's, and its fields but `order` are the caller's to fill. */
int fd_index_put(Manager *m, const FdRecord *record, int fd, uint32_t *ret_number);
void fd_index_drop(Manager *m, uint32_t number);               /* the opposite */
/* Of an earlier manager: the next number, from *at on, of what that owner has in the order in which it was stored (*at starts at 0). False: no more. */
bool fd_index_next(const Manager *m, uint64_t owner, uint32_t *at, uint32_t *ret_number, FdRecord *ret);
int fd_index_take(Manager *m, uint32_t number);                /* its descriptor from the keeper, now the caller's, or -ENOENT */
void fd_index_adopted(Manager *m);                             /* everybody has taken his: the others are dropped */
