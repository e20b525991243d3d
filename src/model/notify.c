/* One line of the table for each field of sd_notify(3). Must stay true: nothing is read beyond the n bytes, and a field never changes another's. */
#include "model/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ERRNO_MAX 4095                     /* the kernel's MAX_ERRNO */

/* Each returns whether the value is one. */
typedef bool (*FieldParser)(NotifyMessage *m, const char *value);

static bool is_one(bool *field, const char *value) {
        if (!streq(value, "1"))
                return false;
        *field = true;
        return true;
}

static bool parse_ready(NotifyMessage *m, const char *value) { return is_one(&m->ready, value); }
static bool parse_reloading(NotifyMessage *m, const char *value) { return is_one(&m->reloading, value); }
static bool parse_stopping(NotifyMessage *m, const char *value) { return is_one(&m->stopping, value); }
static bool parse_barrier(NotifyMessage *m, const char *value) { return is_one(&m->barrier, value); }
static bool parse_main_pidfd(NotifyMessage *m, const char *value) { return is_one(&m->main_pidfd, value); }
static bool parse_restart_reset(NotifyMessage *m, const char *value) { return is_one(&m->restart_reset, value); }

static bool parse_status(NotifyMessage *m, const char *value) {
        size_t n = strlen(value);

        if (n > NOTIFY_STATUS_MAX || !utf8_valid(value, n))
                return false;
        m->status = value;
        return true;
}

static bool parse_monotonic(NotifyMessage *m, const char *value) {
        return parse_u64(value, &m->monotonic) >= 0;
}

static bool parse_extend(NotifyMessage *m, const char *value) {
        return parse_u64(value, &m->extend) >= 0;
}

static bool parse_watchdog(NotifyMessage *m, const char *value) {
        m->ping = streq(value, "1");
        m->trigger = streq(value, "trigger");
        return m->ping || m->trigger;
}

static bool parse_watchdog_usec(NotifyMessage *m, const char *value) {
        if (parse_u64(value, &m->watchdog) < 0)
                return false;
        if (m->watchdog == USEC_INFINITY)
                m->watchdog = 0;
        m->has_watchdog = true;
        return true;
}

static bool parse_main_pid(NotifyMessage *m, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) < 0 || n == 0 || n > INT32_MAX)
                return false;
        m->main_pid = (pid_t) n;
        return true;
}

static bool parse_main_pidfd_id(NotifyMessage *m, const char *value) {
        return parse_u64(value, &m->main_pidfd_id) >= 0 && m->main_pidfd_id > 0;
}

/* By number, or by its name as systemd accepts it. */
static bool parse_error(NotifyMessage *m, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) >= 0) {
                if (n > ERRNO_MAX)
                        return false;
                m->error = (int) n;
                return true;
        }
        for (int e = 1; e < 200; e++) {
                const char *name = strerrorname_np(e);

                if (name && streq(name, value)) {
                        m->error = e;
                        return true;
                }
        }
        return false;
}

static bool parse_exit_status(NotifyMessage *m, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) < 0 || n > UINT8_MAX)
                return false;
        m->exit_status = (int) n;
        return true;
}

static bool letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Elements between dots, at least two, of letters, digits and what `more` says; none begins with a digit unless `digits`. */
static bool dotted(const char *s, const char *more, bool digits) {
        bool first = true, dots = false;

        if (strlen(s) > NOTIFY_NAME_MAX)
                return false;
        for (; *s; s++) {
                if (*s == '.') {
                        if (first)
                                return false;
                        first = dots = true;
                        continue;
                }
                if (!letter(*s) && !(digit(*s) && (digits || !first)) && !strchr(more, *s))
                        return false;
                first = false;
        }
        return dots && !first;
}

/* A name of an error, as the D-Bus specification has it: that of an interface. */
static bool parse_bus_error(NotifyMessage *m, const char *value) {
        if (!dotted(value, "_", false))
                return false;
        m->bus_error = value;
        return true;
}

/* INTERFACE.Error, by the grammar of Varlink: what follows the last dot begins with a capital letter. */
static bool parse_varlink_error(NotifyMessage *m, const char *value) {
        const char *last = strrchr(value, '.');

        if (!dotted(value, "-", true) || last[1] < 'A' || last[1] > 'Z' || strchr(last, '-'))
                return false;
        m->varlink_error = value;
        return true;
}

static const char *const access_names[] = { "none", "main", "exec", "all" };

static bool parse_access(NotifyMessage *m, const char *value) {
        for (size_t k = 0; k < ARRAY_SIZE(access_names); k++)
                if (streq(value, access_names[k])) {
                        m->access = (int) k;
                        return true;
                }
        return false;
}

static const struct { const char *name; FieldParser parse; } fields[] = {
        { "READY=", parse_ready },
        { "RELOADING=", parse_reloading },
        { "STOPPING=", parse_stopping },
        { "MONOTONIC_USEC=", parse_monotonic },
        { "STATUS=", parse_status },
        { "NOTIFYACCESS=", parse_access },
        { "ERRNO=", parse_error },
        { "BUSERROR=", parse_bus_error },
        { "VARLINKERROR=", parse_varlink_error },
        { "EXIT_STATUS=", parse_exit_status },
        { "MAINPID=", parse_main_pid },
        { "MAINPIDFDID=", parse_main_pidfd_id },
        { "MAINPIDFD=", parse_main_pidfd },
        { "WATCHDOG=", parse_watchdog },
        { "WATCHDOG_USEC=", parse_watchdog_usec },
        { "EXTEND_TIMEOUT_USEC=", parse_extend },
        { "RESTART_RESET=", parse_restart_reset },
        { "BARRIER=", parse_barrier },
};

static void parse_line(NotifyMessage *m, const char *line, uint32_t *seen) {
        if (!strchr(line, '=') || *line == '=')
                return;
        m->assignments++;
        for (size_t k = 0; k < ARRAY_SIZE(fields); k++) {
                const char *value = startswith(line, fields[k].name);

                if (!value || *seen & UINT32_C(1) << k)
                        continue;
                *seen |= UINT32_C(1) << k;
                if (fields[k].parse(m, value))
                        continue;
                if (m->bad++ == 0)
                        snprintf(m->first_bad, sizeof m->first_bad, "%.*s", (int) strlen(fields[k].name) - 1, fields[k].name);
        }
}

int notify_parse(char *text, size_t n, NotifyMessage *ret) {
        NotifyMessage m = { .error = -1, .exit_status = -1, .access = -1 };
        uint32_t seen = 0;

        if (n > 0 && text[n - 1] == '\0')
                n--;
        if (memchr(text, '\0', n))
                return -EBADMSG;
        text[n] = '\0';
        fd_store_read(text, &m.fd_store);
        for (char *line = text, *end; line; line = end ? end + 1 : NULL) {
                end = strchr(line, '\n');
                if (end)
                        *end = '\0';
                parse_line(&m, line, &seen);
        }
        *ret = m;
        return 0;
}

NotifyAccess notify_access(const ServiceSpec *s) {
        return s->notify_access == NOTIFY_ACCESS_NONE && spec_notifies(s) ? NOTIFY_ACCESS_MAIN : (NotifyAccess) s->notify_access;
}

bool notify_admits(NotifyAccess access, NotifySender from) {
        static const NotifyAccess least[] = { [NOTIFY_FROM_MAIN] = NOTIFY_ACCESS_MAIN, [NOTIFY_FROM_CONTROL] = NOTIFY_ACCESS_EXEC,
                                              [NOTIFY_FROM_MEMBER] = NOTIFY_ACCESS_ALL };

        return access >= least[from];
}

const char *notify_access_name(NotifyAccess a) {
        return access_names[a];
}

usec_t notify_extended(usec_t deadline, usec_t now, usec_t by) {
        usec_t until = usec_add(now, by);

        return deadline == USEC_INFINITY || until == USEC_INFINITY ? deadline : MAX(deadline, until);
}
