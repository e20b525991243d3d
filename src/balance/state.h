/* What the files of this room share. */
#pragma once

#include "balance/balance_wire.h"
#include "balance/balancer.h"
#include "base/span.h"
#include "linux/poller.h"

typedef struct Balancer {
        Poller poller;
        PollSource wire;               /* -EBADF when it is closed for good */
        bool leaving;                  /* accepts nothing more, ends with the last connection */
} Balancer;

/* hear.c: reads what the manager says. */
void hear_ready(PollSource *s, uint32_t events);
