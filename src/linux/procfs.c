/* Readers of /proc. The answer to "no such process" is -ESRCH everywhere, whether the kernel says ENOENT at open or ESRCH at read.
 * process_stat() and process_io() run for every row of every list: they work on the stack, without allocation and without stdio. */
#include "linux/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"

#define PROC_PATH_MAX 64

/* "/proc/PID/FILE", by hand: this is the hot path of lists. */
static const char *proc_path(char path[PROC_PATH_MAX], pid_t pid, const char *file) {
        char digits[12], *d = digits + sizeof(digits);
        unsigned n = pid > 0 ? (unsigned) pid : 0;

        *--d = '\0';
        do
                *--d = (char) ('0' + n % 10);
        while (n /= 10);
        stpcpy(stpcpy(stpcpy(stpcpy(path, "/proc/"), d), "/"), file);
        return path;
}

static int proc_error(ssize_t r) {
        return r == -ENOENT ? -ESRCH : (int) r;
}

/* The next number at *s, behind blanks; 0 where there is none. A minus is skipped: no field that we want is negative. */
static uint64_t next_number(const char **s) {
        const char *p = *s;
        uint64_t v = 0;

        while (*p == ' ' || *p == '-')
                p++;
        for (; *p >= '0' && *p <= '9'; p++)
                v = v * 10 + (uint64_t) (*p - '0');
        *s = p;
        return v;
}

/* Fields 4 to 24 of proc_pid_stat(5), by their numbers there; and one that is far behind them. */
enum { STAT_PPID = 4, STAT_PGRP, STAT_SESSION, STAT_UTIME = 14, STAT_STIME, STAT_THREADS = 20, STAT_START = 22, STAT_RSS = 24, STAT_END, STAT_ENV_END = 51 };

static int stat_parse(const char *line, ProcessStat *ret) {
        /* The name may hold blanks and parentheses, so its end is the last parenthesis of the line. */
        const char *open = strchr(line, '('), *close = strrchr(line, ')');
        uint64_t f[STAT_END] = {};
        const char *p;

        if (!open || !close || close < open || close[1] != ' ' || !close[2])
                return -EIO;
        p = close + 3;
        for (size_t i = STAT_PPID; i < STAT_END; i++)
                f[i] = next_number(&p);
        *ret = (ProcessStat) {
                .ppid = (pid_t) f[STAT_PPID],
                .pgid = (pid_t) f[STAT_PGRP],
                .session = (pid_t) f[STAT_SESSION],
                .state = close[2],
                .start_time = f[STAT_START],
                .cpu = (f[STAT_UTIME] + f[STAT_STIME]) * (USEC_PER_SEC / (usec_t) sysconf(_SC_CLK_TCK)),
                .rss = f[STAT_RSS] * (uint64_t) sysconf(_SC_PAGESIZE),
                .threads = (uint32_t) f[STAT_THREADS],
        };
        memcpy(ret->comm, open + 1, MIN((size_t) (close - open - 1), sizeof(ret->comm) - 1));
        return 0;
}

/* The kernel shows 0 to those who may not know. */
static int exit_hidden(pid_t pid) {
        char path[PROC_PATH_MAX];
        struct stat st;

        snprintf(path, sizeof path, "/proc/%d", (int) pid);
        if (stat(path, &st) < 0)
                return proc_error(-errno);
        return st.st_uid == geteuid() ? 0 : -EACCES;
}

int process_exit_status(pid_t pid, uint64_t start_time, int *ret) {
        char path[PROC_PATH_MAX], line[2048];
        const char *last;
        ProcessStat st;
        ssize_t n;
        int r;

        n = read_file_into(AT_FDCWD, proc_path(path, pid, "stat"), line, sizeof(line));
        r = n < 0 ? proc_error(n) : stat_parse(line, &st);
        if (r < 0)
                return r;
        if (st.start_time != start_time)
                return -ESRCH;
        last = strrchr(line, ' ');
        if (st.state != 'Z' || !last)
                return -EBUSY;
        *ret = atoi(last + 1);
        return *ret != 0 ? 0 : exit_hidden(pid);
}

int process_stat(pid_t pid, ProcessStat *ret) {
        char path[PROC_PATH_MAX], line[2048];
        ssize_t n;

        n = read_file_into(AT_FDCWD, proc_path(path, pid, "stat"), line, sizeof(line));
        if (n < 0)
                return proc_error(n);
        return stat_parse(line, ret);
}

bool process_formed(pid_t pid) {
        char path[PROC_PATH_MAX], line[2048];
        ssize_t n = read_file_into(AT_FDCWD, proc_path(path, pid, "stat"), line, sizeof(line));
        const char *p = n < 0 ? NULL : strrchr(line, ')');
        uint64_t value = 0;

        if (!p || strlen(p) < 3)
                return false;
        p += 3;
        for (unsigned field = STAT_PPID; field <= STAT_ENV_END; field++)
                value = next_number(&p);
        return value != 0;
}

uint64_t process_born(pid_t pid, usec_t before) {
        static enum { CLOCK_UNTRIED, CLOCK_RIGHT, CLOCK_WRONG } clock;
        const usec_t tick = USEC_PER_SEC / (usec_t) sysconf(_SC_CLK_TCK);
        uint64_t earliest = before / tick, latest = now_usec(CLOCK_BOOTTIME) / tick;
        ProcessStat stat;

        if (clock == CLOCK_RIGHT && earliest == latest)
                return earliest;
        if (process_stat(pid, &stat) < 0)
                return 0;
        if (clock == CLOCK_UNTRIED && earliest == latest)
                clock = stat.start_time == earliest ? CLOCK_RIGHT : CLOCK_WRONG;
        return stat.start_time;
}

int process_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written) {
        char path[PROC_PATH_MAX], text[1024];
        const char *in, *out;
        ssize_t n;

        n = read_file_into(AT_FDCWD, proc_path(path, pid, "io"), text, sizeof(text));
        if (n < 0)
                return proc_error(n);
        in = strstr(text, "\nread_bytes:");
        out = strstr(text, "\nwrite_bytes:");
        if (!in || !out)
                return -EIO;
        in += strlen("\nread_bytes:");
        out += strlen("\nwrite_bytes:");
        *ret_read = next_number(&in);
        *ret_written = next_number(&out);
        return 0;
}

int process_pss(pid_t pid, uint64_t *ret) {
        char path[PROC_PATH_MAX], text[2048];
        const char *at;
        ssize_t n;

        n = read_file_into(AT_FDCWD, proc_path(path, pid, "smaps_rollup"), text, sizeof(text));
        if (n < 0)
                return proc_error(n);
        at = strstr(text, "\nPss:");
        if (!at)
                return -EIO;
        at += strlen("\nPss:");
        *ret = next_number(&at) * 1024;
        return 0;
}

typedef struct PidList {
        pid_t *pids;
        size_t n, allocated;
} PidList;

static void pid_list_done(PidList *l) {
        free(l->pids);
}

static int pid_list_add(PidList *l, pid_t pid) {
        if (l->n == l->allocated) {
                size_t allocated = l->allocated ? l->allocated * 2 : 64;
                pid_t *grown = reallocarray(l->pids, allocated, sizeof(pid_t));

                if (!grown)
                        return -ENOMEM;
                l->pids = grown;
                l->allocated = allocated;
        }
        l->pids[l->n++] = pid;
        return 0;
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

/* The numbers among the entries of a directory: processes of /proc, threads of /proc/PID/task. */
static int numbered_entries(const char *path, PidList *list) {
        _cleanup_(closedirp) DIR *d = opendir(path);
        int r;

        if (!d)
                return -errno;
        for (;;) {
                struct dirent *e;
                uint64_t pid;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return -errno;
                if (parse_u64(e->d_name, &pid) < 0)
                        continue;
                r = pid_list_add(list, (pid_t) pid);
                if (r < 0)
                        return r;
        }
}

static void pid_list_take(PidList *l, pid_t **ret, size_t *ret_n) {
        *ret_n = l->n;
        *ret = TAKE_PTR(l->pids);
}

int process_all(pid_t **ret, size_t *ret_n) {
        _cleanup_(pid_list_done) PidList list = {};
        int r;

        r = numbered_entries("/proc", &list);
        if (r >= 0)
                pid_list_take(&list, ret, ret_n);
        return r;
}

static int thread_children(pid_t pid, pid_t tid, PidList *list) {
        char path[PROC_PATH_MAX], file[32];
        _cleanup_free_ char *text = NULL;
        int r;

        snprintf(file, sizeof(file), "task/%i/children", tid);
        r = read_file_at(AT_FDCWD, proc_path(path, pid, file), 1 << 20, &text, NULL);
        if (r == -ENOENT || r == -ESRCH)
                return 0; /* that thread has just ended */
        for (const char *p = text; r >= 0;) {
                uint64_t child = next_number(&p);

                if (child == 0)
                        break;
                r = pid_list_add(list, (pid_t) child);
        }
        return r;
}

/* What a kernel has, it keeps. */
static bool children_listed(void) {
        static bool listed;

        listed = listed || access("/proc/thread-self/children", F_OK) >= 0;
        return listed;
}

/* Its directory of threads has a link for each, beside the two that every directory has (proc_task_getattr()). */
static bool single_threaded(pid_t pid) {
        char path[PROC_PATH_MAX];
        struct stat st;

        return stat(proc_path(path, pid, "task"), &st) >= 0 && st.st_nlink == 3;
}

int process_children(pid_t pid, pid_t **ret, size_t *ret_n) {
        _cleanup_(pid_list_done) PidList threads = {}, children = {};
        char path[PROC_PATH_MAX];
        int r;

        if (!children_listed())
                return -EOPNOTSUPP;
        r = single_threaded(pid) ? pid_list_add(&threads, pid) : numbered_entries(proc_path(path, pid, "task"), &threads);
        for (size_t i = 0; i < threads.n && r >= 0; i++)
                r = thread_children(pid, threads.pids[i], &children);
        if (r < 0)
                return proc_error(r);
        pid_list_take(&children, ret, ret_n);
        return 0;
}

#define ENVIRON_SIZE_MAX (8U << 20) /* execve(2) allows three quarters of the 8 MiB stack for arguments and environment */

int process_environ_has(pid_t pid, const char *name, const char *value) {
        char path[PROC_PATH_MAX];
        _cleanup_free_ char *environment = NULL;
        size_t n = strlen(name), size;
        int r;

        r = read_file_at(AT_FDCWD, proc_path(path, pid, "environ"), ENVIRON_SIZE_MAX, &environment, &size);
        if (r < 0)
                return proc_error(r);
        /* read_file_at() put a NUL behind the last entry, should the process have overwritten its own. */
        for (const char *e = environment; e < environment + size; e += strlen(e) + 1)
                if (strncmp(e, name, n) == 0 && e[n] == '=' && streq(e + n + 1, value))
                        return 1;
        return 0;
}

int process_catches(pid_t pid, int sig) {
        char path[PROC_PATH_MAX], text[8192];
        const char *mask;
        ssize_t n = read_file_into(AT_FDCWD, proc_path(path, pid, "status"), text, sizeof(text));

        if (n < 0)
                return proc_error((int) n);
        mask = strstr(text, "\nSigCgt:");
        return mask ? (int) (strtoull(mask + strlen("\nSigCgt:"), NULL, 16) >> (sig - 1) & 1) : -ENODATA;
}

static int read_words(pid_t pid, const char *name, char ***ret) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **words = NULL;
        char path[PROC_PATH_MAX];
        size_t size;
        int r;

        r = read_file_at(AT_FDCWD, proc_path(path, pid, name), ENVIRON_SIZE_MAX, &text, &size);
        if (r < 0)
                return proc_error(r);
        for (const char *w = text; w < text + size; w += strlen(w) + 1) {
                r = strv_append(&words, w);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(words);
        return 0;
}

int process_arguments(pid_t pid, char ***ret) {
        return read_words(pid, "cmdline", ret);
}

int process_environment(pid_t pid, char ***ret) {
        return read_words(pid, "environ", ret);
}

static int read_cmdline(pid_t pid, char *buf, size_t size) {
        char path[PROC_PATH_MAX];
        _cleanup_fd_ int fd = -EBADF;
        ssize_t n;

        fd = open(proc_path(path, pid, "cmdline"), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, buf, size);
        return n < 0 ? -errno : (int) n;
}

/* Shortens escaped text to at most max bytes without cutting a character or an escape in two. */
static void escaped_truncate(char *s, size_t max) {
        size_t used = 0, size = strlen(s);

        while (used < size) {
                size_t k = startswith(s + used, "\\x") && size - used >= 4 ? 4 : MAX(utf8_sequence(s + used, size - used), (size_t) 1);

                if (used + k > max)
                        break;
                used += k;
        }
        s[used] = '\0';
}

int process_command_line(pid_t pid, size_t max, char **ret) {
        _cleanup_free_ char *raw = NULL, *shown = NULL;
        ProcessStat st;
        int n, r;

        max = MIN(max, (size_t) 1 << 20);
        raw = malloc(max + 1);
        if (!raw)
                return -ENOMEM;
        n = read_cmdline(pid, raw, max);
        if (n < 0)
                return proc_error(n);
        while (n > 0 && raw[n - 1] == '\0')
                n--;
        for (int i = 0; i < n; i++)
                if (raw[i] == '\0')
                        raw[i] = ' ';
        if (n == 0) {
                _cleanup_free_ char *name = NULL;

                r = process_stat(pid, &st);
                if (r < 0)
                        return r;
                name = text_escape(st.comm, strlen(st.comm));
                shown = name ? text_printf("[%s]", name) : NULL;
        } else
                shown = text_escape(raw, (size_t) n);
        if (!shown)
                return -ENOMEM;
        escaped_truncate(shown, max);
        *ret = TAKE_PTR(shown);
        return 0;
}

int process_cgroup(pid_t pid, char **ret) {
        char path[PROC_PATH_MAX];
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_file_at(AT_FDCWD, proc_path(path, pid, "cgroup"), 1 << 20, &text, NULL);
        if (r < 0)
                return proc_error(r);
        for (char *line = text, *end; *line; line = end + (*end == '\n')) {
                const char *group = startswith(line, "0::");

                end = strchrnul(line, '\n');
                if (!group)
                        continue;
                *ret = strndup(group, (size_t) (end - group));
                return *ret ? 0 : -ENOMEM;
        }
        return -ENODATA;
}

int boot_id(char ret[33]) {
        char text[64], *out = ret;
        ssize_t n;

        n = read_file_into(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text));
        if (n < 0)
                return (int) n;
        for (const char *p = text; *p && *p != '\n'; p++)
                if (*p != '-' && out < ret + 32)
                        *out++ = *p;
        *out = '\0';
        return out == ret + 32 ? 0 : -EIO;
}
