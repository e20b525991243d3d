/* Signal numbers and their names, both ways; what signal_name() prints, signal_from_name() reads. */
#include <stdio.h>
#include <strings.h>

#include "linux/process.h"

/* Names of signal(7) that glibc's table does not give, because it has another for the same number. */
static const struct {
        const char *name;
        int sig;
} aliases[] = { { "IO", SIGIO }, { "IOT", SIGIOT }, { "CLD", SIGCHLD } };

/* "RTMIN", "RTMIN+3", "RTMAX-1": the numbers behind differ between C libraries, so people name them relative to the ends. */
static int realtime_signal(const char *name) {
        bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
        const char *p = name + 5;
        uint64_t n = 0;
        int sig;

        if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
                return -EINVAL;
        if (*p && (*p != (from_max ? '-' : '+') || parse_u64(p + 1, &n) < 0 || n > 64))
                return -EINVAL;
        sig = from_max ? SIGRTMAX - (int) n : SIGRTMIN + (int) n;
        return sig >= SIGRTMIN && sig <= SIGRTMAX ? sig : -EINVAL;
}

int signal_from_name(const char *name) {
        uint64_t n;

        if (parse_u64(name, &n) >= 0)
                return n >= 1 && n <= (uint64_t) SIGRTMAX ? (int) n : -EINVAL;
        if (strncasecmp(name, "SIG", 3) == 0)
                name += 3;
        for (int sig = 1; sig < SIGRTMIN; sig++) {
                const char *known = sigabbrev_np(sig);

                if (known && strcasecmp(known, name) == 0)
                        return sig;
        }
        for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
                if (strcasecmp(aliases[i].name, name) == 0)
                        return aliases[i].sig;
        return realtime_signal(name);
}

const char *signal_name(int sig) {
        static _Thread_local char text[24];
        const char *known = sig < SIGRTMIN ? sigabbrev_np(sig) : NULL;

        if (known)
                snprintf(text, sizeof(text), "SIG%s", known);
        else if (sig == SIGRTMIN)
                return "SIGRTMIN";
        else if (sig > SIGRTMIN && sig <= SIGRTMAX)
                snprintf(text, sizeof(text), "SIGRTMIN+%i", sig - SIGRTMIN);
        else
                snprintf(text, sizeof(text), "%i", sig);
        return text;
}
