/* Owns the talk with the daemon: where it listens, the deadlines, what is said when nobody answers. What must stay true: only verbs that
 * need a daemon to do their work start one, and it is said in one line; what does harm when it is done twice is asked for once. */
#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "kingctl/ctl.h"
#include "kingctl/output.h"

#define CALL_TIMEOUT (30 * USEC_PER_SEC)
#define LOSSES_MAX   10    /* in a row: what ends the daemon each time that it is asked is not asked for for ever */

bool options_user(const Options *o) {
        return o->user || (!o->system && geteuid() != 0);
}

static int user_socket(char **ret, KlError *reterr) {
        const char *dir = getenv("XDG_RUNTIME_DIR");
        _cleanup_free_ char *fallback = NULL;

        if (!dir || dir[0] != '/') {
                fallback = text_printf("/run/user/%u", (unsigned) geteuid());
                dir = fallback && access(fallback, X_OK) >= 0 ? fallback : NULL;
        }
        if (!dir) {
                kl_error_set(reterr, -ENXIO, KL_E_INVALID, "socket: XDG_RUNTIME_DIR is not set, so there is no place for a user's daemon");
                kl_error_hint(reterr, "set KINGLY_HOME to a directory for a private daemon");
                return -ENXIO;
        }
        *ret = text_printf("%s/kingly/kingd.sock", dir);
        return *ret ? 0 : -ENOMEM;
}

int socket_path(const Options *o, char **ret, KlError *reterr) {
        const char *path = o->socket ? o->socket : getenv("KINGLY_SOCKET"), *home = getenv("KINGLY_HOME");
        _cleanup_free_ char *joined = NULL;

        if (path && *path)
                *ret = path_absolute(path, NULL);
        else if (home && *home) {
                joined = path_join(home, "kingd.sock");
                *ret = joined ? path_absolute(joined, NULL) : NULL;
        } else if (options_user(o))
                return user_socket(ret, reterr);
        else
                *ret = strdup("/run/kingly/kingd.sock");
        return *ret ? 0 : kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "socket: out of memory");
}

static int explain(const char *path, int r, KlError *reterr) {
        switch (r) {
        case -ENOENT:
        case -ENOTDIR:
        case -ECONNREFUSED:
                kl_error_set(reterr, r, KL_E_NO_DAEMON, "%s: no daemon runs", path);
                kl_error_hint(reterr, "kingd --daemonize starts one; so does: kingctl start -- COMMAND");
                return r;
        case -EACCES:
        case -EPERM:
                kl_error_set(reterr, r, KL_E_PERMISSION, "%s: you are not permitted to use this daemon", path);
                kl_error_hint(reterr, "its owner and root may; the group kingly may look");
                return r;
        case -ETIMEDOUT:
                return kl_error_set(reterr, r, KL_E_TIMEOUT, "%s: the daemon does not take the connection in time", path);
        default:
                return kl_error_set(reterr, r, KL_E_FAILED, "%s: %s", path, strerror(-r));
        }
}

static usec_t call_timeout(const Ctl *ctl) {
        return ctl->options.timeout > 0 ? ctl->options.timeout : CALL_TIMEOUT;
}

usec_t ctl_deadline(const Ctl *ctl) {
        return ctl->options.timeout > 0 ? usec_add(now_usec(CLOCK_MONOTONIC), ctl->options.timeout) : USEC_INFINITY;
}

static bool nobody_listens(int r) {
        return r == -ENOENT || r == -ENOTDIR || r == -ECONNREFUSED;
}

int ctl_connect(Ctl *ctl, ConnectMode mode) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (ctl->client)
                return 0;
        r = socket_path(&ctl->options, &path, &ctl->error);
        if (r < 0)
                return r;
        r = varlink_client_connect(path, call_timeout(ctl), &ctl->client);
        if (nobody_listens(r) && mode == CONNECT_START && !ctl->options.no_autostart) {
                r = daemon_start(&ctl->options, &ctl->error);
                if (r < 0)
                        return r;
                r = varlink_client_connect(path, call_timeout(ctl), &ctl->client);
                if (r >= 0)
                        fputs("kingd started\n", stderr);
        }
        return r < 0 ? explain(path, r, &ctl->error) : 0;
}

static char *full_method(const char *method) {
        return text_printf("io.kingly.Manager.%s", method);
}

/* What may be asked for again when the answer was lost: nothing is changed by it, or the same is true after one time and after two. */
static bool repeatable(const char *method) {
        static const char *const methods[] = { "Ping",   "Status", "List", "Describe", "Environment", "Logs", "Events",
                                               "Doctor", "Profiles", "Start",  "Stop", "Apply",    "Reset",  "Reload" };

        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (streq(methods[i], method))
                        return true;
        return false;
}

static int answer_lost(Ctl *ctl, const char *method, int r) {
        kl_error_done(&ctl->error);
        kl_error_set(&ctl->error, r, KL_E_FAILED, "%s: the daemon was replaced before it answered: it may have been done or not", method);
        kl_error_hint(&ctl->error, "see how things are with kingctl list, and ask again if need be");
        return r;
}

int ctl_again(Ctl *ctl, const char *method, int r) {
        if (r != -ECONNRESET)
                return r;
        if (!repeatable(method))
                return answer_lost(ctl, method, r);
        if (++ctl->losses > LOSSES_MAX)
                return r;
        ctl->client = varlink_client_free(ctl->client);
        kl_error_done(&ctl->error);
        return ctl_connect(ctl, CONNECT_ONLY);
}

static usec_t left_of(usec_t deadline) {
        usec_t now = now_usec(CLOCK_MONOTONIC);

        return deadline == USEC_INFINITY ? USEC_INFINITY : deadline > now ? deadline - now : 0;
}

int ctl_call(Ctl *ctl, const char *method, json_object *parameters, json_object **ret) {
        usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), call_timeout(ctl));
        _cleanup_json_ json_object *p = parameters;
        _cleanup_free_ char *full = full_method(method);
        int r;

        if (!full)
                return ctl_oom(ctl);
        for (;;) {
                r = varlink_client_call(ctl->client, full, json_object_get(p), left_of(deadline), ret, &ctl->error);
                if (r >= 0) {
                        ctl->losses = 0;
                        return r;
                }
                r = ctl_again(ctl, method, r);
                if (r < 0)
                        return r;
        }
}

int ctl_more(Ctl *ctl, const char *method, json_object *parameters) {
        _cleanup_free_ char *full = full_method(method);

        if (!full) {
                json_object_put(parameters);
                return ctl_oom(ctl);
        }
        return varlink_client_more(ctl->client, full, parameters, &ctl->error);
}

int ctl_next(Ctl *ctl, usec_t deadline, json_object **ret) {
        int r = varlink_client_next(ctl->client, left_of(deadline), ret, &ctl->error);

        if (r >= 0)
                ctl->losses = 0;
        return r;
}

static int add_selectors(json_object *p, char *const *args, bool all) {
        json_object *l;
        int r;

        if (!(args && args[0]) && !all)
                return 0;
        l = json_object_new_array();
        r = json_add(p, "selectors", l);
        if (r < 0)
                return r;
        if (!(args && args[0]))
                return json_object_array_add(l, json_object_new_string("all")) < 0 ? -ENOMEM : 0;
        for (; *args; args++)
                if (json_object_array_add(l, json_object_new_string(*args)) < 0)
                        return -ENOMEM;
        return 0;
}

json_object *ctl_selectors(const Ctl *ctl, char *const *args, bool all) {
        json_object *p = json_object_new_object();

        if (!p || add_selectors(p, args, all) < 0 || json_add_string(p, "namespace", ctl->options.namespace) < 0) {
                json_object_put(p);
                return NULL;
        }
        return p;
}

json_object *ctl_secrets(const Ctl *ctl, json_object *parameters) {
        if (!parameters || !ctl->options.show_secrets || json_add(parameters, "secrets", json_object_new_boolean(true)) >= 0)
                return parameters;
        json_object_put(parameters);
        return NULL;
}

int ctl_oom(Ctl *ctl) {
        return kl_error_set(&ctl->error, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
}

int ctl_usage(Ctl *ctl, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vprintf(format, ap);
        va_end(ap);
        if (!text)
                return ctl_oom(ctl);
        return kl_error_set(&ctl->error, -EINVAL, KL_E_INVALID, "%s", text);
}

void ctl_complain(const Ctl *ctl, const char *message, const char *hint) {
        fflush(stdout);
        fprintf(stderr, "%skingctl:%s ", colour_begin(ctl->colour_error, COLOUR_RED), colour_end(ctl->colour_error));
        print_text(stderr, message);
        fputc('\n', stderr);
        if (hint) {
                fprintf(stderr, "%shint:%s ", colour_begin(ctl->colour_error, COLOUR_CYAN), colour_end(ctl->colour_error));
                print_text(stderr, hint);
                fputc('\n', stderr);
        }
}
