/* The manager's end of the pair with the keeper: sends that never block, packets turned into events. */
#pragma once

#include "manager/manager.h"

/* Takes fd. Says HELLO and asks for the list; manager_start() follows when it has come. */
int link_new(Manager *m, int fd, Link **ret);
Link *link_free(Link *l);
pid_t link_keeper(const Link *l);
bool link_is_init(const Link *l);
unsigned link_manager_starts(const Link *l);
uint64_t link_nofile(const Link *l);
/* How the manager before this one ended, as wait(2) gives it, 0 if it was the first; hung: because it did not answer. */
int link_last_status(const Link *l, bool *ret_hung);

/* 0 sent; -EAGAIN: the socket is full, come again when start_queue_pump() is called. Descriptors stay the caller's. */
int link_spawn(Link *l, const WireSpawn *spawn, size_t size, const int *fds, size_t n_fds);
/* Small messages: queued when the socket is full, in order. 0 or -ENOMEM. */
int link_release(Link *l, uint64_t run);
int link_ack(Link *l, uint64_t run);
int link_signal(Link *l, uint64_t run, int sig, int target);
int link_main(Link *l, uint64_t run, const PidRef *main);   /* its main process is this one from now on */
int link_hold(Link *l, const char *name, int fd);
int link_drop(Link *l, const char *name);          /* the opposite */
int link_reopen(Link *l);                          /* the logger shall open its files anew */
int link_reexec(Link *l, uint64_t within_usec, bool if_changed);   /* other programs in our place: reexec.h hears what comes of it */
int link_settled(Link *l);                         /* before link_ready(): what we write from then on is not for those before us */
bool link_upgraded(const Link *l);                 /* other programs ran before, or are to run next */
int link_ready(Link *l);                           /* we serve: a kingd in the background lets its starter go */
/* The last word, after all that is queued; may block for as long as the keeper takes to read it. */
void link_goodbye(Link *l, int status);

/* What the list said, for adopt.c: entries stay until link_list_done(). */
typedef struct LinkChild {
        uint64_t run;
        uint8_t invocation[16];
        pid_t pid;
        uint32_t state;
        uint64_t start_time;
        bool executed;           /* of an orphan: its command did */
        bool exited;
        WireExited exit;
        bool taken;              /* adopt.c found its instance */
        bool unrecorded;         /* its exit: what was said before it has not been heard yet */
} LinkChild;
LinkChild *link_children(Link *l, size_t *ret_n);
void link_list_done(Link *l);
/* What follows `prefix` in the name of a descriptor that the keeper holds; NULL: there is none. Borrowed. */
const char *link_held_suffix(const Link *l, const char *prefix);
/* The next name that begins so and was not taken yet; *at begins with 0. NULL: there is none. Borrowed. */
const char *link_held_next(const Link *l, const char *prefix, size_t *at);
int link_take_held(Link *l, const char *name);     /* descriptor held under that name, now the caller's; or -ENOENT */
void link_drop_untaken(Link *l, const char *prefix);        /* those of names that begin so and were not taken: the keeper closes them */
