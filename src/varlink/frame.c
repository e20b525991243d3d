/* Owns the memory behind a socket's input and output. What must stay true: an empty queue holds at most QUEUE_KEEP bytes, appending is
 * amortised linear whatever the order of appends and drops, and no byte is scanned twice for the NUL that ends a message. */
#include <sys/socket.h>

#include "base/text.h"
#include "varlink/frame.h"

#define QUEUE_KEEP 4096
#define FILL_MIN   4096
#define FILL_MAX   (256 * 1024)

void byte_queue_done(ByteQueue *q) {
        free(q->data);
        *q = (ByteQueue){};
}

int byte_queue_reserve(ByteQueue *q, size_t n) {
        size_t size = byte_queue_size(q), wanted;
        char *p;

        if (q->allocated - q->tail >= n)
                return 0;
        /* Moving costs `size`, and at least as much was dropped before it is done: linear in all. */
        if (q->head >= size && q->allocated >= size && q->allocated - size >= n) {
                memmove(q->data, q->data + q->head, size);
                q->head = 0;
                q->tail = size;
                return 0;
        }
        if (__builtin_add_overflow(q->tail, n, &wanted) || wanted > SIZE_MAX / 4)
                return -ENOMEM;
        wanted = MAX(wanted, q->allocated + q->allocated / 2);
        wanted = MAX(wanted, (size_t) QUEUE_KEEP);
        p = realloc(q->data, wanted);
        if (!p)
                return -ENOMEM;
        q->data = p;
        q->allocated = wanted;
        return 0;
}

int byte_queue_append(ByteQueue *q, const void *p, size_t n) {
        int r = byte_queue_reserve(q, n);

        if (r < 0)
                return r;
        if (n > 0)
                memcpy(q->data + q->tail, p, n);
        q->tail += n;
        return 0;
}

void byte_queue_drop(ByteQueue *q, size_t n) {
        q->head += MIN(n, byte_queue_size(q));
        if (q->head < q->tail)
                return;
        q->head = q->tail = 0;
        if (q->allocated > QUEUE_KEEP)
                byte_queue_done(q);
}

static int append_repaired(ByteQueue *q, const char *s, size_t n) {
        int r;

        while (n > 0) {
                size_t good = 0, k;

                while (good < n && (k = utf8_sequence(s + good, n - good)) > 0)
                        good += k;
                r = byte_queue_append(q, s, good);
                if (r >= 0 && good < n)
                        r = byte_queue_append(q, "\xEF\xBF\xBD", 3);
                if (r < 0)
                        return r;
                good += good < n;
                s += good;
                n -= good;
        }
        return 0;
}

int byte_queue_append_message(ByteQueue *q, json_object *message, size_t max) {
        size_t n = 0, before = byte_queue_size(q);
        const char *s = json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
        int r;

        if (!s)
                return -ENOMEM;
        if (n > max)
                return -EMSGSIZE;
        r = utf8_valid(s, n) ? byte_queue_append(q, s, n) : append_repaired(q, s, n);
        if (r >= 0)
                r = byte_queue_append(q, "", 1);
        if (r < 0)
                q->tail = q->head + before; /* never half a message */
        return r;
}

ssize_t byte_queue_send(ByteQueue *q, int fd) {
        ssize_t n;

        do
                n = send(fd, q->data + q->head, byte_queue_size(q), MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        byte_queue_drop(q, (size_t) n);
        return n;
}

void frame_reader_done(FrameReader *f) {
        byte_queue_done(&f->bytes);
        f->scanned = 0;
}

ssize_t frame_reader_fill(FrameReader *f, int fd) {
        size_t size = byte_queue_size(&f->bytes), room = size < FILL_MIN ? FILL_MIN : size > FILL_MAX ? FILL_MAX : size;
        ssize_t n;
        int r;

        r = byte_queue_reserve(&f->bytes, room);
        if (r < 0)
                return r;
        do
                n = recv(fd, f->bytes.data + f->bytes.tail, f->bytes.allocated - f->bytes.tail, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        f->bytes.tail += (size_t) n;
        return n;
}

int frame_reader_peek(FrameReader *f, const char **ret, size_t *ret_n) {
        size_t size = byte_queue_size(&f->bytes);
        const char *start, *end;

        if (f->scanned < size) {
                start = f->bytes.data + f->bytes.head;
                end = memchr(start + f->scanned, 0, size - f->scanned);
                if (end && (size_t) (end - start) <= f->max) {
                        f->scanned = (size_t) (end - start);
                        *ret = start;
                        *ret_n = f->scanned;
                        return 1;
                }
                f->scanned = size;
                if (end)
                        return -EMSGSIZE;
        }
        return size > f->max ? -EMSGSIZE : 0;
}

void frame_reader_drop(FrameReader *f, size_t n) {
        byte_queue_drop(&f->bytes, n + 1);
        f->scanned = 0;
}
