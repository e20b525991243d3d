/* The main process of a run as the service names it: MAINPID=, MAINPIDFDID= and MAINPIDFD= of sd_notify(3). */
#pragma once

#include "manager/notify/notify_private.h"

/* Takes what the message names for the main process, if it can be; else says why not (said_refuse). True: it is another now, which is to be settled when
 * the rest of the message is done: what is in the books of a message is all of it, for its sender may be heard no more. */
bool main_process_told(Instance *i, const NotifyMessage *m, const NotifySource *from, NotifyFds *fds);
/* Writes it down and tells the keeper. */
void main_process_settle(Instance *i);
/* What the books say against what the keeper says, when a manager takes a run up: the books were written first. 1: the process of the books
 * lives, and is the main one again. 0: it is not. -ENOMEM, -EMFILE, -ENFILE: that cannot be known now. */
int main_process_recall(Instance *i, pid_t pid, uint64_t start_time, pid_t keepers);
