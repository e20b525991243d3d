/* Owns the reading of YAML: libyaml's events go to the builder, libyaml's complaints become diagnostics. One document a file; tags other
 * than YAML's own are refused, because nothing here would know what they mean. */
#include <yaml.h>

#include "base/text.h"
#include "config/builder.h"

#define CORE_TAG "tag:yaml.org,2002:"

static void parser_done(yaml_parser_t *p) {
        yaml_parser_delete(p);
}

static void event_done(yaml_event_t *e) {
        yaml_event_delete(e);
}

typedef struct YamlReader {
        yaml_parser_t *parser;
        const char *text;
        size_t n;
        Builder *builder;
        unsigned documents;
} YamlReader;

static BuilderPlace place(const yaml_event_t *e, const yaml_char_t *anchor) {
        return (BuilderPlace) {
                .line = (unsigned) e->start_mark.line + 1,
                .column = (unsigned) e->start_mark.column + 1,
                .anchor = (const char *) anchor,
        };
}

/* The character at a line and column that both count from 0. */
static char character_at(const char *text, size_t n, size_t line, size_t column) {
        size_t i = 0;

        for (; i < n && line > 0; i++)
                if (text[i] == '\n')
                        line--;
        for (; i < n && column > 0; column--)
                i += MAX(utf8_sequence(text + i, n - i), (size_t) 1);
        return i < n ? text[i] : '\0';
}

/* libyaml names the token it could not read, often without the cause that people most often meet. What was read before it is given up: its
 * end is unknown, and other complaints about it would be guesses. */
static int report(const YamlReader *y) {
        const yaml_parser_t *p = y->parser;
        const char *problem = p->problem ? p->problem : "this is not YAML";
        yaml_mark_t mark = p->problem_mark;

        if (p->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        y->builder->document->root = NULL;
        if (character_at(y->text, y->n, mark.line, mark.column) == '\t')
                problem = "a tab cannot stand here: indent with spaces";
        if (p->context && strstr(p->context, "alias"))
                return diagnostics_add(y->builder->diagnostics, y->builder->file, (unsigned) p->context_mark.line + 1,
                                       (unsigned) p->context_mark.column + 1, false, "a text that begins with `*` needs quotes (\"*/5 * * * *\")");
        if (p->context)
                return diagnostics_add(y->builder->diagnostics, y->builder->file, (unsigned) mark.line + 1, (unsigned) mark.column + 1,
                                       false, "%s %s (line %zu)", problem, p->context, p->context_mark.line + 1);
        return diagnostics_add(y->builder->diagnostics, y->builder->file, (unsigned) mark.line + 1, (unsigned) mark.column + 1, false, "%s",
                               problem);
}

static int fail(const YamlReader *y, const yaml_event_t *e, const char *message) {
        int r = diagnostics_add(y->builder->diagnostics, y->builder->file, (unsigned) e->start_mark.line + 1,
                                (unsigned) e->start_mark.column + 1, false, "%s", message);
        return r < 0 ? r : -EINVAL;
}

static bool tag_known(const yaml_char_t *tag) {
        return !tag || streq((const char *) tag, "!") || startswith((const char *) tag, CORE_TAG);
}

static int take_scalar(YamlReader *y, const yaml_event_t *e) {
        const yaml_char_t *tag = e->data.scalar.tag;
        BuilderPlace at = place(e, e->data.scalar.anchor);
        bool quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || streq((const char *) tag, CORE_TAG "str");

        if (!tag_known(tag))
                return fail(y, e, "a tag (`!…`) means nothing in this file");
        return builder_scalar(y->builder, &at, (const char *) e->data.scalar.value, e->data.scalar.length, quoted);
}

static int take_open(YamlReader *y, const yaml_event_t *e) {
        bool map = e->type == YAML_MAPPING_START_EVENT;
        BuilderPlace at = place(e, map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);

        if (!tag_known(map ? e->data.mapping_start.tag : e->data.sequence_start.tag))
                return fail(y, e, "a tag (`!…`) means nothing in this file");
        return builder_open(y->builder, &at, map ? NODE_MAP : NODE_LIST);
}

static int take(YamlReader *y, const yaml_event_t *e) {
        BuilderPlace at;

        switch (e->type) {
        case YAML_DOCUMENT_START_EVENT:
                return y->documents++ == 0 ? 0 : fail(y, e, "a second document starts here: a file holds one");
        case YAML_SCALAR_EVENT:
                return take_scalar(y, e);
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                return take_open(y, e);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return builder_close(y->builder);
        case YAML_ALIAS_EVENT:
                at = place(e, e->data.alias.anchor);
                return builder_alias(y->builder, &at);
        default:
                return 0;
        }
}

static int read_events(YamlReader *y) {
        for (;;) {
                _cleanup_(event_done) yaml_event_t e = {};
                int r;

                if (!yaml_parser_parse(y->parser, &e)) {
                        r = report(y);
                        return r < 0 ? r : -EINVAL;
                }
                if (e.type == YAML_STREAM_END_EVENT)
                        return 0;
                r = take(y, &e);
                if (r < 0)
                        return r;
        }
}

int document_read_yaml(Document *doc, const char *file, const char *text, size_t n, Diagnostics *d) {
        _cleanup_(parser_done) yaml_parser_t parser = {};
        _cleanup_builder_ Builder builder = { .document = doc, .file = file, .diagnostics = d };
        YamlReader reader = { .parser = &parser, .text = text, .n = n, .builder = &builder };
        int r;

        if (!yaml_parser_initialize(&parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser, (const unsigned char *) text, n);
        r = read_events(&reader);
        return r == -EINVAL ? 0 : r;
}
