/* The tables and their history. migrations[n] brings a file of user_version n to n+1; entries are never changed once released, only added.
 * All steps run in one transaction: a file is at one version or at another, never between. */
#include "store/store_private.h"

#include "base/text.h"

static const char *const migrations[] = {
        /* 0 → 1 */
        "CREATE TABLE service (ns TEXT NOT NULL, name TEXT NOT NULL, spec_json TEXT NOT NULL, origin TEXT NOT NULL,"
        " wanted INTEGER NOT NULL, generation INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (ns, name)) WITHOUT ROWID;"
        "CREATE TABLE run (ns TEXT NOT NULL, name TEXT NOT NULL, instance INTEGER NOT NULL, run INTEGER NOT NULL,"
        " generation INTEGER NOT NULL, invocation_id TEXT NOT NULL, pid INTEGER NOT NULL, start_time INTEGER NOT NULL,"
        " boot_id TEXT NOT NULL, isolation TEXT NOT NULL, location TEXT NOT NULL, ready INTEGER NOT NULL, since_realtime INTEGER NOT NULL,"
        " restarts INTEGER NOT NULL, rest TEXT NOT NULL, reason INTEGER NOT NULL, exit_code INTEGER NOT NULL, exit_signal INTEGER NOT NULL,"
        " PRIMARY KEY (ns, name, instance)) WITHOUT ROWID;"
        "CREATE TABLE event (id INTEGER PRIMARY KEY, realtime INTEGER NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,"
        " instance INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, data_json TEXT NOT NULL);"
        "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",
        /* 1 → 2: all of an instance's state, so that a manager goes on where the last one left off; of what was not kept before, what
         * does the least harm (flags: see rows.c). */
        "ALTER TABLE run ADD COLUMN state TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE run ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE run ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE run ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE run ADD COLUMN run_since INTEGER NOT NULL DEFAULT 1;"
        "ALTER TABLE run ADD COLUMN ready_since INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE run ADD COLUMN deadline INTEGER NOT NULL DEFAULT -1;"
        "ALTER TABLE run ADD COLUMN stop_due INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE run ADD COLUMN watchdog INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE run ADD COLUMN status TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE run ADD COLUMN hint TEXT NOT NULL DEFAULT '';"
        "UPDATE run SET stop_due = rest = 'stopping', state = CASE rest WHEN 'exited' THEN 'EXITED' WHEN 'failed' THEN 'FAILED'"
        " WHEN 'stopped' THEN 'STOPPED' ELSE iif(ready, 'RUNNING', 'STARTING') END,"
        " flags = iif(rest = 'stopped', 0, 1) + iif(rest = 'restarting', 2, 0) + iif(rest IN ('exited', 'failed', 'stopped'), 0, 4)"
        " + iif(ready, 16, 0) + iif(exit_code >= 0 OR exit_signal > 0, 128, 0);"
        "ALTER TABLE run DROP COLUMN rest;"
        "ALTER TABLE run DROP COLUMN ready;",
        /* 2 → 3: the numbers of instances */
        "ALTER TABLE run ADD COLUMN number INTEGER NOT NULL DEFAULT 4294967295;",
        /* 3 → 4: how often in a row it grew too big. */
        "ALTER TABLE run ADD COLUMN oversized INTEGER NOT NULL DEFAULT 0;",
        /* 4 → 5: schedules */
        ("CREATE TABLE schedule (ns TEXT NOT NULL, name TEXT NOT NULL, handled INTEGER NOT NULL, last INTEGER NOT NULL,"
         " pending INTEGER NOT NULL, PRIMARY KEY (ns, name)) WITHOUT ROWID;"),
        /* 5 → 6: what the run has said by sd_notify that stays true of it. */
        "ALTER TABLE run ADD COLUMN said TEXT NOT NULL DEFAULT '';",
};

static int schema_version(sqlite3 *db, uint64_t *ret) {
        sqlite3_stmt *st = NULL;
        int code;

        code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(st);
        if (code == SQLITE_ROW)
                *ret = (uint64_t) sqlite3_column_int64(st, 0);
        sqlite3_finalize(st);
        return code == SQLITE_ROW ? 0 : store_errno(db, code);
}

int schema_check(sqlite3 *db) {
        uint64_t version;
        int r;

        r = schema_version(db, &version);
        if (r < 0)
                return r;
        return version > ARRAY_SIZE(migrations) ? -ENOTSUP : 0;
}

int schema_outdated(sqlite3 *db) {
        uint64_t version;
        int r = schema_version(db, &version);

        return r < 0 ? r : version > 0 && version < ARRAY_SIZE(migrations);
}

static int execute(sqlite3 *db, const char *sql) {
        int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

        return code == SQLITE_OK ? 0 : store_errno(db, code);
}

/* The version is asked again under the write lock: two processes may have opened the same new file. */
static int migrate_locked(sqlite3 *db) {
        _cleanup_free_ char *set_version = NULL;
        uint64_t version;
        int r;

        r = schema_version(db, &version);
        if (r < 0)
                return r;
        for (; version < ARRAY_SIZE(migrations); version++) {
                r = execute(db, migrations[version]);
                if (r < 0)
                        return r;
        }
        set_version = text_printf("PRAGMA user_version = %zu; COMMIT", ARRAY_SIZE(migrations));
        return set_version ? execute(db, set_version) : -ENOMEM;
}

int schema_migrate(sqlite3 *db) {
        uint64_t version;
        int r;

        r = schema_version(db, &version);
        if (r < 0 || version == ARRAY_SIZE(migrations))
                return r;
        r = execute(db, "BEGIN IMMEDIATE");
        if (r < 0)
                return r;
        r = migrate_locked(db);
        if (r < 0)
                (void) execute(db, "ROLLBACK");
        return r;
}
