/* The protocol's checks and the builder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/wire.h"

static const uint8_t invocation[16] = { 1, 2, 3 };
static char *const some_argv[] = { "/bin/sh", "-c", "", NULL };
static char *const some_env[] = { "A=1", "B=", NULL };

/* A valid SPAWN of sh with two listen descriptors and a log block. */
static const WireSpawn *build(SpawnBuilder *b, size_t *ret_size) {
        const WireSpawn *s;

        assert_int_equal(spawn_builder_init(b, 7, invocation), 0);
        b->packet->flags = SPAWN_LOG_PIPES | SPAWN_FD_CGROUP | SPAWN_READY_FD;
        b->packet->n_listen = 2;
        spawn_builder_strings(b, "/bin/sh", "/", "web:0", NULL, some_argv, some_env);
        spawn_builder_log(b, "log block", 9);
        assert_int_equal(spawn_builder_finish(b, &s, ret_size), 0);
        return s;
}

static void test_builder_makes_what_check_accepts(void **state) {
        static const char *const expected[] = { "/bin/sh", "/", "web:0", "/bin/sh", "-c", "", "A=1", "B=" };
        SpawnBuilder b = {};
        size_t size;
        const WireSpawn *s = build(&b, &size);
        const char *p = wire_spawn_strings(s);

        assert_int_equal(wire_spawn_fds(s), 4);
        assert_int_equal(wire_check(s, size, 4), 0);
        assert_int_equal(s->n_argv, 3);
        assert_int_equal(s->n_env, 2);
        for (size_t i = 0; i < ARRAY_SIZE(expected); i++, p = wire_next_string(p))
                assert_string_equal(p, expected[i]);
        assert_ptr_equal(p, wire_spawn_log(s));
        assert_memory_equal(wire_spawn_log(s), "log block", 9);
        spawn_builder_done(&b);
}

static void test_builder_is_reusable_after_an_error(void **state) {
        SpawnBuilder b = {};
        char *big = malloc(WIRE_MAX);
        char *argv[] = { big, NULL };
        const WireSpawn *s;
        WireSpawn *memory;
        size_t size;

        memset(big, 'x', WIRE_MAX - 1);
        big[WIRE_MAX - 1] = '\0';
        assert_int_equal(spawn_builder_init(&b, 7, invocation), 0);
        memory = b.packet;
        spawn_builder_strings(&b, "/bin/sh", NULL, NULL, NULL, argv, NULL);
        assert_int_equal(spawn_builder_finish(&b, &s, &size), -E2BIG);
        s = build(&b, &size);
        assert_ptr_equal(b.packet, memory);
        assert_int_equal(wire_check(s, size, 4), 0);
        free(big);
        spawn_builder_done(&b);
        spawn_builder_done(&b);
}

static void test_builder_fills_a_packet_to_the_last_byte(void **state) {
        SpawnBuilder b = {};
        size_t room = WIRE_MAX - sizeof(WireSpawn) - sizeof("f") - 2; /* cwd and label are empty */
        const WireSpawn *s;
        size_t size;

        for (int over = 0; over < 2; over++) {
                char *word = calloc(1, room + 1);
                char *argv[] = { word, NULL };

                memset(word, 'x', room - 1 + (size_t) over);
                assert_int_equal(spawn_builder_init(&b, 7, invocation), 0);
                spawn_builder_strings(&b, "f", NULL, NULL, NULL, argv, NULL);
                assert_int_equal(spawn_builder_finish(&b, &s, &size), over ? -E2BIG : 0);
                if (!over)
                        assert_int_equal(wire_check(s, size, 0), 0);
                free(word);
        }
        assert_int_equal(size, WIRE_MAX);
        spawn_builder_done(&b);
}

static void test_builder_counts_words(void **state) {
        SpawnBuilder b = {};
        char **argv = calloc(WIRE_STRINGS_MAX + 2, sizeof(char *));
        const WireSpawn *s;
        size_t size;

        for (size_t i = 0; i < WIRE_STRINGS_MAX; i++)
                argv[i] = "";
        assert_int_equal(spawn_builder_init(&b, 7, invocation), 0);
        spawn_builder_strings(&b, "f", NULL, NULL, NULL, argv, NULL);
        assert_int_equal(spawn_builder_finish(&b, &s, &size), 0);
        assert_int_equal(wire_check(s, size, 0), 0);
        argv[WIRE_STRINGS_MAX] = "";
        assert_int_equal(spawn_builder_init(&b, 7, invocation), 0);
        spawn_builder_strings(&b, "f", NULL, NULL, NULL, argv, NULL);
        assert_int_equal(spawn_builder_finish(&b, &s, &size), -E2BIG);
        assert_int_equal(spawn_builder_init(&b, 7, invocation), 0);
        spawn_builder_strings(&b, "f", NULL, NULL, NULL, some_argv, NULL);
        spawn_builder_log(&b, argv, WIRE_LOG_MAX + 1);
        assert_int_equal(spawn_builder_finish(&b, &s, &size), -E2BIG);
        free(argv);
        spawn_builder_done(&b);
}

/* Every way to spoil one field of a good SPAWN. */
static void spoil_run(WireSpawn *s) { s->run = 0; }
static void spoil_size(WireSpawn *s) { s->h.size--; }
static void spoil_flags(WireSpawn *s) { s->flags |= SPAWN_KNOWN + 1u; }
static void spoil_fds(WireSpawn *s) { s->flags |= SPAWN_FD_STDIN; }
static void spoil_listen(WireSpawn *s) { s->n_listen = UINT32_MAX; }
static void spoil_groups(WireSpawn *s) { s->n_groups = WIRE_GROUPS_MAX + 1; }
static void spoil_rlimits(WireSpawn *s) { s->n_rlimits = WIRE_RLIMITS_MAX + 1; }
static void spoil_resource(WireSpawn *s) { s->n_rlimits = 1; s->rlimits[0].resource = RLIM_NLIMITS; }
static void spoil_umask(WireSpawn *s) { s->umask = 01000; }
static void spoil_argv(WireSpawn *s) { s->n_argv++; }
static void spoil_env(WireSpawn *s) { s->n_env = UINT32_MAX; }
static void spoil_no_argv(WireSpawn *s) { s->n_env += s->n_argv; s->n_argv = 0; }
static void spoil_log(WireSpawn *s) { s->log_size++; }
static void spoil_no_log(WireSpawn *s) { s->flags &= ~(uint32_t) SPAWN_LOG_PIPES; }
static void spoil_split(WireSpawn *s) { s->strings_size--; s->log_size++; }
static void spoil_strings(WireSpawn *s) { s->strings_size = 0; s->log_size += 30; }
static void spoil_file(WireSpawn *s) { *(char *) (s + 1) = '\0'; }
static void spoil_end(WireSpawn *s) { ((char *) (s + 1))[s->strings_size - 1] = 'x'; }
static void spoil_middle(WireSpawn *s) { ((char *) (s + 1))[strlen("/bin/sh")] = 'x'; }

static void test_check_refuses_spoiled_spawns(void **state) {
        static void (*const spoilers[])(WireSpawn *s) = {
                spoil_run, spoil_size, spoil_flags, spoil_fds, spoil_listen, spoil_groups, spoil_rlimits, spoil_resource, spoil_umask,
                spoil_argv, spoil_env, spoil_no_argv, spoil_log, spoil_no_log, spoil_split, spoil_strings, spoil_file, spoil_end, spoil_middle,
        };
        SpawnBuilder b = {};
        size_t size;

        for (size_t i = 0; i < ARRAY_SIZE(spoilers); i++) {
                (void) build(&b, &size);
                spoilers[i](b.packet);
                if (wire_check(b.packet, size, 4) != -EBADMSG)
                        fail_msg("spoiler %zu was not noticed", i);
        }
        (void) build(&b, &size);
        assert_int_equal(wire_check(b.packet, size, 3), -EBADMSG);
        assert_int_equal(wire_check(b.packet, size, 5), -EBADMSG);
        spawn_builder_done(&b);
}

/* Cut anywhere, a packet is refused; the memory behind the cut is not there, so that reading it shows under a sanitizer. */
static void test_check_refuses_every_cut(void **state) {
        SpawnBuilder b = {};
        size_t size;
        const WireSpawn *s = build(&b, &size);

        for (size_t n = 0; n < size; n++) {
                char *cut = malloc(n ?: 1);

                memcpy(cut, s, n);
                assert_int_equal(wire_check(cut, n, 4), -EBADMSG);
                if (n >= sizeof(WireHeader)) {
                        ((WireHeader *) (void *) cut)->size = (uint32_t) n;
                        assert_int_equal(wire_check(cut, n, 4), -EBADMSG);
                }
                free(cut);
        }
        spawn_builder_done(&b);
}

static void test_check_of_the_small_packets(void **state) {
        WireRun run = { .h = { WIRE_ACK, sizeof(run) }, .run = 1 };
        WireSignal sig = { .h = { WIRE_SIGNAL, sizeof(sig) }, .run = 1, .signal = 15 };
        WireHold hold = { .h = { WIRE_HOLD, sizeof(hold) }, .name = "socket" };
        WireChild child = { .h = { WIRE_CHILD, sizeof(child) }, .run = 1, .state = CHILD_EXITED };
        WireHeader unknown = { 4711, sizeof(unknown) };

        assert_int_equal(wire_check(&run, sizeof(run), 0), 0);
        assert_int_equal(wire_check(&run, sizeof(run), 1), -EBADMSG);
        assert_int_equal(wire_check(&run, sizeof(run) - 1, 0), -EBADMSG);
        run.run = 0;
        assert_int_equal(wire_check(&run, sizeof(run), 0), -EBADMSG);

        assert_int_equal(wire_check(&sig, sizeof(sig), 0), 0);
        sig.target = 2;
        assert_int_equal(wire_check(&sig, sizeof(sig), 0), -EBADMSG);
        sig.target = 0;
        sig.signal = 65;
        assert_int_equal(wire_check(&sig, sizeof(sig), 0), -EBADMSG);
        sig.signal = 0;
        assert_int_equal(wire_check(&sig, sizeof(sig), 0), -EBADMSG);

        assert_int_equal(wire_check(&hold, sizeof(hold), 1), 0);
        assert_int_equal(wire_check(&hold, sizeof(hold), 0), -EBADMSG);
        memset(hold.name, 'x', sizeof(hold.name));
        assert_int_equal(wire_check(&hold, sizeof(hold), 1), -EBADMSG);
        hold.name[0] = '\0';
        assert_int_equal(wire_check(&hold, sizeof(hold), 1), -EBADMSG);

        assert_int_equal(wire_check(&child, sizeof(child), 0), 0);
        child.state = CHILD_ORPHAN + 1;
        assert_int_equal(wire_check(&child, sizeof(child), 0), -EBADMSG);

        assert_int_equal(wire_check(&unknown, sizeof(unknown), 2), 0);
        assert_int_equal(wire_check(&unknown, sizeof(unknown) - 1, 0), -EBADMSG);
        unknown.size++;
        assert_int_equal(wire_check(&unknown, sizeof(unknown), 0), -EBADMSG);
}

static void test_names(void **state) {
        for (int s = 0; s < _STAGE_MAX; s++) {
                assert_non_null(wire_stage_name((SpawnStage) s));
                for (int other = 0; other < s; other++)
                        assert_string_not_equal(wire_stage_name((SpawnStage) s), wire_stage_name((SpawnStage) other));
        }
        assert_string_equal(wire_stage_name(_STAGE_MAX), "unknown stage");
        assert_string_equal(wire_stage_name(STAGE_CWD), "change directory");
        assert_string_equal(wire_type_name(WIRE_SPAWN), "SPAWN");
        assert_string_equal(wire_type_name(WIRE_SIGNALED), "SIGNALED");
        assert_string_equal(wire_type_name(9999), "unknown packet");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_builder_makes_what_check_accepts),
                cmocka_unit_test(test_builder_is_reusable_after_an_error),
                cmocka_unit_test(test_builder_fills_a_packet_to_the_last_byte),
                cmocka_unit_test(test_builder_counts_words),
                cmocka_unit_test(test_check_refuses_spoiled_spawns),
                cmocka_unit_test(test_check_refuses_every_cut),
                cmocka_unit_test(test_check_of_the_small_packets),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
