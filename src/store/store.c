/* The open file: opening and checking it, transactions, kept statements, and what errors are called. A failure inside a transaction is
 * remembered and makes the commit fail, because SQLite may already have rolled back by itself (full disk), and half a transaction must
 * never be kept. */
#include "store/store_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"

#define BUSY_TIMEOUT_MSEC 2000
#define QUICK_CHECK_SIZE_MAX (16 << 20)

static const char *const statement_texts[_STATEMENT_MAX] = {
        [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_PUT_SERVICE] =
                "INSERT INTO service (ns, name, spec_json, origin, wanted, generation, position) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (ns, name) DO UPDATE SET spec_json = excluded.spec_json, origin = excluded.origin,"
                " wanted = excluded.wanted, generation = excluded.generation, position = excluded.position",
        [STATEMENT_SET_WANTED] = "UPDATE service SET wanted = ? WHERE ns = ? AND name = ?",
        [STATEMENT_SET_GENERATION] = "UPDATE service SET generation = ? WHERE ns = ? AND name = ?",
        [STATEMENT_DELETE_SERVICE] = "DELETE FROM service WHERE ns = ? AND name = ?",
        [STATEMENT_DELETE_RUNS] = "DELETE FROM run WHERE ns = ? AND name = ?",
        [STATEMENT_EACH_SERVICE] =
                "SELECT ns, name, spec_json, origin, wanted, generation, position FROM service ORDER BY position, ns, name",
        [STATEMENT_PUT_RUN] = "INSERT OR REPLACE INTO run (ns, name, instance, run, generation, invocation_id, pid, start_time, boot_id,"
                              " isolation, location, since_realtime, state, flags, restarts, attempts, reason, exit_code, exit_signal,"
                              " since, run_since, ready_since, deadline, stop_due, watchdog, status, hint, number, oversized, said)"
                              " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_DELETE_RUN] = "DELETE FROM run WHERE ns = ? AND name = ? AND instance = ?",
        [STATEMENT_DELETE_ORPHANS] =
                "DELETE FROM run WHERE NOT EXISTS (SELECT 1 FROM service WHERE service.ns = run.ns AND service.name = run.name)",
        [STATEMENT_EACH_RUN] =
                "SELECT ns, name, instance, run, generation, invocation_id, pid, start_time, boot_id, isolation, location, since_realtime,"
                " state, flags, restarts, attempts, reason, exit_code, exit_signal, since, run_since, ready_since, deadline, stop_due,"
                " watchdog, status, hint, number, oversized, said FROM run ORDER BY ns, name, instance",
        [STATEMENT_PUT_SCHEDULE] = "INSERT OR REPLACE INTO schedule (ns, name, handled, last, pending) VALUES (?, ?, ?, ?, ?)",
        [STATEMENT_DELETE_SCHEDULE] = "DELETE FROM schedule WHERE ns = ? AND name = ?",
        [STATEMENT_EACH_SCHEDULE] = "SELECT ns, name, handled, last, pending FROM schedule ORDER BY ns, name",
        [STATEMENT_ADD_EVENT] =
                "INSERT INTO event (id, realtime, ns, name, instance, kind, message, data_json) VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?)",
        [STATEMENT_TRIM_EVENTS] = "DELETE FROM event WHERE id <= ?",
        [STATEMENT_EACH_EVENT] =
                "SELECT id, realtime, ns, name, instance, kind, message, data_json FROM event WHERE id > ? ORDER BY id",
        [STATEMENT_EACH_EVENT_BACK] =
                "SELECT id, realtime, ns, name, instance, kind, message, data_json FROM event WHERE id > ? AND realtime >= ? ORDER BY id DESC",
        [STATEMENT_GET_META] = "SELECT value FROM meta WHERE key = ?",
        [STATEMENT_SET_META] = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
};

int store_errno(sqlite3 *db, int code) {
        static const struct {
                int code, error;
        } table[] = {
                { SQLITE_OK, 0 },           { SQLITE_NOMEM, ENOMEM },    { SQLITE_BUSY, EBUSY },     { SQLITE_LOCKED, EBUSY },
                { SQLITE_FULL, ENOSPC },    { SQLITE_READONLY, EROFS },  { SQLITE_PERM, EACCES },    { SQLITE_AUTH, EACCES },
                { SQLITE_CORRUPT, EUCLEAN }, { SQLITE_NOTADB, EUCLEAN }, { SQLITE_FORMAT, EUCLEAN }, { SQLITE_TOOBIG, E2BIG },
                { SQLITE_CONSTRAINT, EEXIST },
                /* Tables of that version lack what they must have. */
                { SQLITE_ERROR, EUCLEAN },  { SQLITE_SCHEMA, EUCLEAN },
        };
        static const int plain[] = { ENOSPC, EDQUOT, EACCES, EROFS, ENOENT, EMFILE };
        int system = db ? sqlite3_system_errno(db) : 0;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if ((code & 0xff) == table[i].code)
                        return -table[i].error;
        /* Input/output and open errors: the system's own reason, where it tells more. */
        for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
                if (system == plain[i])
                        return -system;
        return -EIO;
}

int store_explain(KlError *reterr, int r, const char *what, const char *path, const char *reason) {
        static const struct {
                int error;
                const char *why, *hint;
        } table[] = {
                { ENOSPC, "no space left on the disk", "Make room on that file system; services run on meanwhile." },
                { EDQUOT, "disk quota exceeded", "Make room on that file system; services run on meanwhile." },
                { EROFS, "the file or its file system is read-only", "Put the state on a writable file system; see KINGLY_HOME." },
                { EACCES, "permission denied", "The directory and the file must belong to the user who runs the daemon." },
                { ENOENT, "no such directory", "Create the directory of the state file." },
                { EBUSY, "another process has kept it locked for two seconds",
                  "Only one daemon may use a state file: see who has it with fuser(1)." },
                { EUCLEAN, "the file is damaged or not one of ours", "It is set aside by kingd, which begins anew with what runs." },
                { ENOTSUP, "it was written by a newer version", "Run that version, or set the file aside." },
                { ENOMEM, "out of memory", NULL },
        };
        const char *why = reason && *reason ? reason : "input/output error", *hint = NULL, *id = r == -EBUSY ? KL_E_BUSY : KL_E_FAILED;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (table[i].error == -r) {
                        why = table[i].why;
                        hint = table[i].hint;
                }
        id = r == -EACCES ? KL_E_PERMISSION : r == -ENOMEM ? KL_E_NO_MEMORY : id;
        kl_error_set(reterr, r, id, "cannot %s state file %s: %s", what, path, why);
        if (hint)
                kl_error_hint(reterr, "%s", hint);
        return r;
}

int store_error(const Store *s, int r, KlError *reterr) {
        return store_explain(reterr, r, "write", s->path, strerrordesc_np(-r));
}

/* Creates the file itself, because SQLite would make it readable to all. An existing one is only ever touched by name: closing a descriptor
 * of it would drop the locks that SQLite holds in this process. */
static int prepare_file(const char *path) {
        struct stat st;
        int fd;

        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
                close(fd);
                return 0;
        }
        if (errno != EEXIST)
                return -errno;
        if (stat(path, &st) < 0)
                return errno == ENOENT || errno == ELOOP ? -EUCLEAN : -errno;      /* a link to nowhere */
        if (!S_ISREG(st.st_mode))
                return -EUCLEAN;
        if ((st.st_mode & 077) && chmod(path, 0600) < 0 && errno != EPERM && errno != EROFS)
                return -errno;
        return 0;
}

static int execute_all(sqlite3 *db, const char *const *sql, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int code = sqlite3_exec(db, sql[i], NULL, NULL, NULL);

                if (code != SQLITE_OK)
                        return store_errno(db, code);
        }
        return 0;
}

static int look_for_damage(sqlite3 *db) {
        sqlite3_stmt *st = NULL;
        bool sound;
        int code;

        code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(st);
        sound = code == SQLITE_ROW && streq((const char *) sqlite3_column_text(st, 0), "ok");
        sqlite3_finalize(st);
        if (code != SQLITE_ROW)
                return store_errno(db, code);
        return sound ? 0 : -EUCLEAN;
}

/* Damage that the first queries do not meet would be met in the middle of the night. Only for ordinary sizes: it reads all of it. A page that there was
 * no memory for is damage to SQLite, so that it has to be seen twice. */
static int quick_check(sqlite3 *db, const char *path) {
        struct stat file;
        int r;

        if (stat(path, &file) < 0)
                return -errno;
        if (file.st_size >= QUICK_CHECK_SIZE_MAX)
                return 0;
        r = look_for_damage(db);
        return r == -EUCLEAN ? look_for_damage(db) : r;
}

int store_begin_use(Store *s) {
        static const char *const frugal[] = { "PRAGMA mmap_size = 0", "PRAGMA cache_size = -256", "PRAGMA temp_store = MEMORY",
                                              "PRAGMA trusted_schema = OFF" };
        int r;

        sqlite3_extended_result_codes(s->db, 1);
        r = execute_all(s->db, frugal, ARRAY_SIZE(frugal));
        return r < 0 ? r : schema_check(s->db);
}

/* The order matters: a newer or broken file is refused before anything is written to it. */
static int store_set_up(Store *s) {
        static const char *const logged[] = { "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA wal_autocheckpoint = 256",
                                              "PRAGMA journal_size_limit = 2097152" };
        int r;

        sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MSEC);
        r = store_begin_use(s);
        if (r >= 0 && sqlite3_db_readonly(s->db, "main") > 0)
                r = -EROFS;
        if (r >= 0)
                r = execute_all(s->db, logged, ARRAY_SIZE(logged));
        if (r >= 0)
                r = quick_check(s->db, s->path);
        return r < 0 ? r : schema_migrate(s->db);
}

/* Prepares all statements once: tables of another make with our version number are found here, not at the first write. */
int store_prepare(Store *s) {
        for (size_t i = 0; i < _STATEMENT_MAX; i++) {
                int code = sqlite3_prepare_v3(s->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);

                if (code != SQLITE_OK)
                        return store_errno(s->db, code);
        }
        return 0;
}

/* A damaged header can say that the file is only to be read; on a read-only file system SQLite misses the log that it cannot make. The file
 * system is asked what is true. */
static int truly(const char *path, int r) {
        bool writable = access(path, W_OK) >= 0;

        if (r == -EROFS && writable)
                return -EUCLEAN;
        return !writable && errno == EROFS ? -EROFS : r;
}

int store_open(const char *path, Store **ret, KlError *reterr) {
        _cleanup_(store_closep) Store *s = NULL;
        int r, code;

        s = calloc(1, sizeof(*s));
        if (s)
                s->path = strdup(path);
        if (!s || !s->path)
                return store_explain(reterr, -ENOMEM, "open", path, NULL);
        r = prepare_file(path);
        if (r < 0)
                return store_explain(reterr, r, "open", path, strerrordesc_np(-r));
        /* Pages come one by one: a block of twenty at once would stay, used or not. Refused when SQLite runs already, which changes nothing. */
        (void) sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
        code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        r = code == SQLITE_OK ? store_set_up(s) : store_errno(s->db, code);
        if (r >= 0)
                r = store_prepare(s);
        if (r < 0 && r != -ENOTSUP)
                r = truly(path, r);
        if (r < 0)
                return store_explain(reterr, r, "open", path, s->db ? sqlite3_errmsg(s->db) : NULL);
        *ret = TAKE_PTR(s);
        return 0;
}

int store_outdated(const char *path) {
        sqlite3 *db = NULL;
        int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        int r = code == SQLITE_OK ? schema_outdated(db) : store_errno(db, code);

        sqlite3_close(db);
        return r;
}

Store *store_close(Store *s) {
        if (!s)
                return NULL;
        store_rollback(s);
        for (size_t i = 0; i < _STATEMENT_MAX; i++)
                sqlite3_finalize(s->statements[i]);
        sqlite3_close(s->db);
        free(s->path);
        free(s);
        return NULL;
}

void store_release(Store *s) {
        (void) sqlite3_db_release_memory(s->db);
}

/* The log and its index go first: should we die in between, the old file is still in the way and is set aside again, while a log left
 * behind beside a new file would be taken for that file's. */
int store_set_aside(const char *path, usec_t realtime, char **ret) {
        static const char *const suffixes[] = { "-wal", "-shm", "" };
        _cleanup_free_ char *name = NULL;
        char stamp[FORMAT_MAX], *out = stamp;

        format_time(stamp, realtime);
        for (const char *p = stamp; *p; p++)
                if (*p != '-' && *p != ':')
                        *out++ = *p;
        *out = '\0';
        name = text_printf("%s.bad-%s", path, stamp);
        if (!name)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                _cleanup_free_ char *from = text_printf("%s%s", path, suffixes[i]), *to = text_printf("%s%s", name, suffixes[i]);

                if (!from || !to)
                        return -ENOMEM;
                if (rename(from, to) < 0 && (errno != ENOENT || !*suffixes[i]))
                        return -errno;
        }
        *ret = TAKE_PTR(name);
        return 0;
}

int store_bind(Store *s, Statement which, const Value *values, size_t n, sqlite3_stmt **ret) {
        sqlite3_stmt *st = s->statements[which];
        int code = SQLITE_OK;

        for (size_t i = 0; i < n && code == SQLITE_OK; i++) {
                if (values[i].text)
                        code = sqlite3_bind_text(st, (int) i + 1, values[i].text, -1, SQLITE_STATIC);
                else
                        code = sqlite3_bind_int64(st, (int) i + 1, values[i].number);
        }
        if (code != SQLITE_OK)
                return store_errno(s->db, code);
        *ret = st;
        return 0;
}

static int store_fail(Store *s, int r) {
        if (s->transaction && s->failed == 0) {
                s->failed = r;
                snprintf(s->reason, sizeof(s->reason), "%s", sqlite3_errmsg(s->db));
        }
        return r;
}

int store_step(Store *s, sqlite3_stmt *st) {
        int code = sqlite3_step(st), r;

        if (code == SQLITE_ROW)
                return 1;
        r = code == SQLITE_DONE ? 0 : store_fail(s, store_errno(s->db, code));
        sqlite3_reset(st);
        sqlite3_clear_bindings(st); /* they point into the caller's memory */
        return r;
}

int store_execute(Store *s, Statement which, const Value *values, size_t n) {
        sqlite3_stmt *st;
        int r;

        if (s->transaction && s->failed < 0)
                return s->failed;
        r = store_bind(s, which, values, n, &st);
        if (r < 0)
                return store_fail(s, r);
        do
                r = store_step(s, st);
        while (r > 0);
        return r;
}

/* PRAGMA synchronous cannot change inside a transaction, so this comes before each. */
int store_set_durable(Store *s, bool durable) {
        int code;

        if (s->durable == durable)
                return 0;
        code = sqlite3_exec(s->db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
        if (code != SQLITE_OK)
                return store_errno(s->db, code);
        s->durable = durable;
        return 0;
}

int store_relax(Store *s) {
        return s->transaction ? 0 : store_set_durable(s, false);
}

int store_begin(Store *s, bool durable) {
        int r;

        if (s->transaction)
                return -EALREADY;
        r = store_set_durable(s, durable);
        if (r >= 0)
                r = store_execute(s, STATEMENT_BEGIN, NULL, 0);
        if (r < 0)
                return r;
        s->transaction = true;
        s->failed = 0;
        s->reason[0] = '\0';
        return 0;
}

int store_commit(Store *s, KlError *reterr) {
        int r;

        if (!s->transaction)
                return store_explain(reterr, -EINVAL, "write", s->path, "no transaction is open");
        r = store_execute(s, STATEMENT_COMMIT, NULL, 0);
        if (r >= 0) {
                s->transaction = false;
                return 0;
        }
        store_rollback(s);
        return store_explain(reterr, r, "write", s->path, s->reason);
}

void store_rollback(Store *s) {
        if (!s->transaction)
                return;
        s->transaction = false; /* first, so that a failure here is not counted against it */
        if (!sqlite3_get_autocommit(s->db))
                (void) store_execute(s, STATEMENT_ROLLBACK, NULL, 0);
}
