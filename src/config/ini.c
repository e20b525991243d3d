/* See ini.h. */
#include <ctype.h>

#include "base/text.h"
#include "config/ini.h"

static void section_done(IniSection *s) {
        for (size_t i = 0; i < s->n; i++) {
                free(s->keys[i].name);
                free(s->keys[i].value);
        }
        free(s->keys);
        free(s->name);
}

void ini_done(Ini *ini) {
        for (size_t i = 0; i < ini->n; i++)
                section_done(ini->sections + i);
        free(ini->sections);
        *ini = (Ini) {};
}

const IniKey *ini_find(const IniSection *s, const char *key) {
        for (size_t i = s->n; i > 0; i--)
                if (streq(s->keys[i - 1].name, key))
                        return s->keys + i - 1;
        return NULL;
}

static char *trim(char *s) {
        size_t n;

        s += strspn(s, " \t\r");
        for (n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]); n--)
                s[n - 1] = '\0';
        return s;
}

/* " ;" begins a comment, as does a line's own first ';' or '#'. */
static void cut_comment(char *line) {
        char *p = line;

        if (*line == '#' || *line == ';')
                *line = '\0';
        while ((p = strchr(p, ';'))) {
                if (p > line && isspace((unsigned char) p[-1])) {
                        *p = '\0';
                        return;
                }
                p++;
        }
}

static int open_section(const Foreign *f, Ini *ini, char *line, unsigned number) {
        char *end = strchr(line, ']');
        IniSection *s;

        if (!end || end == line + 1)
                return foreign_fault(f, (Place) { number, 1 }, "expected a section such as [program:web]");
        *end = '\0';
        s = reallocarray(ini->sections, ini->n + 1, sizeof(IniSection));
        if (!s)
                return -ENOMEM;
        ini->sections = s;
        s[ini->n] = (IniSection) { .name = strdup(trim(line + 1)), .line = number };
        return s[ini->n++].name ? 0 : -ENOMEM;
}

static int go_on(IniSection *s, const char *more) {
        IniKey *k = s->keys + s->n - 1;
        char *joined = text_printf("%s%s%s", k->value, *k->value ? "\n" : "", more);

        if (!joined)
                return -ENOMEM;
        free(k->value);
        k->value = joined;
        return 0;
}

static int add_key(const Foreign *f, IniSection *s, char *line, unsigned number) {
        size_t n = strcspn(line, "=:");
        char *name, *value;
        IniKey *keys;

        if (!line[n] || n == 0)
                return foreign_fault(f, (Place) { number, 1 }, "expected `key = value`");
        line[n] = '\0';
        name = trim(line);
        value = trim(line + n + 1);
        for (char *p = name; *p; p++)
                *p = (char) tolower((unsigned char) *p);
        keys = reallocarray(s->keys, s->n + 1, sizeof(IniKey));
        if (!keys)
                return -ENOMEM;
        s->keys = keys;
        keys[s->n] = (IniKey) { .name = strdup(name), .value = strdup(value), .line = number };
        s->n++;
        return keys[s->n - 1].name && keys[s->n - 1].value ? 0 : -ENOMEM;
}

static int read_line(const Foreign *f, Ini *ini, char *line, unsigned number) {
        IniSection *s = ini->n > 0 ? ini->sections + ini->n - 1 : NULL;
        bool indented = *line == ' ' || *line == '\t';
        char *content;

        cut_comment(line);
        content = trim(line);
        if (!*content)
                return 0;
        if (indented && s && s->n > 0)
                return go_on(s, content);
        if (*content == '[')
                return open_section(f, ini, content, number);
        if (!s)
                return foreign_fault(f, (Place) { number, 1 }, "a key before the first [section]");
        return add_key(f, s, content, number);
}

int ini_read(const Foreign *f, const char *text, size_t n, Ini *ini) {
        _cleanup_free_ char *copy = strndup(text, n);
        char *rest = copy;
        unsigned number = 0;
        int r = 0;

        if (!copy)
                return -ENOMEM;
        for (char *line; r >= 0 && (line = strsep(&rest, "\n")); )
                r = read_line(f, ini, line, ++number);
        return r;
}
