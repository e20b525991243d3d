/* Owns the format of environment files: NAME=value lines as .env files have them. Single quotes take literally, double quotes know \n \t \r
 * \\ \" \$, and either may span lines; a bare value ends before " #". Nothing is expanded. Bytes must be UTF-8, because the API shows
 * environments as JSON. */
#include <fcntl.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/document.h"
#include "config/env_list.h"

typedef struct EnvReader {
        const char *file, *text;
        size_t n, i; /* position */
        unsigned line;
        size_t line_start;
        Diagnostics *diagnostics;
        Buffer value;
        EnvList env;
} EnvReader;

static int say(const EnvReader *e, unsigned line, size_t column, const char *what) {
        return diagnostics_add(e->diagnostics, e->file, line, (unsigned) column + 1, false, "%s", what);
}

static char peek(const EnvReader *e) {
        return e->i < e->n ? e->text[e->i] : '\n';
}

static void skip_blanks(EnvReader *e) {
        while (peek(e) == ' ' || peek(e) == '\t')
                e->i++;
}

static void next_line(EnvReader *e) {
        while (e->i < e->n && e->text[e->i] != '\n')
                e->i++;
        if (e->i < e->n)
                e->i++;
        e->line++;
        e->line_start = e->i;
}

static size_t column(const EnvReader *e, size_t i) {
        size_t columns = 0;

        for (size_t k = e->line_start; k < i; k++)
                columns += (e->text[k] & 0xc0) != 0x80;
        return columns;
}

static int append_escaped(EnvReader *e) {
        static const struct {
                char letter, byte;
        } escapes[] = {
                { 'n', '\n' }, { 't', '\t' }, { 'r', '\r' }, { '\\', '\\' }, { '"', '"' }, { '$', '$' },
        };
        char c = e->text[e->i];

        for (size_t k = 0; k < ARRAY_SIZE(escapes); k++)
                if (escapes[k].letter == c) {
                        e->i++;
                        return buffer_append(&e->value, &escapes[k].byte, 1);
                }
        /* An unknown escape stays as it is written. */
        return buffer_append(&e->value, "\\", 1);
}

/* 1 a value, 0 a fault that was said, -ENOMEM. */
static int read_quoted(EnvReader *e) {
        unsigned line = e->line;
        size_t start = column(e, e->i);
        char quote = e->text[e->i++];
        int r;

        for (; e->i < e->n && e->text[e->i] != quote;) {
                char c = e->text[e->i++];

                if (c == '\n') {
                        e->line++;
                        e->line_start = e->i;
                }
                if (c == '\\' && quote == '"' && e->i < e->n)
                        r = append_escaped(e);
                else
                        r = buffer_append(&e->value, &c, 1);
                if (r < 0)
                        return r;
        }
        if (e->i >= e->n)
                return say(e, line, start, "this quote is not closed");
        e->i++;
        skip_blanks(e);
        if (!strchr("\n\r#", peek(e)))
                return say(e, e->line, column(e, e->i), "nothing may follow the closing quote but a comment");
        return 1;
}

static int read_bare(EnvReader *e) {
        size_t start = e->i, end;

        while (peek(e) != '\n' && !(peek(e) == '#' && (e->i == start || e->text[e->i - 1] == ' ' || e->text[e->i - 1] == '\t')))
                e->i++;
        end = e->i;
        while (end > start && strchr(" \t\r", e->text[end - 1]))
                end--;
        return buffer_append(&e->value, e->text + start, end - start) < 0 ? -ENOMEM : 1;
}

static int read_assignment(EnvReader *e) {
        size_t start, length;
        _cleanup_free_ char *name = NULL;
        int r;

        if (e->n - e->i > 6 && startswith(e->text + e->i, "export") && strchr(" \t", e->text[e->i + 6])) {
                e->i += 6;
                skip_blanks(e);
        }
        start = e->i;
        while (peek(e) != '=' && peek(e) != '\n')
                e->i++;
        if (peek(e) != '=')
                return say(e, e->line, column(e, start), "expected NAME=value");
        for (length = e->i - start; length > 0 && strchr(" \t", e->text[start + length - 1]);)
                length--;
        name = strndup(e->text + start, length);
        if (!name)
                return -ENOMEM;
        if (!env_name_valid(name))
                return say(e, e->line, column(e, start), "expected NAME=value; a name has letters, digits and _ and starts with no digit");
        e->i++;
        skip_blanks(e);
        e->value.size = 0;
        r = peek(e) == '"' || peek(e) == '\'' ? read_quoted(e) : read_bare(e);
        return r <= 0 ? r : env_list_add(&e->env, name, strlen(name), e->value.data ?: "", e->value.size);
}

static int read_lines(EnvReader *e) {
        int r;

        while (e->i < e->n) {
                skip_blanks(e);
                if (!strchr("\n\r#", peek(e))) {
                        r = read_assignment(e);
                        if (r < 0)
                                return r;
                }
                next_line(e);
        }
        return 0;
}

int config_load_env_text(const char *name, const char *text, size_t n, char ***env, Diagnostics *d) {
        EnvReader e = { .file = name, .text = text, .n = n, .line = 1, .diagnostics = d };
        size_t errors = d->errors;
        int r;

        r = text_check(name, text, n, d);
        if (r <= 0)
                return r < 0 ? r : -EINVAL;
        if (startswith(text, "\xef\xbb\xbf"))
                e.i = e.line_start = 3;
        r = env_list_add_all(&e.env, *env);
        if (r >= 0)
                r = read_lines(&e);
        if (r >= 0)
                r = d->errors > errors ? -EINVAL : env_list_finish(&e.env, env);
        buffer_done(&e.value);
        env_list_done(&e.env);
        return r;
}

int config_load_env_file(const char *path, char ***env, Diagnostics *d) {
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r, q;

        r = read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &n);
        if (r >= 0)
                return config_load_env_text(path, text, n, env, d);
        q = diagnostics_add(d, path, 0, 0, false, "cannot be read: %s", strerror(-r));
        return q < 0 ? q : r;
}
