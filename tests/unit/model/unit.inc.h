/* What the tests of this room share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strv.h"
#include "base/text.h"
#include "model/spec.h"

static inline ServiceSpec *make_spec(const char *ns, const char *name) {
        ServiceSpec *s = NULL;

        assert_int_equal(spec_new(ns, name, &s), 0);
        assert_int_equal(strv_append(&s->command, "/bin/true"), 0);
        return s;
}

static inline void add_dependency(ServiceSpec *s, const char *name, DependKind kind) {
        DependencyList *l = &s->depends;

        l->items = reallocarray(l->items, l->n + 1, sizeof(Dependency));
        assert_non_null(l->items);
        l->items[l->n++] = (Dependency) { strdup(name), kind };
        assert_non_null(l->items[l->n - 1].name);
}

static inline void add_device(DeviceLimitList *l, const char *path, uint64_t value) {
        l->items = reallocarray(l->items, l->n + 1, sizeof(DeviceLimit));
        assert_non_null(l->items);
        l->items[l->n++] = (DeviceLimit) { strdup(path), value };
        assert_non_null(l->items[l->n - 1].path);
}

static inline void add_code(CodeList *l, int32_t code) {
        l->items = reallocarray(l->items, l->n + 1, sizeof(int32_t));
        assert_non_null(l->items);
        l->items[l->n++] = code;
}

/* Parses a scalar by path; fails the test with the message when it is refused. */
static inline void set_key(ServiceSpec *s, const char *path, const char *text) {
        _cleanup_error_ KlError e = {};
        const SpecKey *k = spec_key_find(path);

        assert_non_null(k);
        if (spec_scalar_parse(k, s, text, &e) < 0)
                fail_msg("%s: %s refused: %s", path, text, e.message);
}

static inline char *get_key(const ServiceSpec *s, const char *path) {
        const SpecKey *k = spec_key_find(path);

        assert_non_null(k);
        return spec_key_format(k, s);
}

static inline void expect_key(const ServiceSpec *s, const char *path, const char *text) {
        _cleanup_free_ char *got = get_key(s, path);

        assert_non_null(got);
        assert_string_equal(got, text);
}
