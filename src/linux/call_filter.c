/* What must stay true: each number is answered as the set has it, whichever way the search takes; nothing is allocated. */
#include "linux/call_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#define X32_BIT 0x40000000u      /* of the second numbers */

int call_set_add(CallSet *s, uint32_t number) {
        size_t at = s->n;

        while (at > 0 && s->numbers[at - 1] > number)
                at--;
        if (at > 0 && s->numbers[at - 1] == number)
                return 0;
        if (s->n == CALLS_MAX)
                return -E2BIG;
        memmove(s->numbers + at + 1, s->numbers + at, (s->n++ - at) * sizeof s->numbers[0]);
        s->numbers[at] = number;
        return 0;
}

typedef struct Bounds {
        uint32_t at[CALL_BOUNDS_MAX];  /* from the first on a number is listed, from the second on it is not, … */
        size_t n;
} Bounds;

static void find_bounds(const CallSet *s, Bounds *b) {
        for (size_t i = 0; i < s->n; i++) {
                if (b->n == 0 || b->at[b->n - 1] != s->numbers[i])
                        b->at[b->n++] = s->numbers[i];
                else
                        b->n--;
                b->at[b->n++] = s->numbers[i] + 1;
        }
}

static void say(CallFilter *f, struct sock_filter line) {
        f->lines[f->n++] = line;
}

/* A binary search: where the number stands among n bounds from `first` on. The way up is by a line of its own, since that jump may be a long one. */
static void search(CallFilter *f, const Bounds *b, CallVerdicts v, size_t first, size_t n) {
        size_t half = n / 2;
        unsigned up;

        if (n == 0) {
                say(f, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, first % 2 ? v.listed : v.others));
                return;
        }
        say(f, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, b->at[first + half], 0, 1));
        up = f->n++;
        search(f, b, v, first, half);
        f->lines[up] = (struct sock_filter) BPF_STMT(BPF_JMP | BPF_JA, f->n - up - 1);
        search(f, b, v, first + half + 1, n - half - 1);
}

void call_filter_make(const CallSet *s, uint32_t arch, CallVerdicts v, CallFilter *ret) {
        Bounds b = {};

        find_bounds(s, &b);
        /* All second numbers are of the listed where those are denied; not -1, a call that a tracer has taken back. */
        if (arch == AUDIT_ARCH_X86_64 && v.listed != SECCOMP_RET_ALLOW) {
                b.at[b.n++] = X32_BIT;
                b.at[b.n++] = UINT32_MAX;
        }
        ret->n = 0;
        say(ret, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
        say(ret, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0));
        say(ret, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, v.foreign));
        say(ret, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
        search(ret, &b, v, 0, b.n);
}
