/* Owns the way from a json_object, as the API brings it, into a document. It has no lines: the nodes say 0. */
#include "config/builder.h"

static int read_value(Builder *b, json_object *o);

static int read_map(Builder *b, json_object *o) {
        static const BuilderPlace nowhere = {};
        int r;

        r = builder_open(b, &nowhere, NODE_MAP);
        if (r < 0)
                return r;
        json_object_object_foreach(o, key, value) {
                r = builder_scalar(b, &nowhere, key, strlen(key), true);
                if (r < 0)
                        return r;
                r = read_value(b, value);
                if (r < 0)
                        return r;
        }
        return builder_close(b);
}

static int read_list(Builder *b, json_object *o) {
        static const BuilderPlace nowhere = {};
        int r;

        r = builder_open(b, &nowhere, NODE_LIST);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(o); i++) {
                r = read_value(b, json_object_array_get_idx(o, i));
                if (r < 0)
                        return r;
        }
        return builder_close(b);
}

/* The depth of the recursion is bounded by builder_open(). */
static int read_value(Builder *b, json_object *o) {
        static const BuilderPlace nowhere = {};
        const char *text;

        switch (json_object_get_type(o)) {
        case json_type_object:
                return read_map(b, o);
        case json_type_array:
                return read_list(b, o);
        case json_type_string:
                return builder_scalar(b, &nowhere, json_object_get_string(o), (size_t) json_object_get_string_len(o), true);
        case json_type_null:
                return builder_scalar(b, &nowhere, "null", 4, false);
        default:
                /* Numbers as they are written, true and false. */
                text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
                return text ? builder_scalar(b, &nowhere, text, strlen(text), false) : -ENOMEM;
        }
}

int document_read_json(Document *doc, json_object *o, Diagnostics *d) {
        _cleanup_builder_ Builder b = { .document = doc, .file = "", .diagnostics = d };
        int r = read_value(&b, o);

        return r == -EINVAL ? 0 : r;
}
