/* Emptying log files. */
#pragma once

#include "manager/manager.h"

/* Empties the file of an instance's log and removes those that were put aside. 0; -errno with *ret_error (malloc'ed) where there is more to say
 * than the errno does: its log is in no file. */
int log_flush(const Instance *i, char **ret_error);
