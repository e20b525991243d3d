/* Must stay true: nothing here waits, and a journald that is restarted is found again (the socket is not connected: each datagram is sent to the
 * path). */
#include "logger/journal_send.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

#define SEND_BUFFER (8 * 1024 * 1024) /* as libsystemd; the kernel gives less where net.core.wmem_max says so */

int journal_field(Buffer *entry, const char *name, const void *value, size_t n) {
        uint64_t size = htole64(n);
        bool lines = n > 0 && memchr(value, '\n', n);
        int r = buffer_append(entry, name, strlen(name));

        /* What holds a newline is sent with its length instead of up to one. */
        if (r >= 0)
                r = lines ? buffer_append(entry, "\n", 1) : buffer_append(entry, "=", 1);
        if (r >= 0 && lines)
                r = buffer_append(entry, &size, sizeof(size));
        if (r >= 0)
                r = buffer_append(entry, value, n);
        return r < 0 ? r : buffer_append(entry, "\n", 1);
}

int journal_field_printf(Buffer *entry, const char *name, const char *format, ...) {
        _cleanup_free_ char *value = NULL;
        va_list ap;

        va_start(ap, format);
        value = text_vprintf(format, ap);
        va_end(ap);
        if (!value)
                return -ENOMEM;
        return journal_field(entry, name, value, strlen(value));
}

int journal_sender_init(JournalSender *s, const char *path) {
        int size = SEND_BUFFER;

        *s = (JournalSender) { .path = path, .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };
        if (s->fd < 0)
                return -errno;
        (void) setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return 0;
}

void journal_sender_done(JournalSender *s) {
        s->fd = fd_close(s->fd);
}

int journal_send(JournalSender *s, const Buffer *entry) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        if (strlen(s->path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        strcpy(a.sun_path, s->path);
        if (sendto(s->fd, entry->data, entry->size, MSG_NOSIGNAL, (struct sockaddr *) &a, sizeof(a)) >= 0)
                return 0;
        s->dropped++;
        return -errno;
}
