/* A store that stands in for a file that cannot be written, and its way back. SQLite needs to write beside a file even to read it (the index of
 * the write-ahead log), so the file and its log are copied to where that can be done, and read from there. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "store/store_private.h"

static const char *const suffixes[] = { "", "-wal", "-shm" };   /* the last is SQLite's own, to be removed with the others */
#define COPIED 2

static int copy_file(const char *from, const char *to) {
        _cleanup_fd_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY), out = -EBADF;
        ssize_t n;

        if (in < 0)
                return -errno;
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
                ;
        return n < 0 ? -errno : 0;
}

static int copy_database(sqlite3 *to, sqlite3 *from) {
        sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
        int code;

        if (!b)
                return store_errno(to, sqlite3_errcode(to));
        code = sqlite3_backup_step(b, -1);
        (void) sqlite3_backup_finish(b);
        return code == SQLITE_DONE ? 0 : store_errno(to, code);
}

static int read_database(const char *copy, sqlite3 *to) {
        sqlite3 *from = NULL;
        int code = sqlite3_open_v2(copy, &from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        int r = code == SQLITE_OK ? copy_database(to, from) : store_errno(from, code);

        sqlite3_close(from);
        return r;
}

/* By way of a directory of its own below `parent`, which is gone afterwards. */
static int read_through(const char *parent, const char *path, sqlite3 *to) {
        _cleanup_free_ char *dir = text_printf("%s/kingly-state-XXXXXX", parent);
        char *copies[ARRAY_SIZE(suffixes)] = {};
        int r = 0;

        if (!dir || !mkdtemp(dir))
                return dir ? -errno : -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(suffixes) && r >= 0; i++) {
                _cleanup_free_ char *from = text_printf("%s%s", path, suffixes[i]);

                copies[i] = text_printf("%s/state.db%s", dir, suffixes[i]);
                r = !from || !copies[i] ? -ENOMEM : i < COPIED ? copy_file(from, copies[i]) : 0;
                if (r == -ENOENT && i > 0)
                        r = 0;
        }
        if (r >= 0)
                r = read_database(copies[0], to);
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                if (copies[i])
                        (void) unlink(copies[i]);
                free(copies[i]);
        }
        (void) rmdir(dir);
        return r;
}

static int read_somewhere(const char *scratch, const char *path, sqlite3 *to) {
        const char *const parents[] = { scratch, "/dev/shm", "/run", "/tmp" };
        int r = -ENOENT;

        for (size_t i = 0; i < ARRAY_SIZE(parents) && r < 0; i++)
                r = read_through(parents[i], path, to);
        return r;
}

int store_open_copy(const char *path, const char *scratch, Store **ret, KlError *reterr) {
        _cleanup_(store_closep) Store *s = calloc(1, sizeof(*s));
        int r = -ENOMEM;

        if (s)
                s->path = strdup(path);
        if (!s || !s->path || sqlite3_open_v2(":memory:", &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
                return store_explain(reterr, r, "open", path, NULL);
        /* Without what it holds we begin with what runs. */
        (void) read_somewhere(scratch, path, s->db);
        r = store_begin_use(s);
        if (r >= 0)
                r = schema_migrate(s->db);
        if (r >= 0)
                r = store_prepare(s);
        if (r < 0)
                return store_explain(reterr, r, "open", path, sqlite3_errmsg(s->db));
        *ret = TAKE_PTR(s);
        return 0;
}

int store_replace(Store *to, Store *from, KlError *reterr) {
        int r = to->transaction || from->transaction ? -EALREADY : store_set_durable(to, true);

        if (r >= 0)
                r = copy_database(to->db, from->db);
        return r < 0 ? store_explain(reterr, r, "write", to->path, sqlite3_errmsg(to->db)) : 0;
}
