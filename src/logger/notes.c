/* Must stay true at every instant, for a SIGKILL leaves what was stored so far: a turn's record is complete before its state says that there is one;
 * during a turn the room that held the beginning of a line is only added to, beyond what the record says of it; of two steps the one that is not
 * pointed to is written. Only the compiler could reorder our stores: they are seen by others after our death.
 *
 * How much a read that was interrupted had taken of a pipe is known from the position of the memory file: splice(2) moves it together with the
 * bytes, and the keeper has the same open file description. */
#include "logger/notes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "logger/line.h"
#include "logger/log_wire.h"

#define MAGIC UINT64_C(0x316573746f6e676b)      /* another one whenever the form below changes */
#define TURNS 8                       /* one is at work, others wait for their run to be handed over */
#define ROOMS 2048                    /* streams that have an unfinished line at the same time */
#define ROOM_SIZE (LINE_MESSAGE_MAX + 4096)

enum { FREE, WORKING, LEFT };

typedef struct Step {
        uint64_t dev, ino, size;      /* of the file; ino 0: nothing was written yet */
        uint32_t done, pad;
} Step;

typedef struct Turn {
        uint32_t state;
        uint32_t stream;
        uint64_t run;
        usec_t at;                    /* CLOCK_REALTIME of the chunk's arrival; 0: not known */
        uint32_t size;                /* of the chunk, known when it is LEFT */
        uint32_t room, half, open;    /* what the stream had open at its beginning */
        uint32_t current, pad;        /* step */
        Step steps[2];
        char path[LOG_WIRE_PATH_MAX];
} Turn;

typedef struct Room {
        uint64_t run;                 /* 0: free */
        uint32_t stream, half, size, pad;
} Room;

typedef struct Notes {
        uint64_t magic;
        Turn turns[TURNS];
        Room rooms[ROOMS];            /* the first is never lent: 0 is no room */
        _Alignas(4096) char chunks[TURNS][NOTES_CHUNK];
        char texts[ROOMS][2][ROOM_SIZE];
} Notes;

static Notes *notes;
static int notes_fd = -EBADF;
static Turn *turn;                    /* for whose chunk there is room */
static bool working;                  /* a turn has begun */
static uint16_t unlent[ROOMS];
static size_t n_unlent, n_left;       /* rooms to be had; rooms and turns whose run has not come yet */
static char spare[NOTES_CHUNK];

static void barrier(void) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void set_state(Turn *t, uint32_t state) {
        barrier();
        t->state = state;
        barrier();
}

static char *chunk_of(const Turn *t) {
        return notes->chunks[t - notes->turns];
}

static off_t place_of(const Turn *t) {
        return (off_t) (chunk_of(t) - (char *) notes);
}

/* ---- taking over ---- */

/* The file as it was when the last step was noted. Nothing is done to one that was put aside or replaced since: every step of it was complete. */
static void take_back(const Turn *t) {
        const Step *s = t->steps + t->current;
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;

        if (s->ino == 0)
                return;
        fd = open(t->path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_dev != s->dev || st.st_ino != s->ino || (uint64_t) st.st_size <= s->size)
                return;
        if (ftruncate(fd, (off_t) s->size) < 0)
                log_errno(LOG_WARNING, errno, "cannot take back half a write in %s, some of it will stand there twice", t->path);
}

static void take_over_turn(Turn *t) {
        off_t at = lseek(notes_fd, 0, SEEK_CUR) - place_of(t);

        if (t->state != WORKING)
                return;
        take_back(t);
        t->size = at >= 0 && at <= NOTES_CHUNK ? (uint32_t) at : 0;
        if (t->room > 0 && t->room < ROOMS) {
                notes->rooms[t->room].half = t->half & 1;
                notes->rooms[t->room].size = MIN(t->open, (uint32_t) ROOM_SIZE);
        }
        set_state(t, LEFT);
}

static void take_over(void) {
        for (size_t i = 0; i < TURNS; i++)
                take_over_turn(notes->turns + i);
        for (size_t i = 0; i < TURNS; i++)
                if (notes->turns[i].state == FREE)
                        turn = notes->turns + i;
                else
                        n_left++;
        for (size_t i = ROOMS - 1; i > 0; i--)
                if (notes->rooms[i].run == 0 || notes->rooms[i].size == 0) {
                        notes->rooms[i].run = 0;
                        unlent[n_unlent++] = (uint16_t) i;
                } else
                        n_left++;
}

int notes_open(int fd) {
        struct stat st;

        /* Any other file could shrink below our feet, or be somebody's. */
        if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < (off_t) sizeof(Notes) && ftruncate(fd, sizeof(Notes)) < 0)
                return -errno;
        notes = mmap(NULL, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (notes == MAP_FAILED) {
                notes = NULL;
                return -errno;
        }
        notes_fd = fd;
        if (notes->magic != MAGIC) {
                if (notes->magic != 0) /* of another version */
                        memset(notes, 0, offsetof(Notes, chunks));
                barrier();
                notes->magic = MAGIC;
        }
        take_over();
        return 0;
}

/* ---- a turn ---- */

static void note_open(Turn *t, const SinkStream *st) {
        const Room *room = notes->rooms + st->room;

        t->room = st->room;
        t->half = st->room > 0 ? room->half : 0;
        t->open = st->room > 0 ? room->size : 0;
}

void notes_begin(const SinkStream *st, const char *path) {
        Turn *t = turn;

        if (!t || st->run == 0 || lseek(notes_fd, place_of(t), SEEK_SET) < 0)
                return;
        t->run = st->run;
        t->stream = st->stream;
        t->at = 0;
        t->size = 0;
        t->steps[t->current] = (Step) {};
        note_open(t, st);
        (void) stpncpy(t->path, path, sizeof(t->path) - 1);
        set_state(t, WORKING);
        working = true;
}

char *notes_chunk(void) {
        return turn ? chunk_of(turn) : spare;
}

ssize_t notes_receive(int pipe) {
        ssize_t n = -1;

        if (working)
                n = splice(pipe, NULL, notes_fd, NULL, NOTES_CHUNK, SPLICE_F_NONBLOCK);
        /* A limit on the size of files is one for this file too: then without the guarantee. */
        if (!working || (n < 0 && errno != EAGAIN && errno != EINTR))
                n = read(pipe, notes_chunk(), NOTES_CHUNK);
        return n < 0 ? -errno : n;
}

void notes_received_at(usec_t realtime) {
        if (working)
                turn->at = realtime;
}

void notes_step(const LogFile *f, uint32_t done) {
        uint32_t other;

        if (!working)
                return;
        other = !turn->current;
        turn->steps[other] = (Step) { .dev = f->dev, .ino = f->ino, .size = f->size, .done = done };
        barrier();
        turn->current = other;
        barrier();
}

void notes_end(void) {
        if (working)
                set_state(turn, FREE);
        working = false;
}

/* ---- what was left ---- */

void notes_restore(SinkStream *st) {
        for (uint32_t i = 1; notes && n_left > 0 && i < ROOMS; i++) {
                const Room *room = notes->rooms + i;

                if (room->run != st->run || room->stream != st->stream || room->size == 0)
                        continue;
                st->room = i;
                st->open = notes->texts[i][room->half];
                st->open_size = room->size;
                st->open_allocated = ROOM_SIZE;
                st->pending = st->multiline;
                n_left--;
                return;
        }
}

bool notes_resume(SinkStream *st, const char **ret_chunk, size_t *ret_n, usec_t *ret_at) {
        for (size_t i = 0; notes && n_left > 0 && i < TURNS; i++) {
                Turn *t = notes->turns + i;

                if (t->state != LEFT || t->run != st->run || t->stream != st->stream ||
                    lseek(notes_fd, place_of(t) + (off_t) t->size, SEEK_SET) < 0)
                        continue;
                n_left--;
                *ret_chunk = chunk_of(t);
                *ret_n = t->size;
                *ret_at = t->at ?: now_usec(CLOCK_REALTIME);
                st->done = t->steps[t->current].done;
                t->steps[t->current].ino = 0; /* what it had written behind that was taken back */
                t->at = *ret_at;
                note_open(t, st);
                set_state(t, WORKING);
                turn = t;
                working = true;
                return true;
        }
        return false;
}

/* ---- beginnings of lines ---- */

bool notes_lend(SinkStream *st) {
        Room *room;
        uint32_t i;

        if (!notes || st->run == 0 || n_unlent == 0)
                return false;
        i = unlent[--n_unlent];
        room = notes->rooms + i;
        if (working) {
                turn->half = turn->open = 0;
                turn->room = i;
        }
        *room = (Room) { .stream = st->stream };
        barrier();
        room->run = st->run;
        st->room = i;
        st->open = notes->texts[i][0];
        st->open_allocated = ROOM_SIZE;
        return true;
}

void notes_give_back(SinkStream *st) {
        if (st->room == 0)
                return;
        notes->rooms[st->room].run = 0;
        (void) madvise(notes->texts[st->room], sizeof(notes->texts[0]), MADV_REMOVE);
        unlent[n_unlent++] = (uint16_t) st->room;
        st->room = 0;
        st->open = NULL;
        st->open_size = st->open_allocated = 0;
}

void notes_turn_over(SinkStream *st) {
        if (st->room == 0)
                return;
        st->open = notes->texts[st->room][st->open == notes->texts[st->room][0]];
}

void notes_opened(const SinkStream *st) {
        Room *room;

        if (st->room == 0)
                return;
        room = notes->rooms + st->room;
        barrier();
        room->half = st->open != notes->texts[st->room][0];
        room->size = st->open_size;
}
