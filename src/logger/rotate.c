/* Rotation by renaming. Must stay true: the first free number ends the shifting, so that a rotation which was cut short (it leaves one
 * gap) costs no further file, and a file is only ever renamed to a number that is free. */
#include "logger/rotate.h"

#include <stdio.h>

#include "logger/chain.h"
#include "model/spec.h"

static int shift(const char *path, uint32_t number) {
        ChainName from, to, plain;
        int form, r;

        form = chain_find(path, number, NULL);
        if (form < 0)
                return form;
        r = chain_name(from, path, number, (ChainForm) form);
        if (r >= 0)
                r = chain_name(to, path, number + 1, (ChainForm) form);
        if (r < 0)
                return r;
        /* Both forms: whoever compressed it died before the last step. */
        if (form != CHAIN_PLAIN && chain_name(plain, path, number, CHAIN_PLAIN) >= 0)
                (void) unlink(plain);
        return rename(from, to) < 0 ? -errno : 0;
}

/* A smaller `keep` than before leaves files behind that no shifting would ever reach. */
static void remove_beyond(const char *path, uint32_t keep) {
        for (uint32_t i = keep + 1; i != 0 && chain_remove(path, i); i++)
                ;
}

/* The number of the oldest file that may stay. */
static uint32_t within(const char *path, uint32_t keep, uint64_t total) {
        struct stat st;

        for (uint32_t i = 1; i <= keep; i++)
                if (chain_find(path, i, &st) >= 0) {
                        if ((uint64_t) st.st_size > total)
                                return i - 1;
                        total -= (uint64_t) st.st_size;
                }
        return keep;
}

int log_rotate(const char *path, uint32_t keep, uint64_t total) {
        uint32_t room = 1, last;
        int r;

        while (room < keep && chain_find(path, room, NULL) >= 0)
                room++;
        (void) chain_remove(path, room); /* only the oldest can be there */
        while (room-- > 0) {
                r = shift(path, room);
                if (r < 0 && r != -ENOENT) /* somebody else took it away: then its place is free */
                        return r;
        }
        remove_beyond(path, keep);
        if (total != UINT64_MAX) {
                last = within(path, keep, total);
                for (uint32_t i = keep; i > last; i--)
                        (void) chain_remove(path, i);
        }
        return 0;
}

usec_t log_rotate_next(int rotate, usec_t after) {
        time_t second = (time_t) (after / USEC_PER_SEC), next;
        struct tm t;

        if (rotate == LOG_ROTATE_NONE || !localtime_r(&second, &t))
                return USEC_INFINITY;
        next = second - t.tm_min * 60 - t.tm_sec + 3600;
        if (rotate != LOG_ROTATE_HOURLY) {
                if (rotate == LOG_ROTATE_MONTHLY) {
                        t.tm_mon++;
                        t.tm_mday = 1;
                } else
                        t.tm_mday += rotate == LOG_ROTATE_DAILY ? 1 : 7 - (t.tm_wday + 6) % 7;
                t.tm_hour = t.tm_min = t.tm_sec = 0;
                t.tm_isdst = -1;
                /* Where the clock skips midnight, mktime(3) may name a time before it. */
                next = MAX(mktime(&t), next);
        }
        return (usec_t) next * USEC_PER_SEC;
}
