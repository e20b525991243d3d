/* `kingd --check-upgrade`: what a kingd says that is asked by another whether it could take its place (upgrade.h). */
#pragma once

/* On WIRE_FD one WireCandidate is said; behind it is the other's table, as it would be found after execve(2): it is looked at and left alone. The exit
 * status of the process. */
int candidate_run(void);
