/* A dump of sock_diag(7), which the kernel filters: neither the connections of others nor those that are over come this way, however many there are. */
#include "linux/socket_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include "base/fd.h"

static int ask(int fd, int family, unsigned port, unsigned states) {
        struct {
                struct nlmsghdr h;
                struct inet_diag_req_v2 r;
        } q = { .h = { .nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .r = { .sdiag_family = (uint8_t) family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = states, .id.idiag_sport = htons((uint16_t) port) } };

        return send(fd, &q, sizeof q, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* One message of the answer: 1 what was looked for, 0 something else, -ENODATA the end, another error. */
static int look_at(const struct nlmsghdr *h) {
        if (h->nlmsg_type == NLMSG_DONE)
                return -ENODATA;
        if (h->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *e = (const void *) ((const char *) h + NLMSG_HDRLEN);

                return h->nlmsg_len >= NLMSG_LENGTH(sizeof *e) && e->error < 0 ? e->error : -EBADMSG;
        }
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
                return 0;
        /* One that no process has open any more only ends what it has begun. */
        return ((const struct inet_diag_msg *) (const void *) ((const char *) h + NLMSG_HDRLEN))->idiag_inode != 0;
}

/* The answer is made while it is read, so there is never anything to wait for. */
static int hear(int fd) {
        union {
                struct nlmsghdr h;
                char bytes[16384];
        } b;
        ssize_t n;
        int r = 0;

        while (r == 0) {
                n = recv(fd, &b, sizeof b, MSG_DONTWAIT);
                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG;
                for (struct nlmsghdr *h = &b.h; r == 0 && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
                        r = look_at(h);
        }
        return r;
}

int socket_diag_any(int family, unsigned port, unsigned states) {
        _cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        int r = fd < 0 ? -errno : ask(fd, family, port, states);

        if (r >= 0)
                r = hear(fd);
        return r == -ENODATA ? 0 : r;
}
