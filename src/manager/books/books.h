/* The books: what is written when there is time. One transaction for whatever has changed since the last, acknowledgements after it. */
#pragma once

#include "manager/manager.h"

void books_mark(Manager *m);                       /* something is to be written */
void books_mark_instance(Instance *i);
int books_ack(Manager *m, uint64_t run);           /* acknowledge to the keeper once its end is recorded */
bool books_buried(const Manager *m, const Cell *cell);
void books_bury(Manager *m, Cell *cell);           /* remove the cell when there is time; takes it */
int books_write_instance(Instance *i);             /* its row, in the store's open transaction */
/* Its row goes. The number of the service's last start, which may be nowhere else, is written into the service's row first. */
int books_forget_instance(const Instance *i);
/* Now; durable: it survives power loss as well. -EAGAIN while the store has failed and is not to be tried again yet; a failure is told and
 * what is marked stays so. */
int books_write(Manager *m, bool durable);
/* books_flush() but for the acknowledgements, which follow when there is time: a start waits for this, and its packet is the keeper's next. */
void books_write_starts(Manager *m);
void books_retry(Manager *m);              /* what the store refused, now */
void books_flush(Manager *m);                      /* books_write(m, false) of what can wait for the next time */
int books_run(sd_event_source *s, void *userdata); /* handler of manager->books */
/* The state cannot be written for the reason r, as `why` says: a visible problem until a later try succeeds. Nothing is tried before that. */
void books_failed(Manager *m, int r, const KlError *why);
void books_done(Manager *m);
