/* kingd-balancer: takes the connections of a service's sockets and gives each to one of its instances. A process of its own for each service, child of
 * the keeper, told by the manager (balance_wire.h) what there is; it decides nothing but where the next connection goes.
 *
 *   wire ──hear──► fronts and backs ──accept, pick──► connections ──connect──► relay ⇄
 */
#pragma once

#include "base/macro.h"

/* Balances until the manager says LEAVE or all copies of its end of `wire` are closed, and then until the last connection has ended. The wire belongs to it.
 * 0, or -errno when it could not begin. */
int balancer_run(int wire);

/* Gives up for good, by a seccomp(2) filter, what no balancer does: opening files, starting programs, signalling, and the like fail with EPERM from here
 * on. No_new_privs must be set. 0, or -errno where the kernel cannot. */
int confine(void);
