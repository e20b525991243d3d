/* Bytes in and out of a stream socket, shared by server and client: a queue that grows with what is in it and gives its memory back when
 * empty, and the cutting of the input into messages at their NUL bytes. */
#pragma once

#include <json-c/json.h>

#include "base/macro.h"

/* Zero-initialise. What is inside lies at data + head, up to data + tail. */
typedef struct ByteQueue {
        char *data;
        size_t head, tail, allocated;
} ByteQueue;

static inline size_t byte_queue_size(const ByteQueue *q) {
        return q->tail - q->head;
}
void byte_queue_done(ByteQueue *q);
int byte_queue_reserve(ByteQueue *q, size_t n); /* room for n bytes behind the tail; 0 or -ENOMEM */
int byte_queue_append(ByteQueue *q, const void *p, size_t n);
void byte_queue_drop(ByteQueue *q, size_t n); /* forgets n bytes from the front */

/* Appends the message and its NUL. Text that is not UTF-8 (a service may say anything) goes out with U+FFFD in its place, since one bad
 * byte would make the receiver refuse the whole message. -ENOMEM, -EMSGSIZE when the text is longer than max. */
int byte_queue_append_message(ByteQueue *q, json_object *message, size_t max);

/* send(2) of the front without blocking: bytes sent, -EAGAIN, or -errno. */
ssize_t byte_queue_send(ByteQueue *q, int fd);

/* Zero-initialise but for `max`, the largest message accepted. */
typedef struct FrameReader {
        ByteQueue bytes;
        size_t scanned; /* bytes from the front that are known to hold no NUL */
        size_t max;
} FrameReader;

void frame_reader_done(FrameReader *f);
/* One recv(2) without blocking: bytes, 0 at the end of the stream, -EAGAIN, -errno. */
ssize_t frame_reader_fill(FrameReader *f, int fd);
/* 1: *ret is the first message (without its NUL, borrowed until the next call that is not `peek`); 0: none is complete; -EMSGSIZE. */
int frame_reader_peek(FrameReader *f, const char **ret, size_t *ret_n);
void frame_reader_drop(FrameReader *f, size_t n); /* the message of n bytes that peek gave */
