/* What the files of notify share: notify_receive.c takes messages off the socket, notify.c knows whose they are, and
 * notify_apply.c what they mean. */
#pragma once

#include "manager/notify/notify.h"
#include "manager/notify/notify_fds.h"
#include "model/notify.h"

/* Who sent it, as the kernel says. */
typedef struct NotifySource { pid_t pid; uid_t uid; } NotifySource;   /* pid 0: it does not say */

/* Reads the message, which points into text (changed; room for n + 1 bytes), and tells whose it is; NULL when it is nobody's, must not be heard, or is
 * one too many. */
Instance *notify_admit(Manager *m, char *text, size_t n, const NotifySource *s, NotifyMessage *ret);
/* It may be of a run that the keeper has begun, and we have not read yet which process that is. */
bool notify_too_early(const Manager *m, pid_t pid);
/* What it says happens, in notify_apply.c. Descriptors that somebody wants are taken out of fds. */
void notify_apply(Manager *m, uint64_t run, const NotifyMessage *message, const NotifySource *s, NotifyFds *fds);
/* Anybody may send anything; the log must not grow with it. */
void notify_complain(Manager *m, const char *what);

/* The handler of the socket. */
int notify_receive(sd_event_source *s, int fd, uint32_t revents, void *userdata);
/* Before the first message. 0 or -errno. */
int notify_receive_begin(void);
