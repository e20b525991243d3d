/* The `sandbox` keys of a specification as the kernel wants them: changes to the file system, a filter of system calls, Landlock rules. What a kernel
 * or a machine permits is found out by whoever uses this (manager/spawn/sandbox.c); nothing here changes the caller. */
#pragma once

#include "base/error.h"
#include "model/spec.h"

/* ---- mounts.c ---- */

/* The first of its keys that only a mount or network namespace can keep, or NULL. sandbox.system, with or without sandbox.writable, is the last to be
 * named, because Landlock can keep it, too. */
const char *sandbox_namespace_key(const ServiceSpec *s);
/* Whether namespaces of either kind are called for. */
bool sandbox_wants_mounts(const ServiceSpec *s);
bool sandbox_wants_network(const ServiceSpec *s);
bool sandbox_wants_filter(const ServiceSpec *s);
/* The changes in order, as keeper/wire.h writes them: a letter and a path, parents first. `keep`: a path that must stay reachable whatever is hidden
 * (NOTIFY_SOCKET); `keep_read_only`: the same, not to be written to (credentials); or NULL. malloc'ed strv; 0 or -ENOMEM. */
int sandbox_mounts(const ServiceSpec *s, const char *keep, const char *keep_read_only, char ***ret);
/* The key that a change comes from, "sandbox.hidden"; "sandbox.system" for those that it brings along. */
const char *sandbox_mount_key(const char *mount);

/* ---- filter.c ---- */

/* 0, or -errno with the reason: the kernel has no seccomp(2) filters for us. */
int sandbox_filter_supported(KlError *reterr);
/* The program for sandbox.syscalls and its companions in a memory file, or -errno with reterr. */
int sandbox_filter(const ServiceSpec *s, KlError *reterr);

/* ---- landlock.c: sandbox.system: read-only where there are no mount namespaces to be had ---- */

/* The version of Landlock's interface, from 1 on; -EOPNOTSUPP where it is switched off, -ENOSYS where there is none. */
int sandbox_landlock_version(void);
/* A ruleset under which only sandbox.writable, /dev, /proc and /sys can be written to; a descriptor, or -errno with reterr. It does not keep anybody
 * from changing modes, owners, times and extended attributes. */
int sandbox_ruleset(const ServiceSpec *s, KlError *reterr);
