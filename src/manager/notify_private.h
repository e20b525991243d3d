/* What the files of notify share: notify_receive.c takes messages off the socket, notify.c knows whose they are and what they mean. */
#pragma once

#include <sys/socket.h>

#include "manager/notify.h"
#include "manager/notify_fds.h"

#define DATAGRAM_MAX 4096              /* PIPE_BUF, as systemd has it */

/* Whose message this is; NULL when it is nobody's, must not be heard, or is one too many. text[n] is 0, and may be made so earlier. */
Instance *notify_admit(Manager *m, char *text, size_t n, const struct ucred *sender);
/* What it says happens. Descriptors that somebody wants are taken out of fds. */
void notify_apply(Manager *m, uint64_t run, char *text, NotifyFds *fds);
/* Anybody may send anything; the log must not grow with it. */
void notify_complain(Manager *m, const char *what);

/* The handler of the socket. */
int notify_receive(sd_event_source *s, int fd, uint32_t revents, void *userdata);
/* Before the first message. 0 or -errno. */
int notify_receive_begin(void);
