/* Numbers of system calls → a program for seccomp(2), of the stack alone: libseccomp, whose numbers these are, makes other programs than it was
 * asked for when memory is short and says that all went well, or does not come back. Sources: seccomp(2), linux/filter.h, linux/seccomp.h. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define CALLS_MAX 640            /* no machine has as many */
#define CALL_BOUNDS_MAX (2 * CALLS_MAX + 2)

typedef struct CallSet {
        uint32_t numbers[CALLS_MAX];   /* in ascending order, each once */
        size_t n;
} CallSet;

/* 0, also for one that is in it; -E2BIG when it is full. */
int call_set_add(CallSet *s, uint32_t number);

typedef struct CallFilter {
        struct sock_filter lines[3 * CALL_BOUNDS_MAX + 5];
        unsigned n;
} CallFilter;

_Static_assert(3 * CALL_BOUNDS_MAX + 5 <= BPF_MAXINSNS, "the kernel takes no longer program");

/* What is answered (SECCOMP_RET_*) to calls in the set, to all others, and to every call of another architecture than `arch` (AUDIT_ARCH_*), where
 * the numbers have other meanings. The second numbers that x86-64 knows each call by (x32) are answered as the listed are where those are denied, as the others are elsewhere. */
typedef struct CallVerdicts {
        uint32_t listed, others, foreign;
} CallVerdicts;

/* Replaces what is in `ret`. */
void call_filter_make(const CallSet *s, uint32_t arch, CallVerdicts v, CallFilter *ret);
