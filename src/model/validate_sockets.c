/* Rules for sockets of a service, and for the balancers before them. */
#include "base/text.h"
#include "model/validate.h"

int check_balances(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (!s->balances)
                return 0;
        if (!name_valid(s->balances))
                return FAULT("balances", "balances: \"%s\" is not the name of a service", s->balances);
        if (streq(s->balances, s->name))
                return FAULT("balances", "balances: %s cannot stand before itself", s->name);
        if (s->sockets.n > 0)
                return FAULT("sockets", "sockets: a balancer listens on those of %s", s->balances);
        if (s->instances != 1)
                return FAULT("instances", "instances: one balancer stands before all instances of %s", s->balances);
        return 0;
}

/* Twice as many while they are replaced is what a balancer takes (BALANCE_BACKS_MAX). */
#define BALANCED_MAX 2048

static bool too_many_balanced(const ServiceSpec *s) {
        size_t n = 0;

        for (size_t i = 0; i < s->sockets.n; i++)
                n += socket_balanced(s->sockets.items + i);
        return s->instances > 0 && n * (size_t) s->instances > BALANCED_MAX;
}

int check_sockets(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        int r = socket_list_validate(&s->sockets, reterr);

        if (r < 0)
                *ret_key = "sockets";
        else if (too_many_balanced(s))
                return FAULT("sockets", "sockets.balance: more than %d private sockets, one for each instance and balanced socket", BALANCED_MAX);
        else if (s->sockets.n > 0 && s->input == STDIN_PIPE && socket_stdin(&s->sockets) >= 0)
                return FAULT("sockets", "sockets.fd: 0 is taken by stdin: pipe");
        else if (s->sockets.n > 0 && s->collects && socket_stdin(&s->sockets) >= 0)
                return FAULT("sockets", "sockets.fd: 0 is taken by what %s collects", s->name);
        return r;
}
