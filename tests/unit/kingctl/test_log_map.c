/* Traces of Node against maps beside the scripts, in them, and absent. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/text.h"
#include "kingctl/log_map.h"

/* Line 1: column 1 → first source 1:1, column 5 → 1:9; line 2, column 3 → second source 17:1. */
#define MAPPINGS "AAAA,IAAQ;ECgBR"

static char dir[] = "/tmp/kingly-map-XXXXXX";

static char *in_dir(const char *name) {
        return text_printf("%s/%s", dir, name);
}

static void put(const char *name, const char *text) {
        _cleanup_free_ char *path = in_dir(name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        close(fd);
}

/* DIR stands for the directory. */
static char *expand(const char *text) {
        _cleanup_buffer_ Buffer b = {};

        for (const char *p; (p = strstr(text, "DIR")); text = p + 3)
                assert_int_equal(buffer_append(&b, text, (size_t) (p - text)) | buffer_append(&b, dir, strlen(dir)), 0);
        assert_int_equal(buffer_append(&b, text, strlen(text)), 0);
        return TAKE_PTR(b.data);
}

static void expect(LogMap *m, const char *message, const char *expected) {
        _cleanup_free_ char *from = expand(message), *to = expected ? expand(expected) : NULL, *got = log_map_message(m, from);

        if (!streq(got, to))
                fail_msg("%s\nbecame\n%s\nnot\n%s", from, got, to);
}

static void traces(void **state) {
        LogMap *m = NULL;

        assert_int_equal(log_map_new(&m), 0);
        put("app.js", "x");
        put("app.js.map", "{\"version\":3,\"sources\":[\"../src/a b.ts\",\"webpack://shop/./b.ts\"],\"mappings\":\"" MAPPINGS "\"}");
        expect(m, "Error: no\n    at f (DIR/app.js:1:6)\n    at DIR/app.js:2:4\n", "Error: no\n    at f (/tmp/src/a b.ts:1:9)\n    at webpack://shop/./b.ts:17:1\n");
        expect(m, "    at async g (file://DIR/app.js:1:1)", "    at async g (/tmp/src/a b.ts:1:1)");
        expect(m, "    at async DIR/app.js:1:1 and DIR/app.js:1:1", "    at async /tmp/src/a b.ts:1:1 and DIR/app.js:1:1");
        expect(m, "    at DIR/app.js:9:1", NULL);
        expect(m, "    at DIR/app.js:2:1", NULL);
        expect(m, "    at DIR/app.js:0:1", NULL);
        expect(m, "    at DIR/app.js:1", NULL);
        expect(m, "    at DIR/app.js:1:", NULL);
        expect(m, "    at DIR/app.js:99999999999999999999:1", NULL);
        expect(m, "    at app.js:1:1", NULL);
        expect(m, "    at f (node:internal/x.js:1:1)", NULL);
        expect(m, "    at DIR/missing.js:1:1", NULL);
        expect(m, "", NULL);
        expect(m, "a.js: b.js:1: (.mjs:1:1) .cjs:", NULL);
        log_map_free(m);
        assert_null(log_map_free(NULL));
}

static void where_maps_are(void **state) {
        LogMap *m = NULL;

        assert_int_equal(log_map_new(&m), 0);
        put("inline.mjs", "x\n//# sourceMappingURL=old.map\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,"
                          "eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbImMudHMiXSwibWFwcGluZ3MiOiJBQUFBIn0=\n");
        put("named.cjs", "x\n//# sourceMappingURL=maps.json\n");
        put("maps.json", ")]}'\n{\"version\":3,\"sourceRoot\":\"lib\",\"sources\":[\"d.ts\"],\"mappings\":\"AAAA\"}");
        put("broken.js", "x\n//# sourceMappingURL=data:application/json;base64,*\n");
        put("remote.js", "x\n//# sourceMappingURL=https://example.org/x.map\n");
        put("odd.js", "x");
        put("odd.js.map", "{\"sources\":[3],\"mappings\":\"AAAA\"}");
        put("torn.js", "x");
        put("torn.js.map", "{\"sources\":[\"a\"],\"mappings\":\"A*\"}");
        put("blank name.js", "x");
        put("blank name.js.map", "{\"sources\":[\"file:///e.ts\"],\"mappings\":\"AAAA\"}");
        expect(m, "    at DIR/inline.mjs:1:1", "    at DIR/c.ts:1:1");
        expect(m, "    at DIR/named.cjs:1:1", "    at DIR/lib/d.ts:1:1");
        expect(m, "    at f (DIR/blank name.js:1:1)", "    at f (/e.ts:1:1)");
        expect(m, "    at f (file://DIR/blank%20name.js:1:1)", "    at f (/e.ts:1:1)");
        expect(m, "    at DIR/broken.js:1:1", NULL);
        expect(m, "    at DIR/remote.js:1:1", NULL);
        expect(m, "    at DIR/odd.js:1:1", NULL);
        expect(m, "    at DIR/torn.js:1:1", NULL);
        log_map_free(m);
}

/* A name that is no regular file is not opened: reading a pipe would wait for ever. */
static void no_files(void **state) {
        _cleanup_free_ char *path = in_dir("pipe.js");
        LogMap *m = NULL;

        assert_int_equal(log_map_new(&m), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        expect(m, "    at DIR/pipe.js:1:1", NULL);
        log_map_free(m);
}

static int setup(void **state) {
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
        _cleanup_free_ char *command = text_printf("rm -rf %s", dir);

        return system(command);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(traces), cmocka_unit_test(where_maps_are), cmocka_unit_test(no_files) };

        return cmocka_run_group_tests(tests, setup, teardown);
}
