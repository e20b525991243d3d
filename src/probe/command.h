/* The command line of kingd-probe: an http probe as `KEY=VALUE` words, the keys of a file's probe. Headers, which may hold secrets, go by the environment:
 * what a process was told in its arguments can be read by everybody (proc(5)). Pure. */
#pragma once

#include "base/error.h"
#include "probe/address.h"

#define PROBE_PROGRAM "kingd-probe"
#define PROBE_HEADERS_ENV "KINGLY_PROBE_HEADERS"      /* one a line */

/* `program` and its arguments, and what its environment is to have besides. at may be NULL. Both are strvs of the caller's. 0 or -ENOMEM. */
int probe_command(const ProbeSpec *p, const ProbeTarget *at, const char *program, char ***ret_argv, char ***ret_env);
/* The way back; argv without the program. 0, -ENOMEM, or -EINVAL with reterr. */
int probe_command_parse(char *const *argv, const char *headers, ProbeSpec **ret, KlError *reterr);
