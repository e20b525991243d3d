/* What the manager is told. Must stay true: nothing waits for it and nothing grows without it: states are bits that stand until they are said, the answer to
 * an ASK goes on where the wire was full, words wait in a ring of fixed size. */
#include "balance/state.h"

#include "base/fd.h"
#include "base/log.h"

typedef struct Word { uint32_t size; union { BalanceSaid said; BalanceListen listen; BalanceBackName name; uint64_t align; } packet; } Word;

/* Whether it is said. When the wire is gone nobody is to be told. */
static bool say(Balancer *b, const void *packet, size_t size) {
        int r;

        if (b->wire.fd < 0)
                return true;
        if (b->wire_full)
                return false;
        r = fd_send(b->wire.fd, packet, size, NULL, 0);
        if (fd_send_later(r)) {
                b->wire_full = true;
                (void) poller_modify(&b->poller, &b->wire, EPOLLIN | EPOLLOUT);
                return false;
        }
        return true; /* or broken: which the reading side finds out */
}

void say_later(Balancer *b) {
        b->say_due = true;
}

void say_hello(Balancer *b) {
        BalanceHello p = { .h = { BALANCE_HELLO, sizeof(p) }, .version = BALANCE_WIRE_VERSION, .pid = getpid(), .program = KINGLY_VERSION };

        (void) say(b, &p, sizeof(p));
}

static bool say_trouble(Balancer *b, uint32_t front, uint64_t back, int error, bool *due) {
        BalanceTrouble p = { .h = { BALANCE_TROUBLE, sizeof(p) }, .back = back, .front = front, .error = error };

        if (*due && !say(b, &p, sizeof(p)))
                return false;
        *due = false;
        return true;
}

static bool say_back(Back *k) {
        Front *f = k->front;
        BalanceBackName p = { .h = { BALANCE_DRAINED, sizeof(p) }, .back = k->id, .front = f->told.front };

        if (!say_trouble(f->balancer, f->told.front, k->id, k->trouble, &k->trouble_due))
                return false;
        if (k->drained_due && k->state == BACK_DRAINING && !say(f->balancer, &p, sizeof(p)))
                return false;
        k->drained_due = false;
        return true;
}

static bool say_missed(Balancer *b) {
        BalanceMissed p = { .h = { BALANCE_MISSED, sizeof(p) }, .error = b->missed };

        if (b->missed == 0 || b->missed_at > 0)
                return true;
        if (!say(b, &p, sizeof(p)))
                return false;
        b->missed = 0;
        return true;
}

static bool say_due(Balancer *b) {
        if (!say_missed(b))
                return false;
        for (size_t i = 0; i < b->n_fronts; i++) {
                Front *f = b->fronts[i];

                if (!say_trouble(b, f->told.front, 0, f->trouble, &f->trouble_due))
                        return false;
                for (size_t j = 0; j < f->n_backs; j++)
                        if (!say_back(f->backs[j]))
                                return false;
        }
        return true;
}

static bool say_counts(Balancer *b, const Front *f, const Back *k) {
        BalanceCounts p = { .h = { BALANCE_COUNTS, sizeof(p) }, .front = f->told.front };

        if (k) {
                p.back = k->id;
                p.state = k->state;
                p.open = f->lots[k->at].open;
                p.trouble = k->trouble;
                p.total = k->total;
                p.failed = k->failed;
                p.bytes_in = k->bytes_in;
                p.bytes_out = k->bytes_out;
        } else {
                p.open = f->open;
                p.trouble = f->trouble;
                p.total = f->total;
                p.failed = f->failed;
                for (size_t i = 0; i < f->n_backs; i++) {
                        p.bytes_in += f->backs[i]->bytes_in;
                        p.bytes_out += f->backs[i]->bytes_out;
                }
        }
        return say(b, &p, sizeof(p));
}

static bool say_answer(Balancer *b) {
        BalanceSerial p = { .h = { BALANCE_COUNTS_END, sizeof(p) }, .serial = b->ask_serial };

        for (; b->ask_front < b->n_fronts; b->ask_front++, b->ask_back = 0)
                for (Front *f = b->fronts[b->ask_front]; b->ask_back <= f->n_backs; b->ask_back++)
                        if (!say_counts(b, f, b->ask_back > 0 ? f->backs[b->ask_back - 1] : NULL))
                                return false;
        return say(b, &p, sizeof(p));
}

void say_ask(Balancer *b, uint32_t serial) {
        b->asking = true;
        b->ask_serial = serial;
        b->ask_front = b->ask_back = 0;
}

static bool say_words(Balancer *b) {
        Word *words = (Word *) b->words;

        for (; b->n_words > 0; b->n_words--, b->words_first = (b->words_first + 1) % BALANCE_WORDS_MAX)
                if (!say(b, &words[b->words_first].packet, words[b->words_first].size))
                        return false;
        return true;
}

int say_word(Balancer *b, const void *packet, size_t size) {
        Word *word;

        if (size > sizeof(word->packet))
                return -EMSGSIZE;
        if (b->n_words == 0 && say(b, packet, size))
                return 0;
        if (!b->words)
                b->words = calloc(BALANCE_WORDS_MAX, sizeof(Word));
        if (!b->words || b->n_words >= BALANCE_WORDS_MAX)
                return -ENOBUFS;
        word = (Word *) b->words + (b->words_first + b->n_words++) % BALANCE_WORDS_MAX;
        word->size = (uint32_t) size;
        memcpy(&word->packet, packet, size);
        return 0;
}

void say_pending(Balancer *b) {
        if (b->wire_full)
                return;
        if (!say_words(b))
                return;
        if (b->say_due) {
                if (!say_due(b))
                        return;
                b->say_due = false;
        }
        if (b->asking && say_answer(b))
                b->asking = false;
}

void say_done(Balancer *b) {
        free(b->words);
        b->words = NULL;
        b->n_words = 0;
}
