/* What is known of each packet: its name, its size, its descriptors. Must stay true: nothing that arrives is used before balance_wire_check() has said
 * 0, and that reads nothing outside the `size` bytes that were received. */
#include "balance/balance_wire.h"

#include <netinet/in.h>
#include <sys/un.h>

static bool ends(const char *text, size_t size) {
        return memchr(text, '\0', size) != NULL;
}

bool balance_address_valid(const struct sockaddr_storage *address, uint32_t size) {
        if (size > sizeof(*address) || size < sizeof(address->ss_family))
                return false;
        switch (address->ss_family) {
        case AF_INET: return size == sizeof(struct sockaddr_in);
        case AF_INET6: return size == sizeof(struct sockaddr_in6);
        case AF_UNIX: return size > offsetof(struct sockaddr_un, sun_path) + 1 && size <= sizeof(struct sockaddr_un);
        default: return false;
        }
}

static int check_hello(const void *packet, size_t n_fds) {
        const BalanceHello *p = packet;

        return ends(p->program, sizeof(p->program)) ? 0 : -EBADMSG;
}

static int check_front(const void *packet, size_t n_fds) {
        const BalanceFront *p = packet;

        if (p->front == 0 || p->strategy >= _BALANCE_STRATEGY_MAX || p->strategy == BALANCE_KERNEL || p->affinity >= _BALANCE_AFFINITY_MAX)
                return -EBADMSG;
        if (p->proxy >= _PROXY_PROTOCOL_MAX || p->retries > BALANCE_RETRIES_MAX || (p->flags & ~(uint32_t) FRONT_KNOWN))
                return -EBADMSG;
        return p->connect_timeout > 0 && ends(p->name, sizeof(p->name)) ? 0 : -EBADMSG;
}

static int check_front_gone(const void *packet, size_t n_fds) {
        return ((const BalanceFrontGone *) packet)->front == 0 ? -EBADMSG : 0;
}

static int check_back(const void *packet, size_t n_fds) {
        const BalanceBackState *p = packet;
        bool channel = p->kind == BACK_CHANNEL;

        if (p->back == 0 || p->kind >= _BACK_KIND_MAX || p->state >= _BACK_STATE_MAX || p->weight < 1 || p->weight > BALANCE_WEIGHT_MAX)
                return -EBADMSG;
        if ((!channel && p->front == 0) || n_fds != (channel && p->front == 0 ? 1 : 0))
                return -EBADMSG;
        if (channel)
                return p->address_size == 0 ? 0 : -EBADMSG;
        return balance_address_valid(&p->address, p->address_size) ? 0 : -EBADMSG;
}

static int check_back_name(const void *packet, size_t n_fds) {
        return ((const BalanceBackName *) packet)->back == 0 ? -EBADMSG : 0;
}

static int check_refused(const void *packet, size_t n_fds) {
        const BalanceRefused *p = packet;

        return p->serial == 0 || p->error <= 0 ? -EBADMSG : 0;
}

static int check_said(const void *packet, size_t n_fds) {
        const BalanceSaid *p = packet;

        return p->back == 0 || !ends(p->text, sizeof(p->text)) ? -EBADMSG : 0;
}

static int check_counts(const void *packet, size_t n_fds) {
        const BalanceCounts *p = packet;

        return p->front == 0 || p->state >= _BACK_STATE_MAX || p->trouble < 0 ? -EBADMSG : 0;
}

static int check_trouble(const void *packet, size_t n_fds) {
        const BalanceTrouble *p = packet;

        return p->front == 0 || p->error < 0 ? -EBADMSG : 0;
}

static int check_missed(const void *packet, size_t n_fds) {
        return ((const BalanceMissed *) packet)->error <= 0 ? -EBADMSG : 0;
}

static int check_listen(const void *packet, size_t n_fds) {
        const BalanceListen *p = packet;

        if (p->back == 0 || p->serial == 0 || p->backlog < 0 || (p->type != SOCK_STREAM && p->type != SOCK_DGRAM))
                return -EBADMSG;
        if (p->flags & ~(uint32_t) LISTEN_KNOWN)
                return -EBADMSG;
        return balance_address_valid(&p->address, p->address_size) ? 0 : -EBADMSG;
}

#define FDS_CHECKED SIZE_MAX            /* .check looks at their number */

typedef struct BalanceRule {
        uint32_t type;
        const char *name;
        size_t size, fds;
        int (*check)(const void *packet, size_t n_fds);
} BalanceRule;

static const BalanceRule rules[] = {
        { BALANCE_HELLO, "HELLO", sizeof(BalanceHello), 0, check_hello },
        { BALANCE_FRONT, "FRONT", sizeof(BalanceFront), 1, check_front },
        { BALANCE_FRONT_GONE, "FRONT_GONE", sizeof(BalanceFrontGone), 0, check_front_gone },
        { BALANCE_BACK, "BACK", sizeof(BalanceBackState), FDS_CHECKED, check_back },
        { BALANCE_BACK_GONE, "BACK_GONE", sizeof(BalanceBackName), 0, check_back_name },
        { BALANCE_STATED, "STATED", sizeof(BalanceHeader), 0, NULL },
        { BALANCE_ASK, "ASK", sizeof(BalanceSerial), 0, NULL },
        { BALANCE_LISTEN_REFUSED, "LISTEN_REFUSED", sizeof(BalanceRefused), 0, check_refused },
        { BALANCE_LEAVE, "LEAVE", sizeof(BalanceLeave), 0, NULL },
        { BALANCE_COUNTS, "COUNTS", sizeof(BalanceCounts), 0, check_counts },
        { BALANCE_COUNTS_END, "COUNTS_END", sizeof(BalanceSerial), 0, NULL },
        { BALANCE_DRAINED, "DRAINED", sizeof(BalanceBackName), 0, check_back_name },
        { BALANCE_TROUBLE, "TROUBLE", sizeof(BalanceTrouble), 0, check_trouble },
        { BALANCE_LISTEN, "LISTEN", sizeof(BalanceListen), 0, check_listen },
        { BALANCE_SAID, "SAID", sizeof(BalanceSaid), 0, check_said },
        { BALANCE_CLOSED, "CLOSED", sizeof(BalanceBackName), 0, check_back_name },
        { BALANCE_MISSED, "MISSED", sizeof(BalanceMissed), 0, check_missed },
        { BALANCE_STRANGE, "STRANGE", sizeof(BalanceSaid), 0, check_said },
};

static const BalanceRule *rule_of(uint32_t type) {
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                if (rules[i].type == type)
                        return rules + i;
        return NULL;
}

const char *balance_type_name(uint32_t type) {
        const BalanceRule *rule = rule_of(type);

        return rule ? rule->name : "unknown packet";
}

int balance_wire_check(const void *packet, size_t size, size_t n_fds) {
        const BalanceHeader *h = packet;
        const BalanceRule *rule;

        if (size < sizeof(BalanceHeader) || size > BALANCE_WIRE_MAX || h->size != size)
                return -EBADMSG;
        rule = rule_of(h->type);
        if (!rule)
                return 0;
        if (size != rule->size || (rule->fds != FDS_CHECKED && n_fds != rule->fds))
                return -EBADMSG;
        return rule->check ? rule->check(packet, n_fds) : 0;
}
