/* Must stay true: paths come from what services wrote: only regular files whose name is that of a script, and the map that such a file names
 * beside it, are read, never more than FILE_MAX of one; what is shown of them is names and numbers. */
#include "kingctl/log_map.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/map.h"
#include "base/span.h"
#include "base/text.h"
#include "kingctl/reply.h"
#include "model/sourcemap.h"

#define FILE_MAX (64 * 1024 * 1024)
#define FILES_MAX 256                 /* remembered, those without a map too */

typedef struct Script {
        char *path, *dir;             /* sources are named relative to the directory of the map */
        json_object *map;             /* NULL: it has none */
} Script;

struct LogMap {
        Map *scripts;
};

int log_map_new(LogMap **ret) {
        LogMap *m = calloc(1, sizeof(*m));

        if (!m || !(m->scripts = map_new_string())) {
                free(m);
                return -ENOMEM;
        }
        *ret = m;
        return 0;
}

static Script *script_free(Script *s) {
        if (!s)
                return NULL;
        free(s->path);
        free(s->dir);
        json_object_put(s->map);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(Script *, script_free);

LogMap *log_map_free(LogMap *m) {
        size_t i = 0;
        void *s;

        if (!m)
                return NULL;
        while (map_next(m->scripts, &i, &s))
                script_free(s);
        map_free(m->scripts);
        free(m);
        return NULL;
}

/* ---- the map of a script ---- */

static char *read_regular(const char *path, size_t *ret_size) {
        struct stat st;
        char *text;

        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || read_file_at(AT_FDCWD, path, FILE_MAX, &text, ret_size) < 0)
                return NULL;
        return text;
}

/* What stands behind the last "//# sourceMappingURL=". Cuts the text off behind it. */
static char *find_url(char *text) {
        static const char mark[] = "//# sourceMappingURL=";
        char *url = NULL;

        for (char *p = text; (p = strstr(p, mark)); p += strlen(mark))
                url = p + strlen(mark);
        if (url)
                url[strcspn(url, "\r\n \t")] = '\0';
        return url;
}

/* "data:application/json;charset=utf-8;base64,…" */
static char *decode_data(const char *url) {
        const char *data = strstr(url, ";base64,");

        return data ? base64_decode(data + strlen(";base64,")) : NULL;
}

static char *directory_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return strndup(path, slash > path ? (size_t) (slash - path) : 1);
}

static json_object *parse_map(const char *text) {
        /* The prefix keeps browsers from running a map as a script; ECMA-426 has readers drop that line. */
        json_object *o = text ? json_tokener_parse(startswith(text, ")]}'") ? strchrnul(text, '\n') : text) : NULL;

        if (o && json_object_is_type(o, json_type_object) && field_array(o, "sources") && *field_text(o, "mappings"))
                return o;
        json_object_put(o);
        return NULL;
}

static void load_map(Script *s) {
        size_t n;
        _cleanup_free_ char *text = read_regular(s->path, &n), *map = NULL, *path = NULL, *dir = directory_of(s->path);
        const char *url = text ? find_url(text) : NULL;

        if (url && startswith(url, "data:"))
                map = decode_data(url);
        else if (dir && (!url || !strstr(url, "://"))) {
                path = url ? path_absolute(url, dir) : text_printf("%s.map", s->path);
                map = path ? read_regular(path, &n) : NULL;
        }
        s->map = parse_map(map);
        s->dir = path ? directory_of(path) : TAKE_PTR(dir);
}

static const Script *script_of(LogMap *m, const char *path) {
        _cleanup_(script_freep) Script *s = map_get(m->scripts, path);

        if (s)
                return TAKE_PTR(s);
        s = map_size(m->scripts) < FILES_MAX ? calloc(1, sizeof(*s)) : NULL;
        if (!s || !(s->path = strdup(path)))
                return NULL;
        load_map(s);
        return map_put(m->scripts, s->path, s) < 0 ? NULL : TAKE_PTR(s);
}

/* ---- a position ---- */

/* "webpack://app/./src/a.ts" stays as it is, "../src/a.ts" is a path. */
static char *source_name(const Script *s, uint32_t index) {
        json_object *o = json_object_array_get_idx(field_array(s->map, "sources"), index);
        const char *source = o && json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
        _cleanup_free_ char *rooted = NULL;

        if (!source || !*source)
                return NULL;
        rooted = path_join(field_text(s->map, "sourceRoot"), source);
        if (*field_text(s->map, "sourceRoot") == '\0')
                source = startswith(source, "file://") ?: source;
        else
                source = rooted;
        return !source ? NULL : strstr(source, "://") ? strdup(source) : path_absolute(source, s->dir);
}

static char *map_position(LogMap *m, const char *path, uint64_t line, uint64_t column) {
        const Script *s = script_of(m, path);
        _cleanup_free_ char *name = NULL;
        const char *mappings;
        SourcePosition p;

        if (!s || !s->map || line == 0 || column == 0 || line > INT32_MAX || column > INT32_MAX)
                return NULL;
        mappings = field_text(s->map, "mappings");
        if (sourcemap_find(mappings, strlen(mappings), (uint32_t) line - 1, (uint32_t) column - 1, &p) <= 0)
                return NULL;
        name = source_name(s, p.source);
        return name ? text_printf("%s:%u:%u", name, p.line + 1, p.column + 1) : NULL;
}

/* ---- positions in a message ---- */

/* A position whose ".js:" is at p: its beginning, end, path and numbers. */
typedef struct Found {
        const char *begin, *end;
        char *path;
        uint64_t line, column;
} Found;

static const char *take_decimal(const char *p, uint64_t *ret) {
        for (*ret = 0; isdigit((unsigned char) *p) && *ret < UINT32_MAX; p++)
                *ret = *ret * 10 + (uint64_t) (*p - '0');
        return p;
}

/* "%20" of a URL; in place. */
static void decode_percent(char *s) {
        uint8_t byte;
        char *to = s;

        for (; *s; s++, to++) {
                char digits[3] = { s[0] == '%' ? s[1] : 0, s[0] == '%' && s[1] ? s[2] : 0, 0 };

                *to = *s;
                if (hex_decode(digits, &byte, 1) && byte != 0) {
                        *to = (char) byte;
                        s += 2;
                }
        }
        *to = '\0';
}

/* Back to where the path begins: behind a bracket, "at " or the indentation. A path may hold blanks. */
static const char *path_begin(const char *line, const char *p) {
        const char *bracket = memrchr(line, '(', (size_t) (p - line)), *begin = bracket ? bracket + 1 : line + strspn(line, " \t");

        if (!bracket && startswith(begin, "at "))
                begin += 3;
        if (startswith(begin, "async "))
                begin += 6;
        return begin;
}

static bool find_at(const char *line, const char *extension_end, Found *ret) {
        const char *begin = path_begin(line, extension_end), *p, *file;
        bool url = startswith(begin, "file://");

        p = take_decimal(extension_end + 1, &ret->line);
        if (p == extension_end + 1 || *p != ':')
                return false;
        file = p + 1;
        p = take_decimal(file, &ret->column);
        if (p == file)
                return false;
        ret->begin = begin;
        ret->end = p;
        begin += url ? strlen("file://") : 0;
        if (*begin != '/')
                return false;
        ret->path = strndup(begin, (size_t) (extension_end - begin));
        if (ret->path && url)
                decode_percent(ret->path);
        return ret->path;
}

/* The next position of a script behind `from`, which begins a line. */
static bool find_position(const char *from, Found *ret) {
        const char *line = from;

        for (const char *p = from; (p = strpbrk(p, "\n.")); p++) {
                size_t n = 0;

                if (*p == '\n') {
                        line = p + 1;
                        continue;
                }
                n = startswith(p, ".js:") ? 3 : startswith(p, ".mjs:") || startswith(p, ".cjs:") ? 4 : 0;
                if (n > 0 && find_at(line, p + n, ret))
                        return true;
        }
        return false;
}

char *log_map_message(LogMap *m, const char *message) {
        _cleanup_buffer_ Buffer out = {};
        const char *from = message;
        bool changed = false;
        Found f = {};

        for (; find_position(from, &f); from = f.end) {
                _cleanup_free_ char *path = TAKE_PTR(f.path), *mapped = map_position(m, path, f.line, f.column);

                if (buffer_append(&out, from, (size_t) ((mapped ? f.begin : f.end) - from)) < 0 ||
                    (mapped && buffer_append(&out, mapped, strlen(mapped)) < 0))
                        return NULL;
                changed = changed || mapped;
        }
        if (!changed || buffer_append(&out, from, strlen(from)) < 0)
                return NULL;
        return TAKE_PTR(out.data);
}
