/* Files: what cannot be read, what is too large, several at once, and that size costs no more than its due. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/span.h"
#include "config_test.inc.h"

static char directory[64];

static int make_directory(void **state) {
        strcpy(directory, "/tmp/kingly-config-XXXXXX");
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
        return rmdir(directory);
}

static char *path_of(const char *name) {
        char *path = path_join(directory, name);

        assert_non_null(path);
        return path;
}

static char *make_file(const char *name, const void *text, size_t n) {
        char *path = path_of(name);

        assert_int_equal(write_file_atomic(path, text, n, 0600), 0);
        return path;
}

static void remove_file(char *path) {
        assert_int_equal(unlink(path), 0);
        free(path);
}

static void expect_failure(const char *path, int error, const char *words) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        assert_int_equal(config_load_file(path, &test_options, &specs, &d), error);
        assert_int_equal(d.n, 1);
        assert_string_equal(d.items[0].file, path);
        assert_string_equal(d.items[0].message, words);
}

static void test_unreadable(void **state) {
        char *loop = path_of("loop");

        expect_failure(directory, -EISDIR, "cannot be read: Is a directory");
        expect_failure("/nonexistent/kingly.yaml", -ENOENT, "cannot be read: No such file or directory");
        expect_failure("/dev/zero", -EFBIG, "larger than 16 MiB");
        assert_int_equal(symlink("loop", loop), 0);
        expect_failure(loop, -ELOOP, "cannot be read: Too many levels of symbolic links");
        remove_file(loop);
        if (geteuid() != 0) {
                char *locked = make_file("locked", "", 0);

                assert_int_equal(chmod(locked, 0), 0);
                expect_failure(locked, -EACCES, "cannot be read: Permission denied");
                remove_file(locked);
        }
}

static void test_relative_to_file(void **state) {
        static const char text[] = "services: {a: {command: ./x, env_file: .env}}\n";
        char *path = make_file("kingly.yaml", text, strlen(text)), *expected = path_of("x");
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        assert_int_equal(config_load_file(path, &test_options, &specs, &d), 0);
        assert_string_equal(specs.items[0]->cwd, directory);
        assert_string_equal(specs.items[0]->command[0], expected);
        free(expected);
        remove_file(path);
}

static void test_several(void **state) {
        static const char one[] = "services: {web: {command: x, depends_on: [db]}}\n", two[] = "services: {db: {command: x}}\n",
                          three[] = "services:\n  db: {command: y}\n  other: {command: x, depends_on: [bd]}\n";
        char *a = make_file("a.yaml", one, strlen(one)), *b = make_file("b.yaml", two, strlen(two)),
             *c = make_file("c.yaml", three, strlen(three));
        char *paths[] = { a, b, c, (char *) "/nonexistent/d", NULL }, *said, *expected;
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        assert_int_equal(config_load_files((char *[]) { a, b, NULL }, &test_options, &specs, &d), 0);
        assert_int_equal(specs.n, 2);
        assert_int_equal(d.n, 0);
        /* What is there already counts as well, and stays when a load fails. */
        assert_int_equal(config_load_file(b, &test_options, &specs, &d), -EINVAL);
        assert_string_equal(d.items[0].message, "service `db` is defined already");
        assert_int_equal(specs.n, 2);
        diagnostics_done(&d);
        spec_list_done(&specs);

        assert_int_equal(config_load_files(paths, &test_options, &specs, &d), -ENOENT);
        assert_int_equal(specs.n, 0);
        said = messages(&d);
        expected = text_printf("%s:2:3: error: duplicate service `db`: the first one stands in %s, line 1\n"
                               "%s:3:36: error: depends_on: there is no service `bd` — did you mean `db`?\n"
                               "/nonexistent/d: error: cannot be read: No such file or directory\n",
                               c, b, c);
        assert_string_equal(said, expected);
        free(said);
        free(expected);
        remove_file(a);
        remove_file(b);
        remove_file(c);
}

/* Standard input for a moment. */
static void test_stdin(void **state) {
        static const char text[] = "services: {a: {command: ./x}}\n";
        int saved = fd_dup(STDIN_FILENO), ends[2];
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char here[4096];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t) strlen(text));
        close(ends[1]);
        assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
        close(ends[0]);
        assert_int_equal(config_load_file("-", &test_options, &specs, &d), 0);
        if (saved >= 0)
                assert_true(dup2(saved, STDIN_FILENO) >= 0);
        else
                close(STDIN_FILENO);
        fd_close(saved);
        assert_non_null(getcwd(here, sizeof(here)));
        assert_string_equal(specs.items[0]->cwd, here);
}

static usec_t cpu_time(void) {
        struct rusage u;

        assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
        return (usec_t) u.ru_utime.tv_sec * USEC_PER_SEC + (usec_t) u.ru_utime.tv_usec;
}

/* Ten thousand services, each depending on the one before, in ten megabytes. The bound is generous for sanitizers; quadratic work would
 * miss it by far. */
static void test_many_services(void **state) {
        _cleanup_buffer_ Buffer b = {};
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char filler[900];
        usec_t before;

        memset(filler, 'x', sizeof(filler));
        assert_int_equal(buffer_printf(&b, "defaults: {restart: {delay: 1s}, env: {A: b}}\nservices:\n"), 0);
        for (int i = 0; i < CONFIG_SERVICES_MAX; i++) {
                assert_int_equal(
                        buffer_printf(
                                &b,
                                "  service-%d:\n    command: [prog, --number, %d]\n    limits: {memory_max: 64M}\n    env: {B: %.900s}\n",
                                i, i, filler),
                        0);
                if (i > 0)
                        assert_int_equal(buffer_printf(&b, "    depends_on: {service-%d: ready}\n", i - 1), 0);
        }
        assert_true(b.size > 10 * 1000 * 1000);
        before = cpu_time();
        assert_int_equal(config_load_text("f", "/", b.data, b.size, &test_options, &specs, &d), 0);
        assert_int_equal(specs.n, CONFIG_SERVICES_MAX);
        printf("%d services, %zu bytes: %" PRIu64 " ms\n", CONFIG_SERVICES_MAX, b.size, (cpu_time() - before) / 1000);
        assert_true(cpu_time() - before < 20 * USEC_PER_SEC);

        assert_int_equal(buffer_printf(&b, "  one-more: {command: x}\n"), 0);
        spec_list_done(&specs);
        assert_int_equal(config_load_text("f", "/", b.data, b.size, &test_options, &specs, &d), -EINVAL);
        assert_string_equal(d.items[0].message, "more than 10000 services");
        assert_int_equal(specs.n, 0);
}

static void expect_one(const char *text, const char *words) {
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};

        assert_int_equal(config_load_text("f", "/", text, strlen(text), &test_options, &specs, &d), -EINVAL);
        assert_true(d.n >= 1);
        assert_string_equal(d.items[0].message, words);
}

static void test_bombs(void **state) {
        _cleanup_buffer_ Buffer wide = {}, deep = {}, merges = {}, flat = {};
        usec_t before = cpu_time();

        /* 9^9 nodes behind nine aliases */
        assert_int_equal(buffer_printf(&wide, "x-a0: &a0 [x,x,x,x,x,x,x,x,x]\n"), 0);
        for (int i = 1; i < 9; i++)
                assert_int_equal(buffer_printf(&wide, "x-a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
                                               i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1),
                                 0);
        expect_one(wide.data, "the file stands for more than 2000000 nodes when its aliases are expanded");
        /* depth, in the text and through aliases */
        for (int i = 0; i < 100; i++)
                assert_int_equal(buffer_append(&deep, "[", 1), 0);
        expect_one(deep.data, "nested more than 64 levels deep");
        deep.size = 0;
        assert_int_equal(buffer_printf(&deep, "x-a0: &a0 [x]\n"), 0);
        for (int i = 1; i < 100; i++)
                assert_int_equal(buffer_printf(&deep, "x-a%d: &a%d [*a%d]\n", i, i, i - 1), 0);
        expect_one(deep.data, "nested more than 64 levels deep");
        /* merge keys that double */
        assert_int_equal(buffer_printf(&merges, "x-a0: &a0 {"), 0);
        for (int i = 0; i < 1000; i++)
                assert_int_equal(buffer_printf(&merges, "k%d: 1, ", i), 0);
        assert_int_equal(buffer_printf(&merges, "}\n"), 0);
        for (int i = 0; i < 5000; i++)
                assert_int_equal(buffer_printf(&merges, "x-m%d: {<<: *a0}\n", i), 0);
        expect_one(merges.data, "the file stands for more than 2000000 nodes when its aliases are expanded");
        /* nothing but nodes; not by an emulator */
        if (getenv("KINGLY_SLOW"))
                return;
        assert_int_equal(buffer_printf(&flat, "x-a: [\n"), 0);
        for (int i = 0; i < 2100000; i++)
                assert_int_equal(buffer_append(&flat, i % 40 ? "a," : "a,\n", i % 40 ? 2 : 3), 0);
        expect_one(flat.data, "the file stands for more than 2000000 nodes when its aliases are expanded");
        assert_true(cpu_time() - before < 60 * USEC_PER_SEC);
}

static void test_variable_bomb(void **state) {
        _cleanup_buffer_ Buffer b = {};
        _cleanup_spec_list_ SpecList specs = {};
        _cleanup_diagnostics_ Diagnostics d = {};
        char *value = malloc(100000 + 3), *environment[] = { value, NULL };

        memset(value, 'x', 100002);
        memcpy(value, "V=", 2);
        value[100002] = '\0';
        assert_int_equal(buffer_printf(&b, "x-a: ["), 0);
        for (int i = 0; i < 10000; i++)
                assert_int_equal(buffer_printf(&b, "\"${V}\",\n"), 0);
        assert_int_equal(buffer_printf(&b, "]\nservices: {a: {command: x}}\n"), 0);
        assert_int_equal(config_load_text("f", "/", b.data, b.size, &(ConfigOptions) { .environment = environment }, &specs, &d), -EINVAL);
        assert_string_equal(d.items[0].message, "the variables of this file expand to more than 16 MiB");
        free(value);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unreadable),    cmocka_unit_test(test_relative_to_file), cmocka_unit_test(test_several),
                cmocka_unit_test(test_stdin),         cmocka_unit_test(test_many_services),    cmocka_unit_test(test_bombs),
                cmocka_unit_test(test_variable_bomb),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
