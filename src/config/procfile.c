/* Procfile, as foreman, overmind and Heroku read it: `name: command` a line, run by a shell beside the file, with `.env` beside it, the number of
 * processes from `.foreman` (formation: web=2,worker=1), and PORT from 5000 on (or what these files say), a hundred apart for each line and one for each process. */
#include <ctype.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/foreign_builder.h"

#define PORT_FIRST 5000
#define PORT_STEP  100

/* How many of `name` the formation wants ("web=2,worker=0,all=1"); 1 without. */
static uint64_t formation_of(const char *formation, const char *name) {
        uint64_t n = 1, value;

        for (const char *p = formation; p && *p; p += strcspn(p, ","), p += *p == ',') {
                const char *equals = strchr(p, '='), *end = p + strcspn(p, ",");
                _cleanup_free_ char *key = NULL, *number = NULL;

                p += strspn(p, " ");
                if (!equals || equals > end)
                        continue;
                key = strndup(p, (size_t) (equals - p));
                number = strndup(equals + 1, strcspn(equals + 1, ", \n\r"));
                if (key && number && parse_u64(number, &value) >= 0 && (streq(key, name) || streq(key, "all")))
                        n = value;
        }
        return n;
}

/* The value of an option in .foreman ("formation"); malloc'ed, NULL where there is none. */
static char *foreman_option(const Foreign *f, const char *option) {
        _cleanup_free_ char *path = path_join(f->directory, ".foreman"), *text = NULL;
        size_t n = strlen(option);

        if (!path || read_file_at(AT_FDCWD, path, 64 * 1024, &text, NULL) < 0)
                return NULL;
        for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
                if (strncmp(p, option, n) != 0 || p[n] != ':')
                        continue;
                p += n + 1;
                p += strspn(p, " \t\"'");
                return strndup(p, strcspn(p, "\n\r\"'"));
        }
        return NULL;
}

/* As foreman counts: from what .foreman says, else from PORT in .env, else from 5000 on. */
static int first_port(const Foreign *f, unsigned *ret) {
        _cleanup_free_ char *option = foreman_option(f, "port"), *path = path_join(f->directory, ".env");
        _cleanup_diagnostics_ Diagnostics ignored = {};
        _cleanup_strv_ char **env = NULL;
        const char *text = option;
        uint64_t port;

        if (!path)
                return -ENOMEM;
        /* What is wrong with the file is said when a service starts with it. */
        if (!text && config_load_env_file(path, &env, &ignored) >= 0)
                text = strv_env_get(env, "PORT");
        *ret = PORT_FIRST;
        if (!text)
                return 0;
        if (parse_u64(text, &port) < 0 || port > UINT16_MAX)
                return foreign_fault(f, (Place) {}, "%s: expected a port, not \"%s\"", option ? ".foreman: port" : ".env: PORT", text);
        *ret = (unsigned) port;
        return 0;
}

/* PORT differs from one process to the next; the shell that runs the line anyway knows which one it is. */
static int set_command(json_object *service, const char *command, unsigned port, uint64_t instances) {
        _cleanup_free_ char *line = NULL, *number = text_printf("%u", port);

        if (!number)
                return -ENOMEM;
        if (instances <= 1) {
                int r = foreign_set_env(service, "PORT", number);
                return r < 0 ? r : foreign_set_text(service, "command", command);
        }
        line = text_printf("export PORT=$((%u + KINGLY_INSTANCE)); %s", port, command);
        return line ? foreign_set_text(service, "command", line) : -ENOMEM;
}

static int add_line(const Foreign *f, Place at, const char *name, const char *command, unsigned port, uint64_t instances) {
        _cleanup_json_ json_object *service = json_object_new_object();
        _cleanup_free_ char *env_file = text_printf("-%s/.env", f->directory);
        int r;

        if (!service || !env_file)
                return -ENOMEM;
        if (instances == 0 && (r = foreign_set(service, "autostart", json_object_new_boolean(false))) < 0)
                return r;
        if ((r = foreign_set(service, "shell", json_object_new_boolean(true))) < 0 || (r = set_command(service, command, port, instances)) < 0 ||
            (r = foreign_set_text(service, "cwd", f->directory)) < 0 ||
            (r = foreign_set_strv(service, "env_file", (char *[]) { env_file, NULL })) < 0 ||
            (r = foreign_set(service, "instances", json_object_new_int64((int64_t) MAX(instances, (uint64_t) 1)))) < 0 ||
            (r = foreign_set_text(service, "stop.timeout", "5s")) < 0)
                return r;
        return foreign_add(f, at, NULL, name, TAKE_PTR(service));
}

/* Where the name ends, or 0 when the line is none of a Procfile. */
static size_t name_length(const char *line) {
        size_t n = 0;

        while (isalnum((unsigned char) line[n]) || line[n] == '_' || line[n] == '-')
                n++;
        return line[n] == ':' ? n : 0;
}

static int read_line(const Foreign *f, char *line, unsigned number, const char *formation, unsigned *port) {
        size_t n = name_length(line), end = strlen(line);
        Place at = { number, 1 };
        char *command;
        int r;

        while (end > 0 && isspace((unsigned char) line[end - 1]))
                line[--end] = '\0';
        if (line[0] == '#' || end == 0)
                return 0;
        if (n == 0)
                return foreign_fault(f, at, "expected `NAME: COMMAND`, with letters, digits, '_' and '-' in the name");
        line[n] = '\0';
        command = line + n + 1;
        command += strspn(command, " \t");
        if (!*command)
                return foreign_fault(f, at, "%s: no command", line);
        r = add_line(f, at, line, command, *port, formation_of(formation, line));
        *port += PORT_STEP;
        return r;
}

int procfile_load(const Foreign *f, const char *text, size_t n) {
        _cleanup_free_ char *copy = strndup(text, n), *formation = foreman_option(f, "formation");
        unsigned number = 0, port;
        size_t before = f->specs->n;
        char *rest = copy;
        int r = copy ? first_port(f, &port) : -ENOMEM;

        for (char *line; r >= 0 && (line = strsep(&rest, "\n")); )
                r = read_line(f, line, ++number, formation, &port);
        if (r >= 0 && f->specs->n == before && f->diagnostics->errors == 0)
                return foreign_fault(f, (Place) { 1, 1 }, "the file has no processes");
        if (r >= 0)
                r = foreign_note(f, (Place) {}, "each process is restarted when it ends, and the others live on; foreman would end all of them");
        return r;
}
