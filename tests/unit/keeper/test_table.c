/* The table of children against a plain model, and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "keeper/table.h"
#include "../seed.inc.h"

static void test_add_find_remove(void **state) {
        Table t;
        Child *a, *b;

        assert_int_equal(table_init(&t, 1024), 0);
        a = table_add(&t, 1);
        b = table_add(&t, 1 + UINT64_C(1024) * 1024);
        assert_non_null(a);
        assert_ptr_equal(table_by_run(&t, 1), a);
        assert_ptr_equal(table_by_run(&t, b->run), b);
        assert_null(table_by_run(&t, 2));
        assert_int_equal(a->gate.fd, -EBADF);
        assert_int_equal(a->process.fd, -EBADF);
        table_set_pid(&t, a, 77);
        table_set_pid(&t, b, 77 + 1024); /* the same chain */
        assert_ptr_equal(table_by_pid(&t, 77), a);
        assert_ptr_equal(table_by_pid(&t, 77 + 1024), b);
        table_drop_pid(&t, a);
        assert_null(table_by_pid(&t, 77));
        assert_int_equal(a->pid, 77);
        assert_ptr_equal(table_by_run(&t, 1), a);
        table_remove(&t, b);
        assert_null(table_by_pid(&t, 77 + 1024));
        assert_null(table_by_run(&t, 1 + UINT64_C(1024) * 1024));
        table_remove(&t, a);
        assert_int_equal(t.used, 0);
        table_done(&t);
        table_done(&t);
}

static void test_full_and_reused(void **state) {
        uint64_t sum = 0;
        uint32_t i = 0;
        Child *c;
        Table t;

        assert_int_equal(table_init(&t, 1024), 0);
        for (uint64_t run = 1; run <= 1024; run++)
                assert_non_null(table_add(&t, run));
        assert_null(table_add(&t, 5000));
        table_remove(&t, table_by_run(&t, 500));
        c = table_add(&t, 5000);
        assert_non_null(c);
        assert_null(table_add(&t, 5001));
        assert_int_equal(t.top, 1024);
        while ((c = table_next(&t, &i)))
                sum += c->run;
        assert_int_equal(sum, 1024 * 1025 / 2 - 500 + 5000);
        table_done(&t);
}

static void test_queues_keep_order(void **state) {
        Child *c[5];
        Table t;

        assert_int_equal(table_init(&t, 1024), 0);
        for (size_t i = 0; i < 5; i++) {
                c[i] = table_add(&t, i + 1);
                table_queue(&t, QUEUE_SAY, c[i]);
                if (i % 2)
                        table_queue(&t, QUEUE_LOG, c[i]);
                table_queue(&t, QUEUE_SAY, c[0]); /* stands there already: keeps its place */
        }
        for (size_t i = 0; i < 5; i++) {
                assert_ptr_equal(table_queue_first(&t, QUEUE_SAY), c[i]);
                table_dequeue(&t, QUEUE_SAY);
                assert_false(c[i]->queued[QUEUE_SAY]);
        }
        assert_null(table_queue_first(&t, QUEUE_SAY));
        table_dequeue(&t, QUEUE_SAY);
        assert_ptr_equal(table_queue_first(&t, QUEUE_LOG), c[1]);
        table_dequeue(&t, QUEUE_LOG);
        table_queue(&t, QUEUE_LOG, c[1]);
        assert_ptr_equal(table_queue_first(&t, QUEUE_LOG), c[3]);
        table_dequeue(&t, QUEUE_LOG);
        assert_ptr_equal(table_queue_first(&t, QUEUE_LOG), c[1]);
        table_done(&t);
}

static void test_logs_do_not_overlap(void **state) {
        uint8_t block[WIRE_LOG_MAX];
        Table t;

        assert_int_equal(table_init(&t, 1024), 0);
        for (uint64_t run = 1; run <= 1024; run++) {
                memset(block, (int) (run & 0xff) | 1, sizeof(block));
                table_keep_log(&t, table_add(&t, run), block, run % 2 ? WIRE_LOG_MAX : TABLE_SHORT_LOG);
        }
        for (uint64_t run = 1; run <= 1024; run++) {
                Child *c = table_by_run(&t, run);

                table_log(&t, c, block);
                assert_int_equal(c->log_size, run % 2 ? WIRE_LOG_MAX : TABLE_SHORT_LOG);
                assert_int_equal(block[0], (run & 0xff) | 1);
                assert_int_equal(block[c->log_size - 1], (run & 0xff) | 1);
                if (c->log_size < WIRE_LOG_MAX)
                        assert_int_equal(block[c->log_size], 0);
        }
        table_done(&t);
}

/* A block is as long as it was, whatever of it is kept. */
static void test_zeros_at_the_end_of_a_log_are_not_kept(void **state) {
        uint8_t block[WIRE_LOG_MAX] = {}, back[WIRE_LOG_MAX];
        Table t;
        Child *c;

        assert_int_equal(table_init(&t, 16), 0);
        c = table_add(&t, 7);
        for (uint32_t n = 0; n <= WIRE_LOG_MAX; n++) {
                memset(block, 0, sizeof(block));
                memset(block, 0xaa, n / 2);
                table_keep_log(&t, c, block, n);
                assert_int_equal(c->log_size, n);
                assert_int_equal(c->log_kept, n / 2);
                memset(back, 0xff, sizeof(back));
                table_log(&t, c, back);
                assert_memory_equal(back, block, sizeof(back));
        }
        table_done(&t);
}

/* The child of a fork must not see the memory: touching it there is a fault. */
static void test_is_not_copied_into_children(void **state) {
        int status;
        pid_t pid;
        Table t;

        assert_int_equal(table_init(&t, TABLE_CAPACITY), 0);
        assert_non_null(table_add(&t, 1));
        pid = fork();
        if (pid == 0) {
                signal(SIGSEGV, SIG_DFL);
                _exit((int) t.children[0].run);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        table_done(&t);
}

/* Random additions, removals and pids against an array. */
#define MODEL 600
static void test_against_model(void **state) {
        struct { uint64_t run; pid_t pid; } model[MODEL] = {};
        unsigned seed = test_seed();
        Table t;

        srand(seed);
        assert_int_equal(table_init(&t, 1024), 0);
        /* KINGLY_SLOW: by an emulator. */
        for (unsigned step = 0, steps = getenv("KINGLY_SLOW") ? 20000 : 200000; step < steps; step++) {
                size_t i = (size_t) rand() % MODEL;
                uint64_t run = ((uint64_t) rand() << 32 | (uint64_t) step) + 1;
                Child *c = model[i].run ? table_by_run(&t, model[i].run) : NULL;

                if (!model[i].run) {
                        assert_non_null(table_add(&t, run));
                        model[i].run = run;
                } else if (!model[i].pid && rand() % 2) {
                        model[i].pid = (pid_t) (1 + i + MODEL * (size_t) (rand() % 50));
                        table_set_pid(&t, c, model[i].pid);
                } else if (model[i].pid && rand() % 3) {
                        assert_ptr_equal(table_by_pid(&t, model[i].pid), c);
                        table_drop_pid(&t, c);
                        assert_null(table_by_pid(&t, model[i].pid));
                        model[i].pid = 0;
                } else {
                        table_remove(&t, c);
                        assert_null(table_by_run(&t, model[i].run));
                        model[i].run = 0;
                        model[i].pid = 0;
                }
        }
        for (size_t i = 0; i < MODEL; i++)
                if (model[i].run) {
                        assert_int_equal(table_by_run(&t, model[i].run)->process.pid, model[i].pid);
                        t.used--;
                }
        assert_int_equal(t.used, 0);
        table_done(&t);
}

/* As after execve(2): the same memory, and of what a process keeps to itself nothing. */
static void test_adopt(void **state) {
        uint8_t log[WIRE_LOG_MAX];
        Table before, t;
        Child *c;
        int fd;

        assert_int_equal(table_init(&before, 1024), 0);
        before.header->keeper = getpid();
        for (uint64_t run = 1; run <= 100; run++) {
                c = table_add(&before, run);
                c->state = CHILD_EXECUTING;
                table_set_pid(&before, c, (pid_t) (1000 + run));
                c->process.fd = 7;
                c->log_fds[0] = 8;
                table_queue(&before, QUEUE_SAY, c);
        }
        table_keep_log(&before, table_by_run(&before, 50), "fifty", 6);
        while ((c = table_queue_first(&before, QUEUE_SAY)))
                table_dequeue(&before, QUEUE_SAY);
        table_remove(&before, table_by_run(&before, 10));
        table_drop_pid(&before, table_by_run(&before, 20));
        table_queue(&before, QUEUE_LOG, table_by_run(&before, 30));

        fd = dup(before.fd);
        assert_true(table_is_ours(fd));
        assert_int_equal(table_adopt(fd, &t), 0);
        assert_int_equal(t.used, 99);
        assert_int_equal(t.top, 100);
        assert_null(table_by_run(&t, 10));
        assert_null(table_queue_first(&t, QUEUE_LOG));
        for (uint64_t run = 1; run <= 100; run++) {
                c = table_by_run(&t, run);
                if (!c)
                        continue;
                assert_true(c->process.fd < 0 && c->log_fds[0] < 0 && c->gate.fd < 0 && !c->owner && !c->queued[QUEUE_LOG]);
                assert_ptr_equal(table_by_pid(&t, (pid_t) (1000 + run)), run == 20 ? NULL : c);
        }
        table_log(&t, table_by_run(&t, 50), log);
        assert_string_equal(log, "fifty");
        c = table_add(&t, 10); /* where it was */
        assert_ptr_equal(c, t.children + 9);
        c->state = CHILD_FAILED + 1;
        assert_int_equal(table_adopt(before.fd, &before), -EBADMSG);
        table_done(&t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_adopt),
                cmocka_unit_test(test_add_find_remove),
                cmocka_unit_test(test_full_and_reused),
                cmocka_unit_test(test_queues_keep_order),
                cmocka_unit_test(test_logs_do_not_overlap),
                cmocka_unit_test(test_zeros_at_the_end_of_a_log_are_not_kept),
                cmocka_unit_test(test_is_not_copied_into_children),
                cmocka_unit_test(test_against_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
