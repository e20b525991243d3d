/* The daemons' own log lines. One line is built in one buffer on the stack and leaves in one write(2), so lines of the programs that share
 * a stderr never mix; nothing here allocates, so that running out of memory can be logged. A stderr that is full or gone loses the line. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/span.h"

#define LOG_LINE_MAX 2048

static const char *log_program = "kingly";
static int log_max_level = LOG_INFO;
static bool log_to_journal = false;

/* systemd names the journal's socket in the environment; a child that redirected its stderr still inherits the variable, hence the fstat.
 */
static bool stderr_is_journal(void) {
        const char *e = getenv("JOURNAL_STREAM");
        uint64_t dev, inode;
        struct stat st;

        if (!e || sscanf(e, "%" SCNu64 ":%" SCNu64, &dev, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
                return false;
        return st.st_dev == dev && st.st_ino == inode;
}

void log_open(const char *program, int max_level) {
        log_program = program;
        log_max_level = max_level;
        log_to_journal = stderr_is_journal();
}

void log_set_level(int max_level) {
        log_max_level = max_level;
}

int log_level(void) {
        return log_max_level;
}

static const char *level_word(int level) {
        static const char *const words[] = { "emergency: ", "alert: ", "critical: ", "error: ", "warning: ", "", "", "debug: " };

        return words[level];
}

static int print_prefix(char *line, size_t size, int level) {
        char stamp[FORMAT_MAX];

        if (log_to_journal)
                return snprintf(line, size, "<%i>%s: ", level, log_program);
        return snprintf(line, size, "%s %s: %s", format_time(stamp, now_usec(CLOCK_REALTIME)), log_program, level_word(level));
}

/* snprintf's result → what really stands in a buffer of that size. */
static size_t printed(int n, size_t size) {
        return n < 0 ? 0 : MIN((size_t) n, size - 1);
}

static void log_line(int level, const char *format, va_list ap, const char *reason) {
        char line[LOG_LINE_MAX];
        int saved = errno;
        size_t start, n;

        n = start = printed(print_prefix(line, sizeof(line), level), sizeof(line));
        errno = saved; /* for %m */
        n += printed(vsnprintf(line + n, sizeof(line) - n, format, ap), sizeof(line) - n);
        if (reason)
                n += printed(snprintf(line + n, sizeof(line) - n, ": %s", reason), sizeof(line) - n);
        /* A message stays one line, and a name that a stranger chose must not steer the terminal. */
        for (size_t i = start; i < n; i++)
                if ((unsigned char) line[i] < ' ' || line[i] == 0x7f)
                        line[i] = ' ';
        line[n++] = '\n'; /* in the place of the NUL */
        (void) !write(STDERR_FILENO, line, n);
        errno = saved;
}

void log_at(int level, const char *format, ...) {
        va_list ap;

        level = LOG_PRI(level);
        if (level > log_max_level)
                return;
        va_start(ap, format);
        log_line(level, format, ap, NULL);
        va_end(ap);
}

int log_errno(int level, int r, const char *format, ...) {
        const char *reason = strerrordesc_np(r < 0 ? -r : r);
        int saved = errno;
        va_list ap;

        level = LOG_PRI(level);
        if (level > log_max_level)
                return r;
        errno = r < 0 ? -r : r;
        va_start(ap, format);
        log_line(level, format, ap, reason ?: "unknown error");
        va_end(ap);
        errno = saved;
        return r;
}
