/* The journal's stream socket at any path. Used by journal.c and its tests. */
#pragma once

#define JOURNAL_STREAM_PATH "/run/systemd/journal/stdout"

/* As journal_available() and journal_stream(), for a listener at `path`. */
int journal_connect(const char *path, int *ret_fd);
int journal_stream_at(const char *path, const char *identifier, int priority, int *ret_fd);
