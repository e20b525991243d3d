/* Between the files of this room: the open file and its kept statements (store.c) and the rows (rows.c). */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

typedef enum Statement {
        STATEMENT_BEGIN,
        STATEMENT_COMMIT,
        STATEMENT_ROLLBACK,
        STATEMENT_PUT_SERVICE,
        STATEMENT_SET_WANTED,
        STATEMENT_SET_GENERATION,
        STATEMENT_DELETE_SERVICE,
        STATEMENT_DELETE_RUNS,
        STATEMENT_EACH_SERVICE,
        STATEMENT_PUT_RUN,
        STATEMENT_DELETE_RUN,
        STATEMENT_DELETE_ORPHANS,
        STATEMENT_EACH_RUN,
        STATEMENT_PUT_SCHEDULE,
        STATEMENT_DELETE_SCHEDULE,
        STATEMENT_EACH_SCHEDULE,
        STATEMENT_ADD_EVENT,
        STATEMENT_TRIM_EVENTS,
        STATEMENT_EACH_EVENT,
        STATEMENT_EACH_EVENT_BACK,
        STATEMENT_GET_META,
        STATEMENT_SET_META,
        _STATEMENT_MAX,
} Statement;

struct Store {
        sqlite3 *db;
        char *path;
        sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared at first use, reset after each */
        bool transaction;
        bool durable;  /* what PRAGMA synchronous is set to */
        int failed;    /* first failure in this transaction, or 0 */
        char reason[160];
};

/* One value to bind: text where `text` is set, else the number. */
typedef struct Value {
        const char *text;
        int64_t number;
} Value;
#define TEXT(s) { .text = (s) ?: "" }
#define NUMBER(n) { .number = (int64_t) (n) }

/* The errno for a result code of SQLite. */
int store_errno(sqlite3 *db, int code);
/* The statement with its values bound, ready to step; *ret stays owned by the store. */
int store_bind(Store *s, Statement which, const Value *values, size_t n, sqlite3_stmt **ret);
/* 1 a row, 0 the end, or -errno, which spoils an open transaction. The statement is reset unless there is a row. */
int store_step(Store *s, sqlite3_stmt *st);
/* Binds, steps to the end, resets. */
int store_execute(Store *s, Statement which, const Value *values, size_t n);
/* PRAGMA synchronous for what follows; not inside a transaction. */
int store_set_durable(Store *s, bool durable);
/* Puts into words what went wrong with the file; `what` is a verb: "open", "write"; reason may be NULL. Returns r. */
int store_explain(KlError *reterr, int r, const char *what, const char *path, const char *reason);
/* A fresh connection, of a file or in memory: its settings, and whether its tables are none that a newer version made. */
int store_begin_use(Store *s);
/* Keeps all statements ready. */
int store_prepare(Store *s);
/* Outside a transaction: sees to it that the next single write is not durable. */
int store_relax(Store *s);

/* Creates or upgrades the tables, in one transaction. -ENOTSUP if they are newer than we know. */
int schema_check(sqlite3 *db);
int schema_outdated(sqlite3 *db);       /* 1: there are tables, older than ours; 0; -errno */
int schema_migrate(sqlite3 *db);
