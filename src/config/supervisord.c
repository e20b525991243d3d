/* supervisord.conf → services. A program is a service; with numprocs it is one service of that many instances, or, where its command or
 * environment differ by %(process_num), that many services. A group is a namespace. supervisord's own defaults hold: restart on an unexpected
 * exit, three retries, TERM and ten seconds. */
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

/* The next of the names that commas or lines separate, from *p on; NULL at the end. */
static const char *next_name(const char **p, size_t *ret_n) {
        const char *name = *p + strspn(*p, ", \t\n");

        *ret_n = strcspn(name, ", \t\n");
        *p = name + *ret_n;
        return *ret_n > 0 ? name : NULL;
}

static bool group_has(const IniSection *group, const char *program) {
        const IniKey *k = ini_find(group, "programs");
        const char *p = k ? k->value : "", *name;
        size_t n;

        while ((name = next_name(&p, &n)))
                if (strlen(program) == n && strncmp(name, program, n) == 0)
                        return true;
        return false;
}

/* The first [group:x] that names the program, or NULL. */
static const char *group_of(const Supervisord *s, const char *program) {
        for (size_t i = 0; i < s->sources->n; i++)
                for (size_t k = 0; k < s->sources->items[i].ini.n; k++) {
                        const IniSection *section = s->sources->items[i].ini.sections + k;
                        const char *name = startswith(section->name, "group:");

                        if (name && group_has(section, program))
                                return name;
                }
        return NULL;
}

/* What a group names and no file has. */
static int read_group(const Supervisord *s, const Foreign *f, const IniSection *group) {
        const IniKey *k = ini_find(group, "programs");
        const char *p = k ? k->value : "", *name;
        size_t n;
        int r = 0;

        while (r >= 0 && (name = next_name(&p, &n))) {
                _cleanup_free_ char *wanted = text_printf("program:%.*s", (int) n, name);

                if (!wanted)
                        return -ENOMEM;
                if (!sources_find(s->sources, wanted))
                        r = foreign_note(f, place_of_key(k), "[%s] names %.*s, and there is no [%s]", group->name, (int) n, name, wanted);
        }
        if (r >= 0 && ini_find(group, "priority"))
                r = foreign_note(f, place_of_key(ini_find(group, "priority")), "[%s] priority: say what waits for what with depends_on", group->name);
        return r;
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
        if (startswith(section->name, "group:"))
                return read_group(s, f, section);
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                if (startswith(section->name, sections[i].prefix))
                        return foreign_note(f, (Place) { section->line, 1 }, "[%s] %s", section->name, sections[i].why);
        return 0;
}

int supervisord_load(const Foreign *f, const char *text, size_t n) {
        size_t before = f->specs->n, errors = f->diagnostics->errors;
        _cleanup_sources_ Sources sources = {};
        Supervisord s = { .f = f, .sources = &sources };
        int r = sources_read(f, text, n, &sources);

        if (r >= 0)
                s.daemon = sources_find(&sources, "supervisord");
        for (size_t i = 0; i < sources.n && r >= 0; i++)
                for (size_t k = 0; k < sources.items[i].ini.n && r >= 0; k++)
                        r = read_section(&s, &sources.items[i].f, sources.items[i].ini.sections + k);
        if (r >= 0 && f->specs->n == before && f->diagnostics->errors == errors)
                return foreign_fault(f, (Place) { 1, 1 }, "the file has no [program:…]");
        return r;
}
