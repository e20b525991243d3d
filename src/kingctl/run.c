/* From the command line to a verb, and from its outcome to an exit status. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include "base/strv.h"
#include "kingctl/output.h"
#include "kingctl/verbs.h"

/* The verb that the words ask for; the options before it are read. 0 and *ret (NULL: none was given), or negative with ctl->error. */
static int find_verb(Ctl *ctl, char *const *words, const Verb **ret, size_t *ret_used) {
        _cleanup_free_ char **operands = NULL;
        const char *near;
        int r;

        r = options_parse(NULL, words, true, &ctl->options, &operands, ret_used, &ctl->error);
        if (r < 0)
                return r == -ENOMEM ? ctl_oom(ctl) : r;
        *ret = NULL;
        ctl->options.dashes = SIZE_MAX;
        if (!operands[0])
                return 0;
        *ret = verb_find(operands[0]);
        if (*ret)
                return 0;
        near = verb_nearest(operands[0]);
        ctl_usage(ctl, "%s: no such verb", operands[0]);
        if (near)
                kl_error_hint(&ctl->error, "did you mean %s?", near);
        else
                kl_error_hint(&ctl->error, "kingctl --help lists them");
        return -EINVAL;
}

static int check_operands(Ctl *ctl, const Verb *v, size_t n) {
        int r;

        if (n >= v->min && n <= v->max)
                return 0;
        r = ctl_usage(ctl, n < v->min ? "%s: nothing named" : "%s: too many arguments", v->name);
        kl_error_hint(&ctl->error, "kingctl help %s", v->name);
        return r;
}

static int run_verb(Ctl *ctl, const Verb *v, char *const *words) {
        _cleanup_free_ char **operands = NULL;
        int r;

        if (v->raw)
                return v->run(ctl, (char **) words);
        r = options_parse(v->options, words, false, &ctl->options, &operands, NULL, &ctl->error);
        ctl->colour = colour_wanted(stdout, ctl->options.no_color);
        ctl->colour_error = colour_wanted(stderr, ctl->options.no_color);
        if (r < 0) {
                if (r == -EINVAL && !ctl->error.hint)
                        kl_error_hint(&ctl->error, "kingctl help %s", v->name);
                return r == -ENOMEM ? ctl_oom(ctl) : r;
        }
        if (ctl->options.help) {
                help_print_verb(stdout, v, ctl->colour);
                return 0;
        }
        r = check_operands(ctl, v, strv_length(operands));
        return r < 0 ? r : v->run(ctl, operands);
}

static int run(Ctl *ctl, char *const *words) {
        const Verb *v = NULL;
        size_t used = 0;
        int r;

        r = find_verb(ctl, words, &v, &used);
        ctl->colour = colour_wanted(stdout, ctl->options.no_color);
        ctl->colour_error = colour_wanted(stderr, ctl->options.no_color);
        if (r < 0)
                return r;
        if (ctl->options.version) {
                puts("kingctl " KINGLY_VERSION);
                return 0;
        }
        if (v)
                return run_verb(ctl, v, words + used);
        if (ctl->options.help) {
                help_print(stdout, ctl->colour);
                return 0;
        }
        help_print(stderr, ctl->colour_error);
        return 2;
}

/* What cannot be written makes a success a failure; nobody reading any more is no reason to complain. */
static int finish_output(void) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return 0;
        if (errno != EPIPE)
                fprintf(stderr, "kingctl: output: %s\n", strerror(errno));
        return 1;
}

/* Called by the name pm2, as by a link, it is the verb of that name. */
static int run_as(Ctl *ctl, const char *name, char *const *words) {
        const char *slash = name ? strrchr(name, '/') : NULL;

        if (!name || !streq(slash ? slash + 1 : name, "pm2"))
                return run(ctl, words);
        ctl->colour = colour_wanted(stdout, false);
        ctl->colour_error = colour_wanted(stderr, false);
        return run_verb(ctl, verb_find("pm2"), words);
}

int kingctl_run(int argc, char **argv) {
        Ctl ctl = {};
        int r, failed;

        /* Whoever started us may ignore it; then a pager that was left would keep us busy for nothing. */
        (void) signal(SIGPIPE, SIG_DFL);
        options_init(&ctl.options);
        r = run_as(&ctl, argv[0], argc > 0 ? argv + 1 : argv);
        failed = finish_output();
        if (r < 0) {
                ctl_complain(&ctl, ctl.error.message ? ctl.error.message : strerror(-r), ctl.error.hint);
                r = kl_error_exit_status(ctl.error.id ? ctl.error.id : KL_E_FAILED);
        } else if (r == 0)
                r = failed;
        varlink_client_free(ctl.client);
        kl_error_done(&ctl.error);
        options_done(&ctl.options);
        return r;
}
