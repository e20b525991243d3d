/* poller.c: order, removal and changes from within callbacks. Sources are eventfds; freed sources are really freed, for the sanitizers to
 * watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "base/fd.h"
#include "linux/poller.h"

typedef struct Item {
        PollSource source;
        int name;
        void (*act)(struct Item *i);
        struct Item *target;
} Item;

static Poller poller;
static char order[64]; /* the names called back, in order */

static void item_ready(PollSource *s, uint32_t events) {
        Item *i = (Item *) s;
        size_t n = strlen(order);

        assert_true(events & EPOLLIN);
        order[n] = (char) i->name;
        order[n + 1] = '\0';
        if (i->act)
                i->act(i);
}

static Item *item_new(int name, int priority) {
        Item *i = calloc(1, sizeof(*i));

        i->name = name;
        i->source = (PollSource) { .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), .priority = priority, .ready = item_ready };
        assert_int_equal(poller_add(&poller, &i->source, EPOLLIN), 0);
        return i;
}

static Item *item_free(Item *i) {
        if (!i)
                return NULL;
        poller_remove(&poller, &i->source);
        fd_close(i->source.fd);
        free(i);
        return NULL;
}

static int set_up(void **state) {
        order[0] = '\0';
        return poller_init(&poller, 16);
}

static int tear_down(void **state) {
        poller_done(&poller);
        poller_done(&poller); /* twice does no harm */
        return 0;
}

static void by_priority_and_level(void **state) {
        Item *c = item_new('c', 5), *a = item_new('a', -3), *b = item_new('b', 0);

        assert_int_equal(poller_wait(&poller, USEC_INFINITY), 0);
        assert_string_equal(order, "abc");
        assert_int_equal(poller_wait(&poller, 0), 0); /* nobody read: they are still ready */
        assert_string_equal(order, "abcabc");
        item_free(a);
        item_free(b);
        item_free(c);
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "abcabc");
}

static void free_target(Item *i) {
        i->target = item_free(i->target);
}

static void free_self(Item *i) {
        i->act = NULL;
        item_free(i);
}

static void removal_in_callbacks(void **state) {
        Item *a = item_new('a', 0), *b = item_new('b', 1), *c = item_new('c', 2), *d = item_new('d', 3);

        a->act = free_target;
        a->target = c; /* pending, later in this wake-up */
        b->act = free_self;
        d->act = free_target;
        d->target = a; /* delivered already */
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "abd");
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "abdd");
        item_free(d);
}

static void forget_target(Item *i) {
        poller_forget(&poller, &i->target->source);
        assert_int_equal(i->target->source.fd, -EBADF);
        i->target = item_free(i->target);
        i->act = NULL;
}

static void forgetting_in_callbacks(void **state) {
        Item *a = item_new('a', 0), *b = item_new('b', 1), *c = item_new('c', 2);

        a->act = forget_target;
        a->target = b; /* pending, later in this wake-up */
        c->act = forget_target;
        c->target = a; /* delivered already */
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "ac");
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "acc");
        item_free(c);
}

static void mute_target(Item *i) {
        assert_int_equal(poller_modify(&poller, &i->target->source, 0), 0);
}

static void stop_loop(Item *i) {
        poller.stop = true;
}

static void muting_and_stopping(void **state) {
        Item *a = item_new('a', 0), *b = item_new('b', 1), *c = item_new('c', 2), *d = item_new('d', 3);

        a->act = mute_target;
        a->target = b;
        c->act = stop_loop;
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "ac");
        poller.stop = false;
        c->act = NULL;
        assert_int_equal(poller_modify(&poller, &b->source, EPOLLIN), 0);
        a->act = NULL;
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "acabcd");
        item_free(a);
        item_free(b);
        item_free(c);
        item_free(d);
}

/* Another item may get the memory and the descriptor of one that was freed in the same wake-up. */
static Item *replaced;

static void replace_target(Item *i) {
        i->act = NULL;
        item_free(i->target);
        replaced = item_new('n', 9);
}

static void replacement_is_not_mistaken(void **state) {
        Item *a = item_new('a', 0), *b = item_new('b', 1);

        a->act = replace_target;
        a->target = b;
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "a");
        assert_int_equal(poller_wait(&poller, 0), 0);
        assert_string_equal(order, "aan");
        item_free(a);
        item_free(replaced);
}

static void many_with_a_small_batch(void **state) {
        Item *items[40];
        bool seen[40] = {};

        for (int i = 0; i < 40; i++)
                items[i] = item_new('0' + i, 0);
        for (int round = 0; round < 3; round++) {
                assert_int_equal(poller_wait(&poller, 0), 0);
                assert_true(strlen(order) <= 16);
                for (const char *p = order; *p; p++)
                        seen[*p - '0'] = true;
                order[0] = '\0';
        }
        for (int i = 0; i < 40; i++) {
                assert_true(seen[i]); /* nobody starves */
                item_free(items[i]);
        }
}

static void on_alarm(int sig) {
}

static void deadlines_and_signals(void **state) {
        struct itimerval soon = { .it_value = { .tv_usec = 10000 }, .it_interval = { .tv_usec = 10000 } }, never = {}; /* the first may come too early */
        struct sigaction sa = { .sa_handler = on_alarm };
        usec_t start = now_usec(CLOCK_MONOTONIC);

        assert_int_equal(poller_wait(&poller, 5 * USEC_PER_MSEC + 1), 0);
        assert_true(now_usec(CLOCK_MONOTONIC) - start > 5 * USEC_PER_MSEC); /* never early */
        assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
        assert_int_equal(poller_wait(&poller, USEC_PER_HOUR), 0);
        assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}

static void errors(void **state) {
        PollSource file = { .fd = -1, .ready = item_ready };
        Poller p;

        assert_int_equal(poller_add(&poller, &file, EPOLLIN), -EBADF);
        assert_false(file.added);
        poller_remove(&poller, &file);
        assert_int_equal(poller_init(&p, 0), -EINVAL);
        poller_done(&p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(by_priority_and_level),
                TEST(removal_in_callbacks), TEST(forgetting_in_callbacks),
                TEST(muting_and_stopping),
                TEST(replacement_is_not_mistaken),
                TEST(many_with_a_small_batch),
                TEST(deadlines_and_signals),
                TEST(errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
