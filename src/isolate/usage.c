/* Figures of a cell with a cgroup: from its files where the controller is in force, else summed over its processes, each labelled with where
 * it comes from. Sources: cgroup-v2.rst "Interface Files", proc_pid_stat(5).
 *
 * What must stay true: without `detail` this costs a handful of reads from descriptors that stay open, into buffers on the stack, because a
 * list of a thousand services asks a thousand times; what is not known stays USAGE_UNKNOWN and is never 0. */
#include "isolate/isolate_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"

/* ---- files that stay open ---- */

#define TEXT_MAX 4096

/* Descriptors are for services first: none is kept beyond half of what we may have. */
static bool may_keep(int fd) {
        struct rlimit l;

        return getrlimit(RLIMIT_NOFILE, &l) >= 0 && (rlim_t) fd < l.rlim_cur / 2;
}

static ssize_t read_whole(int fd, char text[TEXT_MAX]) {
        size_t used = 0;
        ssize_t n;

        do {
                n = pread(fd, text + used, TEXT_MAX - 1 - used, (off_t) used);
                if (n < 0)
                        return -errno;
                used += (size_t) n;
                if (used == TEXT_MAX - 1)
                        return -ENOBUFS;
        } while (n > 0 && used > TEXT_MAX / 2); /* the kernel gives up to a page at once: what leaves half of it free is all */
        text[used] = '\0';
        return (ssize_t) used;
}

/* A file of the cell, NUL-terminated; bytes or -errno. -ENOBUFS: longer than a list needs. */
static ssize_t cell_read(Cell *c, CellFile which, char text[TEXT_MAX]) {
        static const char *const names[_CELL_FILE_MAX] = {
                [CELL_CPU_STAT] = "cpu.stat",
                [CELL_MEMORY_CURRENT] = "memory.current",
                [CELL_PIDS_CURRENT] = "pids.current",
                [CELL_PROCS] = "cgroup.procs",
        };
        int fd = c->files[which];
        ssize_t n;

        if (fd >= 0)
                return read_whole(fd, text);
        fd = openat(c->dir_fd, names[which], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read_whole(fd, text);
        if (n >= 0 && may_keep(fd))
                c->files[which] = fd;
        else
                fd_close(fd);
        return n;
}

/* ---- processes ---- */

static void add_to(uint64_t *sum, uint64_t v) {
        *sum = *sum == USAGE_UNKNOWN ? v : *sum + v;
}

void usage_add_process(Usage *u, pid_t pid, const ProcessStat *stat, bool detail) {
        uint64_t bytes_read, written;

        add_to(&u->cpu_usec, stat->cpu);
        u->cpu_source = USAGE_PROC;
        if (!process_living(stat))
                return;
        add_to(&u->memory, stat->rss);
        u->memory_source = USAGE_PROC;
        add_to(&u->tasks, stat->threads);
        u->tasks_source = USAGE_PROC;
        if (detail && process_io(pid, &bytes_read, &written) >= 0) {
                add_to(&u->io_read, bytes_read);
                add_to(&u->io_written, written);
                u->io_source = USAGE_PROC;
        }
}

static void add_pid(Usage *u, pid_t pid, bool detail) {
        ProcessStat stat;

        if (process_stat(pid, &stat) >= 0)
                usage_add_process(u, pid, &stat, detail);
}

/* The pids of the text of cgroup.procs. */
static void add_listed(Usage *u, const char *text, bool detail) {
        for (char *end; *text; text = end) {
                long pid = strtol(text, &end, 10);

                if (end == text)
                        return;
                if (pid > 0)
                        add_pid(u, (pid_t) pid, detail);
        }
}

/* kernfs counts the subdirectories in the link count. */
static bool has_children(int dir_fd) {
        struct stat st;

        return fstat(dir_fd, &st) >= 0 && st.st_nlink > 2;
}

static int add_processes(Cell *c, bool detail, Usage *u) {
        _cleanup_free_ pid_t *pids = NULL;
        char text[TEXT_MAX];
        size_t n = 0;
        int r;

        if (!has_children(c->dir_fd) && cell_read(c, CELL_PROCS, text) >= 0) {
                add_listed(u, text, detail);
                return 0;
        }
        r = cgroup_procs(c->handle, &pids, &n);
        if (r < 0)
                return r;
        for (size_t k = 0; k < n; k++)
                add_pid(u, pids[k], detail);
        return 0;
}

/* Takes from `sum` what the files did not tell. */
static void fill_missing(Usage *u, const Usage *sum) {
        if (u->cpu_source == USAGE_NONE) {
                u->cpu_usec = sum->cpu_usec;
                u->cpu_source = sum->cpu_source;
        }
        if (u->memory_source == USAGE_NONE) {
                u->memory = sum->memory;
                u->memory_source = sum->memory_source;
        }
        if (u->tasks_source == USAGE_NONE) {
                u->tasks = sum->tasks;
                u->tasks_source = sum->tasks_source;
        }
        if (u->io_source == USAGE_NONE) {
                u->io_read = sum->io_read;
                u->io_written = sum->io_written;
                u->io_source = sum->io_source;
        }
}

/* ---- files ---- */

/* The number behind `prefix`, "" for a flat file, at the beginning of a line of the text. */
static bool find_number(const char *text, const char *prefix, uint64_t *ret) {
        const char *at = text;
        char *end;
        uint64_t v;

        while (at && !startswith(at, prefix)) {
                at = strchr(at, '\n');
                at = at ? at + 1 : NULL;
        }
        if (!at)
                return false;
        at += strlen(prefix);
        errno = 0;
        v = strtoull(at, &end, 10);
        if (errno != 0 || end == at)
                return false;
        *ret = v;
        return true;
}

static void read_number(Cell *c, CellFile which, const char *prefix, uint64_t *ret, UsageSource *ret_source) {
        char text[TEXT_MAX];

        if (cell_read(c, which, text) >= 0 && find_number(text, prefix, ret))
                *ret_source = USAGE_CGROUP;
}

/* What outlives the processes: these count from the making of the cgroup. */
static void read_totals(const Cell *c, Usage *u) {
        unsigned have = c->isolate->controllers;

        if ((have & CGROUP_MEMORY) && cgroup_read_u64(c->handle, "memory.peak", &u->memory_peak) >= 0)
                u->memory_peak_source = USAGE_CGROUP;
        if ((have & CGROUP_IO) && cgroup_read_io(c->handle, &u->io_read, &u->io_written) >= 0)
                u->io_source = USAGE_CGROUP;
}

void cell_totals(Cell *c, Usage *ret) {
        *ret = USAGE_NULL;
        if (c->dir_fd < 0)
                return;
        read_number(c, CELL_CPU_STAT, "usage_usec ", &ret->cpu_usec, &ret->cpu_source);
        read_totals(c, ret);
}

static void read_pressure(const char *dir, const char *file, uint32_t *ret) {
        uint32_t v;

        if (psi_some_avg10(dir, file, &v) >= 0)
                *ret = v;
}

static void read_detail(const Cell *c, Usage *u) {
        read_totals(c, u);
        if (c->isolate->controllers & CGROUP_MEMORY)
                (void) cgroup_read_key(c->handle, "memory.events", "oom_kill", &u->oom_kills);
        read_pressure(c->handle, "cpu.pressure", &u->cpu_pressure);
        read_pressure(c->handle, "memory.pressure", &u->memory_pressure);
        read_pressure(c->handle, "io.pressure", &u->io_pressure);
}

int cgroup_cell_usage(Cell *c, bool detail, Usage *ret) {
        unsigned have = c->isolate->controllers;
        Usage sum = USAGE_NULL;
        int r;

        if (c->dir_fd < 0) {
                if (c->main.pid > 0)
                        add_pid(ret, c->main.pid, detail);
                return 0;
        }
        /* cpu.stat is there with and without the controller. */
        read_number(c, CELL_CPU_STAT, "usage_usec ", &ret->cpu_usec, &ret->cpu_source);
        if (have & CGROUP_MEMORY)
                read_number(c, CELL_MEMORY_CURRENT, "", &ret->memory, &ret->memory_source);
        if (have & CGROUP_PIDS)
                read_number(c, CELL_PIDS_CURRENT, "", &ret->tasks, &ret->tasks_source);
        if (detail)
                read_detail(c, ret);
        if (ret->cpu_source != USAGE_NONE && ret->memory_source != USAGE_NONE && ret->tasks_source != USAGE_NONE &&
            (!detail || ret->io_source != USAGE_NONE))
                return 0;

        r = add_processes(c, detail, &sum);
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;
        fill_missing(ret, &sum);
        return 0;
}
