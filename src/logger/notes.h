/* What a logger leaves to the next one should it be killed: a memory file, which the keeper makes and holds, mapped by whichever logger runs. It has
 * the chunk at hand, how far that is in its file, and the beginnings of lines whose end has not come.
 *
 * A turn is one chunk of a pipe, or one more write without a chunk. notes_begin() opens it, notes_end() closes it; what a logger that was killed in
 * between had written of it to the file is measured by its last step, taken back by the next logger, and written again. There is one thread, hence one
 * turn at a time, and one set of notes. While a file cannot be written, its chunks are kept elsewhere (run.c) and not noted. Without notes (tests of the parts, or no memory) everything works and a kill loses what it interrupts. */
#pragma once

#include "logger/file.h"
#include "logger/sink.h"

#define NOTES_CHUNK (64 * 1024)       /* what a pipe holds unless somebody enlarged it */

/* Maps the memory file and takes back what its last user did not finish. 0 or -errno: then there are none. The descriptor stays the caller's, and
 * open: its position is part of the notes, so it must be of the description that the keeper has. */
int notes_open(int fd);

/* ---- a turn ---- */

void notes_begin(const SinkStream *st, const char *path);
/* Moves what a pipe has, at most NOTES_CHUNK bytes, to notes_chunk(). Its size, 0 at the end of file, or -errno: -EAGAIN where it is empty. */
ssize_t notes_receive(int pipe);
char *notes_chunk(void);
void notes_received_at(usec_t realtime);
/* `done` bytes of what is open and the chunk are in the file or not for it, which is as large as it is now. Before and after each append. */
void notes_step(const LogFile *f, uint32_t done);
void notes_end(void);

/* ---- what was left ---- */

/* Gives a stream the beginning of a line that an earlier logger had of it. */
void notes_restore(SinkStream *st);
/* The turn that an earlier logger did not finish for this stream, begun again. False: there is none. *ret_n may be 0; the chunk is valid until
 * notes_end(). st->done is set. */
bool notes_resume(SinkStream *st, const char **ret_chunk, size_t *ret_n, usec_t *ret_at);

/* ---- beginnings of lines: sink_lines.c ---- */

/* Room for one, st->open and st->open_allocated. False: none is left, or this stream has no run. */
bool notes_lend(SinkStream *st);
void notes_give_back(SinkStream *st);
/* st->open becomes other room: what it had stays as it is until the turn ends. Nothing for a stream that has no room of ours. */
void notes_turn_over(SinkStream *st);
/* st->open has st->open_size bytes now. */
void notes_opened(const SinkStream *st);
