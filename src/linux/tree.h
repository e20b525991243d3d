/* A tree of files, watched by inotify(7): one watch for each directory, new and moved ones included. Never blocks for long: directories are read a
 * few at a time. Links are not followed. One inotify instance each (fs.inotify.max_user_instances). */
#pragma once

#include "base/macro.h"

typedef struct Tree Tree;

typedef struct TreeCallbacks {
        /* Whether a path relative to the root is passed over; an ignored directory is not entered. */
        bool (*ignore)(void *userdata, const char *path, bool directory);
        /* A file or directory came, went or was written. path: relative to the root, valid during the call; "" when something changed that is
         * not known, because events were lost. */
        void (*changed)(void *userdata, const char *path);
        void *userdata;
} TreeCallbacks;

/* root: an existing directory, or a file, which is then watched by its name in its directory. The tree is not read yet: tree_scan() does.
 * -errno: -ENOENT, -EMFILE (too many instances), -ENOMEM. */
int tree_new(const char *root, const TreeCallbacks *callbacks, Tree **ret);
Tree *tree_free(Tree *t);
DEFINE_CLEANUP(Tree *, tree_free);
const char *tree_root(const Tree *t);
size_t tree_watches(const Tree *t);      /* directories */

/* Reads at most `budget` directories that wait to be read. 1: there are more; 0: done; -ENOSPC: fs.inotify.max_user_watches is used up, and the
 * rest is not watched; other -errno. Directories that cannot be read, or went meanwhile, are passed over. */
int tree_scan(Tree *t, unsigned budget);
int tree_fd(const Tree *t);              /* readable: call tree_process() */
/* What happened since: calls changed(). 1: new directories wait to be read by tree_scan(); 0: none; -errno. -EIDRM: the root is gone. */
int tree_process(Tree *t);
