/* Instances: the shell around model/lifecycle. Events in, actions done, one deadline armed. */
#pragma once

#include "manager/manager.h"

int instance_new(Service *s, unsigned index, Instance **ret);
/* Never of a living instance unless the daemon leaves it running. */
Instance *instance_free(Instance *i);

/* Feeds one event and performs what comes of it, follow-up events included. May free the instance when it was to be removed. */
void instance_feed(Instance *i, const LcInput *in);
/* What an operator says: a stop that still waits for others is forgotten. */
void instance_order(Instance *i, LcEvent e);
static inline void instance_event(Instance *i, LcEvent e) { instance_feed(i, &(LcInput) { .event = e }); }

/* The watchdog's interval is another one for the rest of this run; 0: none. */
void instance_set_watchdog(Instance *i, usec_t interval);
void instance_watchdog_triggered(Instance *i);
/* What is awaited of it, and the watchdog, has at least so long from now on. */
void instance_extend(Instance *i, usec_t by);

/* To its main process, its process group or all of it; to all that is left once the main process is gone. 0 or -errno. */
int instance_signal(Instance *i, int sig, StopScope scope);

/* After lc was taken from the books: arms what it waits with, and asks what lives where nothing will tell. */
void instance_resume(Instance *i);
/* After that, and after the hooks of the manager before us have been ended: those that were due are begun anew. */
void instance_resume_hooks(Instance *i);

/* From the keeper. */
void instance_spawned(Manager *m, const WireSpawned *p);
void instance_execed(Manager *m, uint64_t run);
/* It said that it is ready, maybe before the keeper said that it executes, or even which process it is. Recorded on return: it will not say so again. */
void instance_ready(Instance *i);
void instance_ready_early(Instance *i);     /* which process it is is known now: feeds what instance_ready() has kept until then */
void instance_spawn_failed(Manager *m, const WireFailed *p);
bool instance_failure_permanent(const WireFailed *p);           /* it would be refused again: a fault of the file, not of the moment */
void instance_exited(Manager *m, const WireExited *p);
void instance_record_exit(Instance *i, const WireExited *p);    /* rusage, event, EV_MAIN_EXIT */
/* Not our keeper's child: watches its pidfd. */
int instance_watch_adopted(Instance *i);
int instance_track(Instance *i);                                /* into runs and pids */

/* From the isolation. */
void instance_placed(void *userdata, Cell *cell, int error, const char *why);
void instance_empty(void *userdata, Cell *cell);
void instance_unlimited(void *userdata, Cell *cell, int error, const char *why);
void instance_limit(void *userdata, Cell *cell, LimitHit hit, uint64_t count);
void instance_oversize(void *userdata, Cell *cell, uint64_t bytes);
void instance_stopped_outside(void *userdata, Cell *cell, const char *why);
void instance_asked(void *userdata, Cell *cell, const char *why);

/* Why it is as it is: replaces status (printf), NULL clears. */
void instance_set_status(Instance *i, const char *format, ...) _printf_(2, 3);
/* "web" with one instance, "web:0" with several; into a caller's buffer. */
const char *instance_public_state(const Instance *i);           /* the word of the API */
bool instance_down(const Instance *i);                          /* nothing of it lives, and nothing is to come by itself */
bool instance_due(const Instance *i);                           /* while the manager begins: it is going to start it, for want of a word that it rests */
const char *instance_label(const Instance *i, char buf[300]);
bool instance_deps_recheck(Instance *i);                        /* in WAIT_DEPS: feeds what is known now */
