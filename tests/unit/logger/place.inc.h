/* A directory of its own for each test, and files as strings. Everything made here is removed again. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/span.h"
#include "base/text.h"
#include "../seed.inc.h"

typedef struct Place {
        char dir[64];
        char path[128];          /* dir/web-0.log */
} Place;

static inline int place_open(void **state) {
        Place *p = calloc(1, sizeof(*p));

        assert_non_null(p);
        strcpy(p->dir, "/tmp/kingly-logger-XXXXXX");
        assert_non_null(mkdtemp(p->dir));
        snprintf(p->path, sizeof(p->path), "%s/web-0.log", p->dir);
        *state = p;
        return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *w) {
        return remove(path);
}

static inline int place_close(void **state) {
        Place *p = *state;

        (void) nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(p);
        return 0;
}

/* The bytes of PATH, or PATH.number; NULL when it does not exist. The caller frees. */
static inline char *file_number(const char *path, unsigned number, size_t *ret_size) {
        char name[256], *data;
        int r;

        snprintf(name, sizeof(name), number ? "%s.%u" : "%s", path, number);
        r = read_file_at(AT_FDCWD, name, SIZE_MAX, &data, ret_size);
        if (r == -ENOENT)
                return NULL;
        assert_int_equal(r, 0);
        return data;
}

/* All files of the chain, oldest first, in one. */
static inline void file_chain(const char *path, unsigned last, Buffer *ret) {
        for (unsigned i = last + 1; i-- > 0;) {
                size_t n = 0;
                char *data = file_number(path, i, &n);

                if (data)
                        assert_int_equal(buffer_append(ret, data, n), 0);
                free(data);
        }
        if (ret->size == 0)
                assert_int_equal(buffer_append(ret, "", 0), 0);
}

static inline void file_put(const char *path, const void *data, size_t n, int flags) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0640);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, data, n), 0);
        close(fd);
}

/* What stands in a text file, without its stamps: "out MESSAGE\n" … Checks every stamp on the way. */
static inline void strip_stamps(const char *p, size_t n, Buffer *ret) {
        const char *end = p + n, *newline;

        assert_int_equal(buffer_append(ret, "", 0), 0);
        for (; p < end; p = newline + 1) {
                newline = memchr(p, '\n', (size_t) (end - p));
                assert_non_null(newline);
                assert_true(newline - p >= 32);
                assert_int_equal(p[26], 'Z');
                assert_int_equal(p[27], ' ');
                assert_int_equal(buffer_append(ret, p + 28, (size_t) (newline - p) - 28 + 1), 0);
        }
}
