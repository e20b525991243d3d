/* What a key of supervisord's [program:x] means to Kingly: one table, one reader a key. */
#include <sys/utsname.h>

#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/supervisord.h"

/* ---- %(name)s ---- */

static int append_number(Buffer *b, const char *format, size_t n, unsigned number) {
        uint64_t width = 0;
        _cleanup_free_ char *digits = strndup(format, n);

        if (!digits)
                return -ENOMEM;
        (void) parse_u64(digits[0] == '0' ? digits + 1 : digits, &width);
        return buffer_printf(b, digits[0] == '0' ? "%0*u" : "%*u", (int) MIN(width, (uint64_t) 20), number);
}

/* The value of a name, or NULL; numbers are told by *ret_number. */
static const char *expansion(const Program *p, const char *name, struct utsname *host, const unsigned **ret_number) {
        const struct {
                const char *name, *text;
                const unsigned *number;
        } known[] = {
                { "program_name", p->name, NULL },        { "group_name", p->group, NULL },  { "here", p->f->directory, NULL },
                { "host_node_name", host->nodename, NULL }, { "process_num", NULL, &p->number }, { "numprocs", NULL, &p->count },
        };

        if (startswith(name, "ENV_"))
                return strv_env_get(p->f->environment, name + 4);
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (streq(known[i].name, name)) {
                        *ret_number = known[i].number;
                        return known[i].text;
                }
        return NULL;
}

/* One "%(name)s" or "%(name)02d" at *s, which moves behind it. */
static int expand_one(const Program *p, const IniKey *k, const char **s, Buffer *b) {
        const char *close = strchr(*s, ')'), *value, *format;
        _cleanup_free_ char *name = close ? strndup(*s + 2, (size_t) (close - *s - 2)) : NULL;
        const unsigned *number = NULL;
        struct utsname host;
        size_t width;

        if (!close)
                return foreign_fault(p->f, place_of_key(k), "%s: \"%%(\" without \")\"", k->name) ?: -EINVAL;
        if (!name || uname(&host) < 0)
                return -ENOMEM;
        format = close + 1;
        width = strspn(format, "0123456789");
        if (!format[width] || !strchr("sd", format[width]))
                return foreign_fault(p->f, place_of_key(k), "%s: %%(%s) is not followed by s or d", k->name, name) ?: -EINVAL;
        *s = format + width + 1;
        value = expansion(p, name, &host, &number);
        if (number)
                return append_number(b, format, width, *number);
        if (!value)
                return foreign_fault(p->f, place_of_key(k), "%s: %%(%s) is not known%s", k->name, name,
                                     startswith(name, "ENV_") ? ": the variable is not set here" : "") ?: -EINVAL;
        return buffer_append(b, value, strlen(value));
}

/* 0 and malloc'ed text; -EINVAL when it could not be expanded, which was said. */
int supervisord_expand(const Program *p, const IniKey *k, char **ret) {
        _cleanup_buffer_ Buffer b = {};
        int r = 0;

        for (const char *s = k->value; *s && r >= 0; ) {
                if (s[0] == '%' && s[1] == '(')
                        r = expand_one(p, k, &s, &b);
                else {
                        r = buffer_append(&b, s, 1);
                        s += s[0] == '%' && s[1] == '%' ? 2 : 1;
                }
        }
        if (r >= 0)
                r = buffer_append(&b, "", 1);
        if (r >= 0)
                *ret = TAKE_PTR(b.data);
        return r;
}

/* ---- keys ---- */

typedef int (*KeyRead)(Program *p, const IniKey *k, const char *value);

static bool truth(const char *v) {
        return strcasecmp(v, "true") == 0 || strcasecmp(v, "yes") == 0 || strcasecmp(v, "on") == 0 || streq(v, "1");
}

static int read_command(Program *p, const IniKey *k, const char *value) {
        _cleanup_strv_ char **words = NULL;
        int r = strv_split_command(value, &words);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || !words || !words[0])
                return foreign_fault(p->f, place_of_key(k), "command: the quotes do not match, or there is none");
        return foreign_set_strv(p->service, "command", words);
}

static int read_directory(Program *p, const IniKey *k, const char *value) {
        _cleanup_free_ char *path = foreign_path(p->f, value);

        return path ? foreign_set_text(p->service, "cwd", path) : -ENOMEM;
}

/* KEY="value",KEY2='value',KEY3=value */
static int read_environment(Program *p, const IniKey *k, const char *value) {
        int r = 0;

        while (r >= 0) {
                _cleanup_free_ char *name = NULL, *v = NULL;
                size_t n;
                char quote;

                value += strspn(value, " \t\n,");
                if (!*value)
                        return 0;
                n = strcspn(value, "=,");
                if (value[n] != '=')
                        return foreign_fault(p->f, place_of_key(k), "environment: expected NAME=\"value\",NAME=\"value\"");
                name = strndup(value, n);
                value += n + 1;
                quote = *value == '"' || *value == '\'' ? *value++ : 0;
                n = quote ? strcspn(value, quote == '"' ? "\"" : "'") : strcspn(value, ",\n");
                v = strndup(value, n);
                if (!name || !v)
                        return -ENOMEM;
                if (quote && !value[n])
                        return foreign_fault(p->f, place_of_key(k), "environment: %s: the quote is not closed", name);
                value += n + (quote != 0);
                r = foreign_set_env(p->service, name, v);
        }
        return r;
}

static int read_autostart(Program *p, const IniKey *k, const char *value) {
        return foreign_set(p->service, "autostart", json_object_new_boolean(truth(value)));
}

static int read_autorestart(Program *p, const IniKey *k, const char *value) {
        if (strcasecmp(value, "unexpected") == 0)
                return 0;
        return foreign_set_text(p->service, "restart.when", truth(value) ? "always" : "never");
}

static int read_seconds(Program *p, const IniKey *k, const char *value, const char *path) {
        _cleanup_free_ char *span = text_printf("%ss", value);
        usec_t ignored;

        if (!span)
                return -ENOMEM;
        if (parse_span(span, &ignored) < 0)
                return foreign_fault(p->f, place_of_key(k), "%s: expected a number of seconds, not \"%s\"", k->name, value);
        return foreign_set_text(p->service, path, span);
}

static int read_startsecs(Program *p, const IniKey *k, const char *value) {
        return streq(value, "0") ? 0 : read_seconds(p, k, value, "restart.reset_after");
}

static int read_stopwaitsecs(Program *p, const IniKey *k, const char *value) {
        return read_seconds(p, k, value, "stop.timeout");
}

static int read_startretries(Program *p, const IniKey *k, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) < 0)
                return foreign_fault(p->f, place_of_key(k), "startretries: expected a number, not \"%s\"", value);
        if (n > 0)
                return foreign_set(p->service, "restart.limit", json_object_new_int64((int64_t) MIN(n, (uint64_t) UINT32_MAX)));
        return foreign_note(p->f, place_of_key(k), "startretries: 0 becomes one retry: restart.limit 0 would mean to never give up") ?:
                foreign_set(p->service, "restart.limit", json_object_new_int64(1));
}

static int read_stopsignal(Program *p, const IniKey *k, const char *value) {
        return foreign_set_text(p->service, "stop.signal", value);
}

static int read_user(Program *p, const IniKey *k, const char *value) {
        return foreign_set_text(p->service, "user", value);
}

static int read_umask(Program *p, const IniKey *k, const char *value) {
        return foreign_set_text(p->service, "umask", value);
}

static bool no_log(const char *value) {
        return strcasecmp(value, "none") == 0 || streq(value, "/dev/null");
}

static int read_logfile(Program *p, const IniKey *k, const char *value) {
        const IniKey *err = ini_find(p->section, "stderr_logfile"), *redirect = ini_find(p->section, "redirect_stderr");

        if (strcasecmp(value, "auto") == 0)
                return 0;
        if (no_log(value) && ((err && no_log(err->value)) || (redirect && truth(redirect->value))))
                return foreign_set_text(p->service, "log.to", "none");
        return foreign_note(p->f, place_of_key(k), "%s: %s: Kingly names its own log, which holds both streams: kingctl logs %s", p->name, k->name, p->name);
}

static int read_maxbytes(Program *p, const IniKey *k, const char *value) {
        uint64_t n;

        if (parse_size(value, &n) < 0)
                return foreign_fault(p->f, place_of_key(k), "%s: expected a size such as 50MB, not \"%s\"", k->name, value);
        return n == 0 ? foreign_set_text(p->service, "log.max_size", "infinity") : foreign_set_text(p->service, "log.max_size", value);
}

static int read_backups(Program *p, const IniKey *k, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) < 0)
                return foreign_fault(p->f, place_of_key(k), "%s: expected a number, not \"%s\"", k->name, value);
        return foreign_set(p->service, "log.keep", json_object_new_int64((int64_t) MIN(n, (uint64_t) 1000)));
}

/* Whole trees are stopped always: an unset stopasgroup is supervisord's way to leave children behind. */
static int read_as_group(Program *p, const IniKey *k, const char *value) {
        return truth(value) ? 0 : foreign_note(p->f, place_of_key(k), "%s: %s: all processes of a service are stopped; `stop: {scope: main}` signals the main one first",
                                               p->name, k->name);
}

static int read_priority(Program *p, const IniKey *k, const char *value) {
        return streq(value, "999") ? 0 : foreign_note(p->f, place_of_key(k), "%s: priority: say what waits for what with depends_on", p->name);
}

static int read_serverurl(Program *p, const IniKey *k, const char *value) {
        return foreign_note(p->f, place_of_key(k), "%s: %s: there is no XML-RPC; the API is Varlink on kingd.sock", p->name, k->name);
}

static int read_events(Program *p, const IniKey *k, const char *value) {
        return truth(value) || !streq(value, "0") ? foreign_note(p->f, place_of_key(k), "%s: %s has no counterpart", p->name, k->name) : 0;
}

static int read_nothing(Program *p, const IniKey *k, const char *value) {
        return 0;
}

static const struct {
        const char *key;
        KeyRead read;
} keys[] = {
        { "command", read_command },
        { "directory", read_directory },
        { "environment", read_environment },
        { "autostart", read_autostart },
        { "autorestart", read_autorestart },
        { "startsecs", read_startsecs },
        { "startretries", read_startretries },
        { "stopsignal", read_stopsignal },
        { "stopwaitsecs", read_stopwaitsecs },
        { "stopasgroup", read_as_group },
        { "killasgroup", read_as_group },
        { "user", read_user },
        { "umask", read_umask },
        { "priority", read_priority },
        { "stdout_logfile", read_logfile },
        { "stdout_logfile_maxbytes", read_maxbytes },
        { "stdout_logfile_backups", read_backups },
        { "stdout_syslog", read_nothing },
        { "stdout_capture_maxbytes", read_events },
        { "stdout_events_enabled", read_events },
        { "stderr_capture_maxbytes", read_events },
        { "stderr_events_enabled", read_events },
        { "serverurl", read_serverurl },
        { "socket", supervisord_socket },
        { "socket_backlog", supervisord_socket_backlog },
        { "socket_mode", supervisord_socket_mode },
        { "socket_owner", supervisord_socket_owner },
        /* read where they matter, or without a meaning of their own here */
        { "numprocs", read_nothing },
        { "numprocs_start", read_nothing },
        { "process_name", read_nothing },
        { "exitcodes", read_nothing },
        { "redirect_stderr", read_nothing },
        { "stderr_logfile", read_nothing },
        { "stderr_logfile_maxbytes", read_nothing },
        { "stderr_logfile_backups", read_nothing },
        { "stderr_syslog", read_nothing },
};

int supervisord_read_key(Program *p, const IniKey *k) {
        _cleanup_free_ char *value = NULL;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                if (!streq(keys[i].key, k->name))
                        continue;
                r = supervisord_expand(p, k, &value);
                return r == -EINVAL ? 0 : r < 0 ? r : keys[i].read(p, k, value);
        }
        return foreign_note(p->f, place_of_key(k), "%s: supervisord has no key `%s` either", p->name, k->name);
}
