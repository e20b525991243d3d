/* Rules that one key alone cannot check. Each rule is a small function that tells the key to point at; the list of them is the order in which
 * they are checked. */
#include <regex.h>
#include <strings.h>
#include <sys/capability.h>

#include "base/strv.h"
#include "base/text.h"
#include "model/calendar.h"
#include "model/validate.h"

static int check_names(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        const char *key = !name_valid(s->ns) ? "namespace" : !name_valid(s->name) ? "name" : NULL;

        if (!key)
                return 0;
        (void) FAULT(key, "%s: \"%s\" is not a valid name", key, streq(key, "name") ? s->name : s->ns);
        kl_error_hint(reterr, "letters, digits, and _ . - but not first, at most 128 of them");
        return -EINVAL;
}

static int check_command(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        size_t size = 0;

        if (strv_length(s->command) == 0)
                return FAULT("command", "command: missing; every service needs one");
        if (!s->command[0][0])
                return FAULT("command", "command: the program's name is empty");
        STRV_FOREACH(word, s->command)
                size += strlen(*word) + 1;
        if (size > SPEC_STRINGS_MAX)
                return FAULT("command", "command: longer than %d KiB", SPEC_STRINGS_MAX / 1024);
        STRV_FOREACH(word, s->env)
                size += strlen(*word) + 1;
        if (size > SPEC_STRINGS_MAX)
                return FAULT("env", "env: together with command longer than %d KiB", SPEC_STRINGS_MAX / 1024);
        return 0;
}

static bool absolute(const char *path) {
        return *path == '/';
}

static int check_paths(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->cwd && !absolute(s->cwd))
                return FAULT("cwd", "cwd: \"%s\" is not an absolute path", s->cwd);
        STRV_FOREACH(f, s->env_files)
                if (!absolute(*f + (**f == '-')))
                        return FAULT("env_file", "env_file: \"%s\" is not an absolute path", *f);
        return 0;
}

/* An absolute path of a device or of a file on one, each only once, with a value that means something. */
static int check_devices(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        static const char *const keys[] = { "limits.io_read_bandwidth", "limits.io_write_bandwidth", "limits.io_read_iops", "limits.io_write_iops" };
        const DeviceLimitList *lists[] = { &s->limits.io_read_bandwidth, &s->limits.io_write_bandwidth, &s->limits.io_read_iops,
                                           &s->limits.io_write_iops };

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i]->n; k++) {
                        const DeviceLimit *d = lists[i]->items + k;

                        if (!absolute(d->path))
                                return FAULT(keys[i], "%s: \"%s\" is not an absolute path", keys[i], d->path);
                        if (d->value == 0 || d->value > INT64_MAX)
                                return FAULT(keys[i], "%s: the value for %s must be at least 1", keys[i], d->path);
                        for (size_t n = 0; n < k; n++)
                                if (streq(lists[i]->items[n].path, d->path))
                                        return FAULT(keys[i], "%s: %s is named twice", keys[i], d->path);
                }
        return 0;
}

static bool env_pair_valid(const char *pair) {
        const char *equals = strchr(pair, '=');
        char name[256];

        if (!equals || (size_t) (equals - pair) >= sizeof(name))
                return false;
        memcpy(name, pair, (size_t) (equals - pair));
        name[equals - pair] = '\0';
        return env_name_valid(name);
}

/* The array is sorted, so that equal names are neighbours. */
static int check_env(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        const char *last = NULL;

        STRV_FOREACH(pair, s->env) {
                int name = (int) strcspn(*pair, "=");

                if (!env_pair_valid(*pair))
                        return FAULT("env", "env: \"%.*s\" is not a valid name of a variable", MIN(name, 100), *pair);
                if (last && strncmp(last, *pair, (size_t) name + 1) == 0)
                        return FAULT("env", "env: %.*s is set twice", name, *pair);
                last = *pair;
        }
        return 0;
}

static bool dependency_name_valid(const char *name) {
        const char *slash = strchr(name, '/');
        char ns[160];

        if (!slash)
                return name_valid(name);
        if ((size_t) (slash - name) >= sizeof(ns))
                return false;
        memcpy(ns, name, (size_t) (slash - name));
        ns[slash - name] = '\0';
        return name_valid(ns) && name_valid(slash + 1);
}

static bool names_itself(const ServiceSpec *s, const char *name) {
        size_t n = strlen(s->ns);

        return streq(name, s->name) || (strncmp(name, s->ns, n) == 0 && name[n] == '/' && streq(name + n + 1, s->name));
}

static int check_depends(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        for (size_t i = 0; i < s->depends.n; i++) {
                const char *name = s->depends.items[i].name;

                if (!dependency_name_valid(name))
                        return FAULT("depends_on", "depends_on: \"%s\" is not the name of a service", name);
                if (names_itself(s, name))
                        return FAULT("depends_on", "depends_on: %s depends on itself", s->name);
                for (size_t k = 0; k < i; k++)
                        if (streq(s->depends.items[k].name, name))
                                return FAULT("depends_on", "depends_on: %s is named twice", name);
        }
        return 0;
}

static int check_ready_log(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        static const struct { int to; const char *name; } unreadable[] = { { LOG_TO_NONE, "none" }, { LOG_TO_EXEC, "exec" }, { LOG_TO_INHERIT, "inherit" } };
        regex_t pattern;
        char why[200];
        int r;

        if (s->ready_by != READY_LOG)
                return s->ready_pattern ? FAULT("ready.pattern", "ready.pattern: goes with ready.by: log") : 0;
        if (!s->ready_pattern)
                return FAULT("ready.by", "ready.by: log needs ready.pattern, which says what the line is like");
        for (size_t k = 0; k < ARRAY_SIZE(unreadable); k++)
                if (s->log.to == unreadable[k].to)
                        return FAULT("ready.by", "ready.by: log needs a log that can be read back; log.to is %s", unreadable[k].name);
        if (s->log.format == LOG_FORMAT_RAW)
                return FAULT("ready.by", "ready.by: nothing in a raw log tells this run from the last; choose log.format: text or json");
        r = regcomp(&pattern, s->ready_pattern, REG_EXTENDED | REG_NOSUB);
        if (r != 0) {
                (void) regerror(r, &pattern, why, sizeof why);
                return FAULT("ready.pattern", "ready.pattern: \"%s\" is no regular expression: %s", s->ready_pattern, why);
        }
        regfree(&pattern);
        return 0;
}

static int check_cluster(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->cluster.by == CLUSTER_NONE)
                return s->ready_by == READY_LISTEN ? FAULT("ready.by", "ready.by: listen goes with cluster.by: node or sockets; nobody else tells when it listens") : 0;
        if (s->type == SERVICE_ONESHOT)
                return FAULT("cluster.by", "cluster.by: a oneshot does its work and ends; only a simple service serves");
        if (s->cluster.by == CLUSTER_SOCKETS)
                return s->sockets.n > 0 ? 0 : FAULT("cluster.by", "cluster.by: sockets shares what the service has in `sockets`, which is empty: write the ports that it listens on there");
        if (s->sandbox.network == SANDBOX_NETWORK_NONE)
                return FAULT("cluster.by", "cluster.by: Kingly would open ports for a service that sandbox.network keeps from all networks");
        return 0;
}

static int check_type(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->type == SERVICE_ONESHOT && s->ready_by != READY_START)
                return FAULT("ready.by", "ready.by: a oneshot is ready when it has exited with success; nothing else can tell");
        if (s->type == SERVICE_ONESHOT && s->watchdog > 0)
                return FAULT("watchdog", "watchdog: only a simple service can have one");
        if (s->essential && s->instances != 1)
                return FAULT("essential", "essential: the daemon ends with the status of this service, so that it can have one instance only");
        return 0;
}

static int check_limits(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->limits.memory_high != LIMIT_UNSET && s->limits.memory_max != LIMIT_UNSET && s->limits.memory_high > s->limits.memory_max)
                return FAULT("limits.memory_high", "limits.memory_high: above limits.memory_max, so that it would never be reached");
        if (s->limits.memory_restart != LIMIT_UNSET && s->limits.memory_max != LIMIT_UNSET && s->limits.memory_restart > s->limits.memory_max)
                return FAULT("limits.memory_restart", "limits.memory_restart: above limits.memory_max, so that it would never be reached");
        if (s->priority.io_class == IO_CLASS_NONE && s->priority.io_level != 4)
                return FAULT("priority.io_level", "priority.io_level: needs priority.io_class: realtime or best-effort");
        return 0;
}

static int check_restart(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->restart.max_delay < s->restart.delay)
                return FAULT("restart.max_delay", "restart.max_delay: shorter than restart.delay");
        for (size_t i = 0; i < s->restart.except_codes.n; i++)
                if (s->restart.except_codes.items[i] < 0 || s->restart.except_codes.items[i] > 255)
                        return FAULT("restart.except_codes", "restart.except_codes: exit codes go from 0 to 255");
        return 0;
}

/* `web.0` merged would share its file with instance 0 of `web`. */
static bool ends_like_an_instance(const char *name) {
        const char *dot = strrchr(name, '.');

        return dot && dot[1] != '\0' && dot[1 + strspn(dot + 1, "0123456789")] == '\0';
}

static int check_collects(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (!s->collects)
                return 0;
        if (!name_valid(s->collects))
                return FAULT("collects", "collects: \"%s\" is not the name of a service", s->collects);
        if (streq(s->collects, s->name))
                return FAULT("collects", "collects: %s cannot read what it writes itself", s->name);
        if (s->input == STDIN_PIPE)
                return FAULT("stdin", "stdin: is what %s writes already", s->collects);
        if (s->log.to == LOG_TO_EXEC)
                return FAULT("log.to", "log.to: a collector has none of its own");
        return 0;
}

static int check_log(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->log.merge && s->log.format == LOG_FORMAT_RAW)
                return FAULT("log.merge", "log.merge: nothing in a raw file tells the instances apart; choose log.format: text or json");
        if (s->log.merge && ends_like_an_instance(s->name))
                return FAULT("log.merge", "log.merge: %s.log could be the file of an instance of another service; rename this one", s->name);
        if (s->log.format == LOG_FORMAT_RAW && s->log.when_full != LOG_FULL_BLOCK)
                return FAULT("log.when_full", "log.when_full: a raw file cannot say what was dropped; choose log.format: text or json");
        if (s->log.format == LOG_FORMAT_RAW && s->log.rate_limit > 0)
                return FAULT("log.rate_limit", "log.rate_limit: a raw file cannot say what was dropped; choose log.format: text or json");
        if (s->log.max_age < USEC_PER_SEC)
                return FAULT("log.max_age", "log.max_age: at least 1s, or infinity for never");
        if (s->log.max_total != UINT64_MAX && s->log.max_size > s->log.max_total)
                return FAULT("log.max_total", "log.max_total: below log.max_size, so that it could not be kept");
        return 0;
}

static int check_cron(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        _cleanup_error_ KlError e = {};
        Calendar c;
        int r = s->schedule.cron ? calendar_parse(s->schedule.cron, &c, &e) : 0;

        if (r != -EINVAL)
                return r;
        (void) FAULT("schedule.cron", "schedule.cron: %s", e.message ?: "cannot be read");
        if (e.hint)
                kl_error_hint(reterr, "%s", e.hint);
        return -EINVAL;
}

static int check_schedule(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->schedule.cron && s->schedule.every)
                return FAULT("schedule.every", "schedule.every: schedule.cron says already when it runs");
        if (s->schedule.every && s->schedule.every < USEC_PER_SEC)
                return FAULT("schedule.every", "schedule.every: at least 1s");
        if (s->schedule.timezone && !zone_name_valid(s->schedule.timezone)) {
                (void) FAULT("schedule.timezone", "schedule.timezone: \"%.60s\" is not the name of a time zone", s->schedule.timezone);
                kl_error_hint(reterr, "one of the tz database, such as Europe/Berlin or UTC; `timedatectl list-timezones` lists them");
                return -EINVAL;
        }
        return check_cron(s, ret_key, reterr);
}

static int check_demand(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        SocketAddress a;

        if (s->on_demand && s->sockets.n == 0)
                return FAULT("on_demand", "on_demand: needs sockets to which a client could connect");
        if (s->on_demand && s->type == SERVICE_ONESHOT)
                return FAULT("on_demand", "on_demand: only a simple service can be");
        if (!s->on_demand && s->idle_timeout != USEC_INFINITY)
                return FAULT("idle_timeout", "idle_timeout: means nothing without on_demand: true");
        if (s->idle_timeout < USEC_PER_SEC)
                return FAULT("idle_timeout", "idle_timeout: at least 1s, or infinity for never");
        for (size_t i = 0; i < s->sockets.n && s->idle_timeout != USEC_INFINITY; i++)
                if (socket_address_parse(s->sockets.items[i].listen, &a, NULL) >= 0 && !socket_type_accepts(socket_type(s->sockets.items + i, &a)))
                        return FAULT("idle_timeout", "idle_timeout: %s has no connections that could be counted", s->sockets.items[i].listen);
        return 0;
}

static int check_reload(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->reload.by == RELOAD_BY_COMMAND && !s->reload.command)
                return FAULT("reload.by", "reload.by: command, but there is no reload.command");
        if (s->reload.by != RELOAD_BY_COMMAND && s->reload.command)
                return FAULT("reload.command", "reload.command: needs reload.by: command");
        return 0;
}

/* Together with the environment they must fit a request to the keeper, as the main command must. */
static int check_hooks(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        static const char *const keys[HOOK_RELOAD + 1] = {
                "hooks.pre_start", "hooks.post_start", "hooks.pre_stop", "hooks.post_stop", "hooks.on_exit", "hooks.on_failure", "reload.command",
        };

        for (HookKind k = 0; k <= HOOK_RELOAD; k++) {
                char *const *words = k == HOOK_RELOAD ? s->reload.command : s->hooks.command[k];
                size_t size = 0;

                STRV_FOREACH(word, words)
                        size += strlen(*word) + 1;
                STRV_FOREACH(word, s->env)
                        size += strlen(*word) + 1;
                if (words && (!words[0] || !words[0][0]))
                        return FAULT(keys[k], "%s: the program's name is empty", keys[k]);
                if (words && size > SPEC_STRINGS_MAX)
                        return FAULT(keys[k], "%s: together with env longer than %d KiB", keys[k], SPEC_STRINGS_MAX / 1024);
        }
        return 0;
}

static int check_rolling(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        if (s->reload.max_surge == 0 && s->reload.max_unavailable == 0)
                return FAULT("reload.max_surge", "reload.max_surge: with reload.max_unavailable 0 as well, nothing could be replaced");
        if (s->reload.by != RELOAD_BY_ROLLING)
                return 0;
        if (s->type == SERVICE_ONESHOT)
                return FAULT("reload.by", "reload.by: a oneshot cannot be replaced while it works");
        if (s->collects)
                return FAULT("reload.by", "reload.by: two collectors cannot share their input");
        if (s->essential)
                return FAULT("reload.by", "reload.by: an essential service has one process, with whose end the daemon ends");
        return 0;
}

static int check_capabilities(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        STRV_FOREACH(name, s->capabilities) {
                cap_value_t value;

                if (strncasecmp(*name, "cap_", 4) != 0 || cap_from_name(*name, &value) < 0) {
                        (void) FAULT("capabilities", "capabilities: \"%s\" is not known", *name);
                        kl_error_hint(reterr, "capabilities(7) lists the names, such as CAP_NET_BIND_SERVICE");
                        return -EINVAL;
                }
        }
        return 0;
}

int spec_validate(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        static int (*const rules[])(const ServiceSpec *, const char **, KlError *) = {
                check_names, check_command, check_paths,  check_env,     check_depends,
                check_type,  check_limits,  check_devices, check_restart, check_log,
                check_collects, check_balances, check_sockets, check_schedule, check_demand, check_rolling, check_reload, check_hooks,
                check_probes, check_ready_log, check_cluster,
                check_capabilities,
                validate_priority, validate_syscalls, validate_sandbox,
        };
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                r = rules[i](s, ret_key, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}
