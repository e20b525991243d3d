/* Calls that are answered when something has happened, all with the same empty reply. */
#pragma once

#include "varlink/server.h"

typedef struct CallList {
        VarlinkCall **items;
        size_t n;
} CallList;

/* Takes a reference. 0 or -ENOMEM. */
int call_list_add(CallList *l, VarlinkCall *call);
/* Answers all, and is empty then. Whose client has gone is passed over. */
void call_list_answer(CallList *l);
void call_list_done(CallList *l);              /* without an answer: the clients see the connection end */
