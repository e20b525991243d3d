/* kingd-manager: arguments, the loop, the exit. Started by kingd, which gives it one end of a socket pair as descriptor WIRE_FD. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "manager/link.h"
#include "manager/manager.h"

#define LARGE (128 * 1024)

typedef struct Arguments {
        char **config_files, **profiles;
        int isolation, system, level;
        bool background;
} Arguments;

enum { OPT_SYSTEM = 256, OPT_USER, OPT_ISOLATION, OPT_LOG_LEVEL, OPT_DAEMONIZE, OPT_NO_HEIR, OPT_PROFILE };

static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },     { "system", no_argument, NULL, OPT_SYSTEM },
        { "user", no_argument, NULL, OPT_USER },        { "isolation", required_argument, NULL, OPT_ISOLATION },
        { "log-level", required_argument, NULL, OPT_LOG_LEVEL }, { "daemonize", no_argument, NULL, OPT_DAEMONIZE },
        { "no-heir", no_argument, NULL, OPT_NO_HEIR },
        { "profile", required_argument, NULL, OPT_PROFILE }, {},
};

static int bad(const char *what, const char *value) {
        log_error("%s: %s — see `kingd --help`", what, value);
        return -EINVAL;
}

static int parse_level(const char *s) {
        static const char *const names[] = { "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug" };

        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                if (streq(s, names[k]))
                        return (int) k;
        return -EINVAL;
}

static int parse_option(int c, Arguments *a) {
        switch (c) {
        case 'c':
                return strv_consume(&a->config_files, path_absolute(optarg, NULL));
        case OPT_PROFILE:
                return strv_append(&a->profiles, optarg);
        case OPT_SYSTEM:
        case OPT_USER:
                a->system = c == OPT_SYSTEM;
                return 0;
        case OPT_ISOLATION:
                a->isolation = streq(optarg, "auto") ? -1 : isolate_kind_from_name(optarg);
                return a->isolation < -1 ? bad("--isolation is none of auto, scope, cgroup, session", optarg) : 0;
        case OPT_LOG_LEVEL:
                a->level = parse_level(optarg);
                return a->level < 0 ? bad("--log-level is none of error, warning, notice, info, debug", optarg) : 0;
        case OPT_NO_HEIR:      /* the keeper's */
                return 0;
        case OPT_DAEMONIZE:
                a->background = true;
                return 0;
        default:
                return -EINVAL;
        }
}

static int parse_arguments(int argc, char *argv[], Arguments *a) {
        int c, r;

        *a = (Arguments) { .isolation = -1, .system = -1, .level = LOG_NOTICE };
        while ((c = getopt_long(argc, argv, "c:", options, NULL)) >= 0)
                if ((r = parse_option(c, a)) < 0)
                        return r;
        return optind < argc ? bad("unexpected argument", argv[optind]) : 0;
}

static int run(const Arguments *a, Places *places, int *ret_status) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        ManagerOptions o = { .config_files = a->config_files, .profiles = a->profiles, .isolation = a->isolation, .background = a->background };
        _cleanup_error_ KlError e = {};
        Manager *m = NULL;
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = manager_new(event, places, &o, &m, &e);
        if (r < 0)
                return log_errno(LOG_ERR, r, "%s", e.message ?: "cannot begin");
        r = sd_event_loop(event);
        *ret_status = r < 0 ? EXIT_FAILURE : m->exit_status;
        manager_free(m);
        return r;
}

/* Nothing began: the keeper must not try again. */
static void refuse(int status) {
        WireShutdown p = { .h = { WIRE_SHUTDOWN, sizeof p }, .status = status };

        (void) fd_send(WIRE_FD, &p, sizeof p, NULL, 0);
}

int main(int argc, char *argv[]) {
        _cleanup_(places_done) Places places = {};
        _cleanup_error_ KlError e = {};
        Arguments a = {};
        int r, status = EXIT_FAILURE;
        struct stat st;

        /* A large answer goes back to the system as soon as it is given: left alone, malloc(3) learns from its size to keep as much the next time. */
        (void) mallopt(M_MMAP_THRESHOLD, LARGE);
        (void) mallopt(M_TRIM_THRESHOLD, LARGE);
        (void) prctl(PR_SET_NAME, "kingd-manager"); /* the keeper executes a descriptor, whose number would be our name */
        log_open("kingd", LOG_NOTICE);
        if (fstat(WIRE_FD, &st) < 0 || !S_ISSOCK(st.st_mode)) {
                fprintf(stderr, "kingd-manager: started by kingd, not by hand\n");
                return 2;
        }
        /* A terminal's ^C reaches the whole group; the keeper decides what it means. A client that went away is an error code. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) raise_nofile(NULL);
        r = parse_arguments(argc, argv, &a);
        if (r >= 0) {
                log_set_level(a.level);
                r = places_init(&places, a.system, &e);
                if (r < 0)
                        log_error("%s%s%s", e.message ?: strerror(-r), e.hint ? " — " : "", e.hint ?: "");
        }
        if (r < 0)
                refuse(status = 2);
        else
                (void) run(&a, &places, &status);
        strv_free(a.config_files);
        strv_free(a.profiles);
        return status;
}
