/* What the manager says. Must stay true: a packet is used only after balance_wire_check(); a descriptor that came with it is closed here unless a handler
 * took it. */
#include "balance/state.h"

#include "base/fd.h"
#include "base/log.h"

/* Fair to the connections: they get their turn after so many packets. */
#define PACKETS_A_TURN 32

static Balancer *balancer_of(PollSource *s) {
        return (Balancer *) ((char *) s - offsetof(Balancer, wire));
}

static void on_hello(Balancer *b, const void *packet, int *fd) {
        const BalanceHello *p = packet;
        BalanceHello hello = { .h = { BALANCE_HELLO, sizeof(hello) }, .version = BALANCE_WIRE_VERSION, .pid = getpid(), .program = KINGLY_VERSION };

        if (p->version != BALANCE_WIRE_VERSION)
                log_warning("the manager speaks version %" PRIu32 " of our protocol, we speak %i", p->version, BALANCE_WIRE_VERSION);
        (void) fd_send(b->wire.fd, &hello, sizeof(hello), NULL, 0);
}

static void on_leave(Balancer *b, const void *packet, int *fd) {
        b->leaving = true;
}

typedef struct Handler { uint32_t type; void (*on)(Balancer *b, const void *packet, int *fd); } Handler;
static const Handler handlers[] = {
        { BALANCE_HELLO, on_hello },
        { BALANCE_LEAVE, on_leave },
};

static void dispatch(Balancer *b, const void *packet, int *fd) {
        uint32_t type = ((const BalanceHeader *) packet)->type;

        for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
                if (handlers[i].type == type) {
                        handlers[i].on(b, packet, fd);
                        return;
                }
        log_debug("ignoring packet %" PRIu32 " of the manager", type);
}

/* Whether there may be more. */
static bool hear_one(Balancer *b) {
        union { BalanceHeader h; uint64_t align; char bytes[BALANCE_WIRE_MAX]; } packet;
        size_t n_fds = 1;
        int fd = -EBADF;
        ssize_t n;

        n = fd_recv(b->wire.fd, &packet, sizeof(packet), &fd, &n_fds);
        if (n == -EAGAIN || n == -EINTR)
                return false;
        if (n == 0 || (n < 0 && n != -EMSGSIZE)) {
                poller_remove(&b->poller, &b->wire);
                b->wire.fd = fd_close(b->wire.fd);
                b->leaving = true;
                return false;
        }
        if (n < 0 || balance_wire_check(&packet, (size_t) n, n_fds) < 0)
                log_warning("a malformed packet of the manager, ignoring");
        else
                dispatch(b, &packet, &fd);
        fd_close(fd);
        return true;
}

void hear_ready(PollSource *s, uint32_t events) {
        Balancer *b = balancer_of(s);

        for (unsigned i = 0; i < PACKETS_A_TURN && hear_one(b); i++)
                ;
}
