/* Names of system calls and of groups of them. Pure: libseccomp is asked for its tables only. */
#pragma once

#include "base/macro.h"

typedef struct SyscallGroup {
        const char *name;              /* "@file-system" */
        const char *members;           /* names, and of other groups, with one blank between them */
} SyscallGroup;

const SyscallGroup *syscall_group_next(const SyscallGroup *g);   /* NULL: the first; NULL after the last */
const SyscallGroup *syscall_group_find(const char *name);        /* or NULL */
bool syscall_known(const char *name);                            /* a call of any architecture, or a group */
const char *syscall_nearest(const char *name);                   /* a group of nearly that name, or NULL */
