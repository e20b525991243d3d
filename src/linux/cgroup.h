/* cgroup v2 directories and files. Source: Documentation/admin-guide/cgroup-v2.rst. Paths are absolute file system paths
 * ("/sys/fs/cgroup/…"); nothing here walks above the directory it is given. */
#pragma once

#include "base/macro.h"
#include "base/span.h"

/* Where cgroup v2 is mounted ("/sys/fs/cgroup", or ".../unified" beside v1), from /proc/self/mountinfo; malloc'ed. -ENOENT: nowhere. */
int cgroup_mount(char **ret);

typedef enum CgroupController {
        CGROUP_CPU = 1 << 0,
        CGROUP_MEMORY = 1 << 1,
        CGROUP_IO = 1 << 2,
        CGROUP_PIDS = 1 << 3,
        CGROUP_CPUSET = 1 << 4,
} CgroupController;
/* Controllers that cgroup.controllers (file "cgroup.controllers") or cgroup.subtree_control lists, as a mask, or -errno. */
int cgroup_controllers(const char *dir, const char *file);
/* Enables each of `mask` for the children, one write each so that one refusal does not spoil the rest; returns the mask now in force. */
int cgroup_enable(const char *dir, unsigned mask);

int cgroup_make(const char *dir);              /* mkdir; -EEXIST is passed up */
int cgroup_open(const char *dir);              /* O_DIRECTORY|O_PATH is not enough for CLONE_INTO_CGROUP: O_RDONLY; fd or -errno */
/* rmdir of dir and of the empty cgroups below it; -EBUSY while a process lives there; a missing directory is success. */
int cgroup_remove(const char *dir);

int cgroup_attach(const char *dir, pid_t pid); /* write to cgroup.procs */
int cgroup_procs(const char *dir, pid_t **ret, size_t *ret_n); /* of the whole subtree, malloc'ed; -ENOENT */
/* 1 populated, 0 empty (also when the directory is gone), -errno: "populated" of cgroup.events. */
int cgroup_populated(const char *dir);
/* SIGKILL to all in the subtree: cgroup.kill (5.14), else, frozen where we may, each process of cgroup.procs in passes until none is new.
 * Does not wait for their deaths (see cgroup_populated). 0 also when the directory is gone; -EAGAIN when the passes did not suffice. */
int cgroup_kill(const char *dir);

/* One value of a flat file ("memory.current"): bytes or count; "max" gives UINT64_MAX. -ENOENT where the controller is absent. */
int cgroup_read_u64(const char *dir, const char *file, uint64_t *ret);
/* One key of a keyed file ("cpu.stat" "usage_usec"; "memory.events" "oom_kill"); -ENODATA if the file lacks it. */
int cgroup_read_key(const char *dir, const char *file, const char *key, uint64_t *ret);
/* Sums rbytes= and wbytes= of io.stat over the devices. */
int cgroup_read_io(const char *dir, uint64_t *ret_read, uint64_t *ret_written);
int cgroup_write(const char *dir, const char *file, const char *value);

/* Pressure stall information: avg10 of the "some" line of cpu|memory|io.pressure, in hundredths of a percent. -ENOENT without PSI. */
int psi_some_avg10(const char *dir, const char *file, uint32_t *ret);
