/* Which paths of a tree are passed over, by patterns as .gitignore has them (gitignore(5)): a pattern without a slash (but at its end) matches
 * at any depth, one with a slash from the root of the tree; `*` and `?` match no slash, `**` any number of directories; a slash at the end
 * means directories; `!` takes back what an earlier pattern said; the last one that matches decides. Pure. */
#pragma once

#include "base/macro.h"

/* patterns: NULL-terminated; blank ones and those that begin with '#' say nothing. path: relative to the root, no slash in front, no `.` or `..`.
 * What lies in an ignored directory is the caller's not to ask about. */
bool ignore_match(char *const *patterns, const char *path, bool directory);
