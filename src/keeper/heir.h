/* The heir: a process beside the keeper that holds its descriptors and does nothing else, until the keeper dies; then it becomes the keeper. */
#pragma once

/* Takes what the keeper sends over WIRE_FD (WIRE_HOLD, WIRE_DROP; another program to execute itself, by HEIRLOOM_SELF) and waits for its end; then
 * replaces this process by a keeper that finds it all (heirlooms.h). argv[0] is the keeper's; argv[1] is "--heir" and is left out. Returns the exit
 * status when that cannot be done. */
int heir_run(char **argv);
