/* The fd store: descriptors that a service left with FDSTORE=1, given back at its next start (sd_pid_notify_with_fds(3), systemd's
 * FILE_DESCRIPTOR_STORE.md). Each instance has its own, by its number, so that in a rolling reload the new one finds what the old one left. */
#pragma once

#include "manager/notify/notify_fds.h"
#include "manager/spawn/spawn_env.h"

/* What a message of the instance says about its store. Descriptors that are stored are taken out of fds. */
void fd_store_message(Instance *i, const FdStoreOrder *order, NotifyFds *fds);

/* Whether descriptors that it sends are worth a look: it has not sent too many whose closing makes others wait. */
bool fd_store_looks(const Instance *i);

/* Appends what the instance finds at its start to fds (room for FD_STORE_MAX; borrowed) and, in a malloc'ed text that is NULL when there is nothing, their
 * names as LISTEN_FDNAMES has them. 0 or -ENOMEM. */
int fd_store_pass(const Instance *i, int *fds, size_t *ret_n, char **ret_names);
/* After an instance changed: drops what is not kept any longer. */
void fd_store_attend(Instance *i);
/* After the spec changed: drops what is beyond the new fd_store, the last ones first. */
void fd_store_update(Service *s);
/* kingctl reset, or the instance goes for good: drops all of it, unless something of it lives. */
void fd_store_empty(Instance *i);
/* Takes from the keeper what it holds for the service; then, when all services and runs are known, drops what is nobody's. 0, or
 * -errno: the keeper still holds the rest. */
int fd_store_adopt(Service *s);
void fd_stores_adopted(Manager *m);
/* Our ends only: the keeper's stay for the next manager. */
FdStore *fd_store_free(FdStore *s);
/* {max, count, names} for describe; NULL for an instance without. */
json_object *fd_store_json(const Instance *i);
