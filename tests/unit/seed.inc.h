/* What a random test begins with: another time by time, printed; KINGLY_SEED repeats it. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static inline unsigned test_seed(void) {
        const char *given = getenv("KINGLY_SEED");
        unsigned seed = given ? (unsigned) strtoul(given, NULL, 10) : (unsigned) time(NULL) ^ (unsigned) getpid();

        fprintf(stderr, "KINGLY_SEED=%u\n", seed);
        return seed;
}
