/* JSON → YAML in block style, as a person would write it; lists of words stay on their line. */
#include <yaml.h>

#include "base/text.h"
#include "config/config.h"
#include "config/json_build.h"

typedef struct Writer {
        yaml_emitter_t emitter;
        Buffer buffer;
        int error;
} Writer;

static int take(void *userdata, unsigned char *bytes, size_t n) {
        Writer *w = userdata;

        w->error = w->error ?: buffer_append(&w->buffer, bytes, n);
        return w->error == 0;
}

static void emit(Writer *w, yaml_event_t *event, int made) {
        if (!made || !yaml_emitter_emit(&w->emitter, event))
                w->error = w->error ?: -ENOMEM;
}

/* Whether a plain scalar of this text would be read as something else than a string. */
static bool needs_quotes(const char *text) {
        static const char *const words[] = { "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "yes", "no", "on", "off" };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strcasecmp(words[i], text) == 0)
                        return true;
        return text[strspn(text, "0123456789+-.eE_xob")] == '\0';
}

static void emit_scalar(Writer *w, json_object *o) {
        const char *text = o ? json_object_get_string(o) : "null";
        yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
        yaml_event_t event;

        if (json_object_is_type(o, json_type_string) && needs_quotes(text))
                style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
        emit(w, &event, yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *) text, (int) strlen(text), 1, 1, style));
}

/* Words on one line, anything larger each on its own. */
static yaml_sequence_style_t list_style(json_object *list) {
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (json_object_is_type(json_object_array_get_idx(list, i), json_type_object))
                        return YAML_BLOCK_SEQUENCE_STYLE;
        return YAML_FLOW_SEQUENCE_STYLE;
}

static void emit_node(Writer *w, json_object *o) {
        yaml_event_t event;

        if (json_object_is_type(o, json_type_object)) {
                emit(w, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                                    json_object_object_length(o) > 0 ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE));
                json_object_object_foreach(o, key, value) {
                        _cleanup_json_ json_object *name = json_object_new_string(key);

                        emit_scalar(w, name);
                        emit_node(w, value);
                }
                emit(w, &event, yaml_mapping_end_event_initialize(&event));
                return;
        }
        if (!json_object_is_type(o, json_type_array)) {
                emit_scalar(w, o);
                return;
        }
        emit(w, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, list_style(o)));
        for (size_t i = 0; i < json_object_array_length(o); i++)
                emit_node(w, json_object_array_get_idx(o, i));
        emit(w, &event, yaml_sequence_end_event_initialize(&event));
}

char *config_yaml(json_object *o) {
        Writer w = {};
        yaml_event_t event;
        char *text = NULL;

        if (!yaml_emitter_initialize(&w.emitter))
                return NULL;
        yaml_emitter_set_output(&w.emitter, take, &w);
        yaml_emitter_set_unicode(&w.emitter, 1);
        yaml_emitter_set_width(&w.emitter, -1);
        emit(&w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
        emit(&w, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
        emit_node(&w, o);
        emit(&w, &event, yaml_document_end_event_initialize(&event, 1));
        emit(&w, &event, yaml_stream_end_event_initialize(&event));
        if (w.error == 0 && buffer_append(&w.buffer, "", 1) >= 0)
                text = TAKE_PTR(w.buffer.data);
        yaml_emitter_delete(&w.emitter);
        buffer_done(&w.buffer);
        return text;
}
