/* The program of balancers: where it stands, as whom it runs, and whether it is still the one that is installed. */
#include <limits.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/strv.h"
#include "base/text.h"
#include "manager/balance/balance_private.h"
#include "manager/life/rolling.h"
#include "model/balanced.h"

/* Nothing that it does needs root. */
const char *balancer_user(const ServiceSpec *s) {
        cap_flag_value_t may = CAP_CLEAR;
        cap_t caps = !s->user && !s->group && geteuid() == 0 ? cap_get_proc() : NULL;

        if (!caps)
                return NULL;
        (void) cap_get_flag(caps, CAP_SETUID, CAP_EFFECTIVE, &may);
        cap_free(caps);
        return may == CAP_SET ? "nobody" : NULL;
}

int balancer_command(const ServiceSpec *s, char ***ret) {
        _cleanup_strv_ char **command = strv_copy(s->command);
        const char *user = streq(s->command[0], BALANCER_COMMAND) ? balancer_user(s) : NULL;
        int r = command ? 0 : -ENOMEM;

        if (r >= 0 && user && (r = strv_append(&command, "--user")) >= 0)
                r = strv_append(&command, user);
        if (r >= 0)
                *ret = TAKE_PTR(command);
        return r;
}

int balancer_program(char **ret) {
        return places_program(BALANCER_COMMAND, ret);
}

/* Another program stands where that of the process stood. */
static bool outdated(const Instance *i) {
        _cleanup_free_ char *program = NULL;
        char running[64];
        struct stat a, b;

        if (!i->lc.main_alive || i->main.pid <= 0 || !streq(i->service->spec->command[0], BALANCER_COMMAND) || balancer_program(&program) < 0)
                return false;
        snprintf(running, sizeof running, "/proc/%d/exe", i->main.pid);
        return stat(running, &a) >= 0 && stat(program, &b) >= 0 && (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

void balancer_renew(Service *balancer) {
        _cleanup_error_ KlError e = {};
        bool old = false;

        for (size_t k = 0; k < balancer->n_instances; k++)
                old = old || outdated(balancer->instances[k]);
        if (old && !balancer->deleting && rolling_begin(balancer, &e) < 0)
                log_error("%s: %s", balancer->key, e.message ?: "out of memory");
}
