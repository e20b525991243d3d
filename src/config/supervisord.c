/* supervisord.conf → services. A program is a service; with numprocs it is one service of that many instances, or, where its command or
 * environment differ by %(process_num), that many services. A group is a namespace. supervisord's own defaults hold: restart on an unexpected
 * exit, three retries, TERM and ten seconds. */
#include <glob.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/supervisord.h"

/* ---- programs ---- */

/* exitcodes=0,2 are expected: with 0 among them restart is on-failure but for the others, else even 0 restarts. */
static int set_exit_codes(Program *p) {
        const IniKey *k = ini_find(p->section, "exitcodes"), *autorestart = ini_find(p->section, "autorestart");
        _cleanup_json_ json_object *codes = json_object_new_array();
        bool zero = !k;
        int r;

        if (!codes)
                return -ENOMEM;
        if (autorestart && strcasecmp(autorestart->value, "unexpected") != 0)
                return 0;
        for (const char *s = k ? k->value : ""; *s; s += strcspn(s, ","), s += *s == ',') {
                _cleanup_free_ char *word = strndup(s + strspn(s, " "), strcspn(s + strspn(s, " "), ", "));
                uint64_t code;

                if (!word)
                        return -ENOMEM;
                if (parse_u64(word, &code) < 0 || code > 255)
                        return foreign_fault(p->f, place_of_key(k), "exitcodes: expected numbers from 0 to 255, not \"%s\"", k->value);
                zero = zero || code == 0;
                if (code != 0 && json_append(codes, json_object_new_int64((int64_t) code)) < 0)
                        return -ENOMEM;
        }
        r = foreign_set_text(p->service, "restart.when", zero ? "on-failure" : "always");
        if (r >= 0 && json_object_array_length(codes) > 0)
                r = foreign_set(p->service, "restart.except_codes", TAKE_PTR(codes));
        return r;
}

/* What supervisord does when nothing is said. */
static int set_defaults(Program *p) {
        static const struct {
                const char *path, *value;
        } defaults[] = {
                { "restart.delay", "1s" }, { "restart.reset_after", "1s" }, { "stop.timeout", "10s" }, { "stop.signal", "SIGTERM" },
                { "log.max_size", "50M" },
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(defaults) && r >= 0; i++)
                r = foreign_set_text(p->service, defaults[i].path, defaults[i].value);
        if (r >= 0)
                r = foreign_set(p->service, "restart.limit", json_object_new_int64(3));
        if (r >= 0)
                r = foreign_set(p->service, "log.keep", json_object_new_int64(10));
        return r < 0 ? r : set_exit_codes(p);
}

static int set_daemon_keys(Program *p) {
        static const char *const names[] = { "directory", "umask", "environment" };
        const Foreign *own = p->f;
        int r = 0;

        /* They stand in the first file, whatever file the program stands in. */
        p->f = p->supervisord->f;
        for (size_t i = 0; p->supervisord->daemon && i < ARRAY_SIZE(names) && r >= 0; i++) {
                const IniKey *k = ini_find(p->supervisord->daemon, names[i]);

                if (k)
                        r = supervisord_read_key(p, k);
        }
        p->f = own;
        return r;
}

/* Its name among the services: that of the program, or what process_name makes of it where there are several. */
static int service_name(const Program *p, char **ret) {
        const IniKey *k = ini_find(p->section, "process_name");

        if (p->numbered && k)
                return supervisord_expand(p, k, ret);
        *ret = p->numbered ? text_printf("%s_%02u", p->name, p->number) : strdup(p->name);
        return *ret ? 0 : -ENOMEM;
}

static int add_program(Program *p, int64_t instances) {
        _cleanup_json_ json_object *service = json_object_new_object();
        size_t errors = p->f->diagnostics->errors;
        _cleanup_free_ char *name = NULL;
        int r;

        if (!service)
                return -ENOMEM;
        p->service = service;
        r = set_defaults(p);
        if (r >= 0)
                r = foreign_set(service, "instances", json_object_new_int64(instances));
        if (r >= 0)
                r = set_daemon_keys(p);
        for (size_t i = 0; i < p->section->n && r >= 0; i++)
                r = supervisord_read_key(p, p->section->keys + i);
        if (r >= 0)
                r = service_name(p, &name);
        if (r < 0 && r != -EINVAL)
                return r;
        if (p->f->diagnostics->errors > errors)
                return 0;
        if (!ini_find(p->section, "command"))
                return foreign_fault(p->f, (Place) { p->section->line, 1 }, "[%s] has no command", p->section->name);
        return foreign_add(p->f, (Place) { p->section->line, 1 }, p->group, name, TAKE_PTR(service));
}

/* The first [group:x] that names the program, or NULL. */
static const char *group_of(const Supervisord *s, const char *program) {
        for (size_t i = 0; i < s->ini->n; i++) {
                const char *name = startswith(s->ini->sections[i].name, "group:");
                const IniKey *k = name ? ini_find(s->ini->sections + i, "programs") : NULL;
                size_t n = strlen(program);

                for (const char *p = k ? k->value : ""; *p; p += strcspn(p, ",\n")) {
                        p += strspn(p, ", \t\n");
                        if (strncmp(p, program, n) == 0 && strchr(", \t\n", p[n]))
                                return name;
                }
        }
        return NULL;
}

static bool differs_by_number(const IniSection *s) {
        for (size_t i = 0; i < s->n; i++)
                if (!streq(s->keys[i].name, "process_name") && !strstr(s->keys[i].name, "logfile") && strstr(s->keys[i].value, "%(process_num)"))
                        return true;
        return false;
}

static int read_number(const Foreign *f, const IniSection *s, const char *key, uint64_t otherwise, uint64_t *ret) {
        const IniKey *k = ini_find(s, key);

        *ret = otherwise;
        if (!k || (parse_u64(k->value, ret) >= 0 && *ret <= 1024))
                return 0;
        return foreign_fault(f, place_of_key(k), "%s: expected a number up to 1024, not \"%s\"", key, k->value);
}

static int read_program(const Supervisord *s, const Foreign *f, const IniSection *section, const char *name) {
        Program p = { .supervisord = s, .f = f, .section = section, .name = name, .group = group_of(s, name) };
        uint64_t count, first;
        int r;

        r = read_number(f, section, "numprocs", 1, &count);
        if (r >= 0)
                r = read_number(f, section, "numprocs_start", 0, &first);
        if (r < 0)
                return r;
        p.count = (unsigned) MAX(count, (uint64_t) 1);
        p.number = (unsigned) first;
        p.numbered = p.count > 1 && differs_by_number(section);
        if (!p.numbered)
                return add_program(&p, p.count);
        for (unsigned i = 0; i < p.count && r >= 0; i++, p.number++) {
                Foreign again = *f;

                again.repeated = i > 0;
                p.f = &again;
                r = add_program(&p, 1);
        }
        return r;
}

/* ---- the file ---- */

static const struct {
        const char *prefix, *why;
} sections[] = {
        { "eventlistener:", "is not carried over: kingctl events -f -o jsonl tells what happens" },
        { "unix_http_server", "has no counterpart: the API is Varlink on kingd.sock" },
        { "inet_http_server", "has no counterpart: the API is Varlink on kingd.sock" },
        { "rpcinterface:", "has no counterpart: the API is Varlink on kingd.sock" },
};

static int read_section(const Supervisord *s, const Foreign *f, const IniSection *section) {
        const char *program = startswith(section->name, "program:") ?: startswith(section->name, "fcgi-program:");

        if (program)
                return read_program(s, f, section, program);
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                if (startswith(section->name, sections[i].prefix))
                        return foreign_note(f, (Place) { section->line, 1 }, "[%s] %s", section->name, sections[i].why);
        return 0;
}

static const IniSection *find_section(const Ini *ini, const char *name) {
        for (size_t i = 0; i < ini->n; i++)
                if (streq(ini->sections[i].name, name))
                        return ini->sections + i;
        return NULL;
}

/* Of `ini`, which f is about; all: the first file, which `first` is about. */
static int read_sections(const Foreign *f, const Ini *ini, const Foreign *first, const Ini *all) {
        Supervisord s = { .f = first, .ini = all, .daemon = find_section(all, "supervisord") };
        int r = 0;

        for (size_t i = 0; i < ini->n && r >= 0; i++)
                r = read_section(&s, f, ini->sections + i);
        return r;
}

/* A file that [include] names: its programs, which may be in groups of the including file. */
static int include_file(const Foreign *f, const char *path, const Ini *all) {
        _cleanup_free_ char *text = NULL, *directory = strdup(path);
        _cleanup_ini_ Ini ini = {};
        Foreign inner = *f;
        size_t n;
        int r;

        if (!directory)
                return -ENOMEM;
        *strrchr(directory, '/') = '\0';
        inner.file = path;
        inner.directory = directory;
        r = read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &n);
        if (r < 0)
                return r == -ENOMEM ? r : foreign_fault(f, (Place) {}, "%s: cannot be read: %s", path, strerror(-r));
        r = text_check(path, text, n, f->diagnostics);
        if (r > 0)
                r = ini_read(&inner, text, n, &ini);
        return r < 0 ? r : read_sections(&inner, &ini, f, all);
}

static int include_pattern(const Foreign *f, const IniKey *k, const char *pattern, const Ini *all) {
        _cleanup_free_ char *path = foreign_path(f, pattern);
        glob_t found = {};
        int r = 0;

        if (!path)
                return -ENOMEM;
        if (glob(path, 0, NULL, &found) != 0)
                r = foreign_note(f, place_of_key(k), "include: no file matches %s", pattern);
        for (size_t i = 0; i < found.gl_pathc && r >= 0; i++)
                r = include_file(f, found.gl_pathv[i], all);
        globfree(&found);
        return r;
}

static int include(const Foreign *f, const Ini *ini) {
        const IniSection *s = find_section(ini, "include");
        const IniKey *k = s ? ini_find(s, "files") : NULL;
        Program p = { .f = f, .section = s, .name = "", .group = "" };
        _cleanup_free_ char *files = NULL;
        _cleanup_strv_ char **patterns = NULL;
        int r;

        if (!k)
                return 0;
        r = supervisord_expand(&p, k, &files);
        if (r < 0)
                return r == -EINVAL ? 0 : r;
        for (char *c = files; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        r = strv_split_command(files, &patterns);
        if (r < 0)
                return r == -ENOMEM ? r : foreign_fault(f, place_of_key(k), "include: the quotes do not match");
        for (char **pattern = patterns; pattern && *pattern && r >= 0; pattern++)
                r = include_pattern(f, k, *pattern, ini);
        return r;
}

int supervisord_load(const Foreign *f, const char *text, size_t n) {
        _cleanup_ini_ Ini ini = {};
        size_t before = f->specs->n, errors = f->diagnostics->errors;
        int r;

        r = ini_read(f, text, n, &ini);
        if (r >= 0)
                r = read_sections(f, &ini, f, &ini);
        if (r >= 0)
                r = include(f, &ini);
        if (r >= 0 && f->specs->n == before && f->diagnostics->errors == errors)
                return foreign_fault(f, (Place) { 1, 1 }, "the file has no [program:…]");
        return r;
}
