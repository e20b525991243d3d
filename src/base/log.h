/* The daemons' own log: stderr, as "<N>message" when stderr goes to the journal ($JOURNAL_STREAM names it), else with a time stamp.
 * Library code (everything below the top floor) logs at debug only. Never allocates. */
#pragma once

#include <syslog.h>

#include "base/macro.h"

void log_open(const char *program, int max_level);   /* program: static string shown in front */
void log_set_level(int max_level);
int log_level(void);
void log_at(int level, const char *format, ...) _printf_(2, 3);   /* errno is kept; %m works */
#define log_error(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) do { if (log_level() >= LOG_DEBUG) log_at(LOG_DEBUG, __VA_ARGS__); } while (0)
/* Logs with the text of errno value -r and returns r: `return log_errno(LOG_ERR, r, "cannot open %s", path);` prints "cannot open X:
 * reason". */
int log_errno(int level, int r, const char *format, ...) _printf_(3, 4);
