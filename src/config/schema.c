/* Owns the JSON Schema of kingly.yaml. What a type looks like is a table here; everything else comes from spec_keys[]. A schema is for
 * editors: completion and early hints. It lets ${VAR} stand everywhere and leaves the rules over several keys to `kingctl check`. */
#include <stdio.h>

#include "base/text.h"
#include "config/config.h"
#include "config/json_build.h"

#define DRAFT        "https://json-schema.org/draft/2020-12/schema"
#define NAME_PATTERN "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"
#define TEXT         "{\"type\":[\"string\",\"number\",\"boolean\"]}"
#define TEXTS        "{\"type\":\"array\",\"items\":" TEXT "}"
#define PATTERN(p)   "{\"type\":\"string\",\"pattern\":\"" p "\"}"

/* By type; the bounds of numbers and the words of enums are added from the key. */
static const char *const type_schemas[_KEY_TYPE_MAX] = {
        [KEY_STRING] = TEXT,
        [KEY_NAME] = "{\"type\":[\"string\",\"integer\"]}",
        [KEY_BOOL] = "{\"type\":\"boolean\"}",
        [KEY_INT32] = "{\"type\":\"integer\"}",
        [KEY_UINT32] = "{\"type\":\"integer\",\"minimum\":0}",
        [KEY_UINT64] = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"const\":\"infinity\"}]}",
        [KEY_SPAN] = "{\"anyOf\":[{\"type\":\"number\",\"minimum\":0}," PATTERN("^(infinity|([0-9.]+ *[a-z]* *)+)$") "]}",
        [KEY_SIZE] = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0}," PATTERN("^(infinity|[0-9.]+ *[KMGTPE]?(iB|B)?)$") "]}",
        [KEY_PERCENT] = PATTERN("^[0-9]+%$"),
        [KEY_FACTOR] = "{\"type\":\"number\",\"minimum\":0}",
        [KEY_OCTAL] = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0}," PATTERN("^0?[0-7]{1,4}$") "]}",
        [KEY_ENUM] = "{}",
        [KEY_SIGNAL] = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1}," PATTERN("^[A-Z0-9+-]+$") "]}",
        [KEY_INSTANCES] = "{\"anyOf\":[{\"type\":\"integer\"},{\"const\":\"max\"}]}",
        [KEY_WEIGHTS] = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1}," PATTERN("^[0-9]+(, *[0-9]+)*$") ",{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":1}}]}",
        [KEY_PATH] = "{\"type\":\"string\"}",
        [KEY_PATHS] = "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
        [KEY_STRINGS] = "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
        [KEY_COMMAND] = "{\"anyOf\":[" TEXT "," TEXTS "]}",
        [KEY_WORDS] = "{\"anyOf\":[" TEXT "," TEXTS "]}",
        [KEY_ENV] = "{\"anyOf\":[{\"type\":\"object\",\"propertyNames\":" PATTERN(
                "^[A-Za-z_][A-Za-z0-9_]*$") ",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}},"
                                            "{\"type\":\"array\",\"items\":" PATTERN("^[A-Za-z_][A-Za-z0-9_]*=") "}]}",
        [KEY_CREDENTIALS] = "{\"type\":\"object\",\"propertyNames\":" PATTERN(NAME_PATTERN) ",\"maxProperties\":64,\"additionalProperties\":{\"anyOf\":["
                            "{\"type\":\"string\"},{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,\"additionalProperties\":false,"
                            "\"properties\":{\"file\":{\"type\":\"string\"},\"text\":" TEXT "}}]}}",
        [KEY_DEPENDS] = "{}",
        [KEY_DEVICES_SIZE] = "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"integer\"]}}",
        [KEY_DEVICES_COUNT] = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\",\"minimum\":1}}",
        [KEY_SOCKETS] = "{}",
        [KEY_CODES] = "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
        [KEY_CAPABILITIES] = "{\"type\":\"array\",\"items\":" PATTERN("^(CAP|cap)_[A-Za-z_]+$") "}",
        [KEY_HEADERS] = "{\"type\":\"object\",\"additionalProperties\":" TEXT "}",
        [KEY_PROBE] = "{\"$ref\":\"#/$defs/probe\"}",
};

static int add_text(json_object *o, const char *key, const char *text) {
        return json_add(o, key, json_object_new_string(text));
}

static json_object *words(const char *const *names) {
        _cleanup_json_ json_object *list = json_object_new_array();

        for (; list && *names; names++)
                if (json_append(list, json_object_new_string(*names)) < 0)
                        return NULL;
        return TAKE_PTR(list);
}

/* {"enum": [words of the key]} */
static json_object *one_of(const SpecKey *k) {
        _cleanup_json_ json_object *o = json_object_new_object();

        return o && json_add(o, "enum", words(k->names)) == 0 ? TAKE_PTR(o) : NULL;
}

/* A closed object whose properties are filled by the caller through *ret_properties (borrowed). */
static json_object *closed_object(json_object **ret_properties) {
        _cleanup_json_ json_object *o = json_object_new_object();

        if (!o || add_text(o, "type", "object") < 0 || json_add(o, "additionalProperties", json_object_new_boolean(false)) < 0)
                return NULL;
        *ret_properties = json_object_new_object();
        return json_add(o, "properties", *ret_properties) == 0 ? TAKE_PTR(o) : NULL;
}

static json_object *type_schema(const SpecKey *k);

/* The other key of the group that a word of this one may bring along, as `to: {exec: COMMAND}`; NULL: none. */
static const SpecKey *brought_along(const SpecKey *k) {
        const char *dot = strchr(k->path, '.');

        for (const char *const *word = k->names; dot && *word; word++) {
                char path[64];
                const SpecKey *other;

                snprintf(path, sizeof path, "%.*s.%s", (int) (dot - k->path), k->path, *word);
                other = spec_key_find(path);
                if (other)
                        return other;
        }
        return NULL;
}

/* A word, or where one brings another key along, a map of the two. */
static json_object *word_or_map(const SpecKey *k) {
        const SpecKey *other = brought_along(k);
        _cleanup_json_ json_object *o = NULL, *any = NULL, *map = NULL;
        json_object *properties;

        if (!other)
                return one_of(k);
        o = json_object_new_object();
        any = json_object_new_array();
        map = closed_object(&properties);
        if (!o || !any || !map || json_add(properties, strchr(other->path, '.') + 1, type_schema(other)) < 0 ||
            json_append(any, one_of(k)) < 0 || json_append(any, TAKE_PTR(map)) < 0)
                return NULL;
        return json_add(o, "anyOf", TAKE_PTR(any)) == 0 ? TAKE_PTR(o) : NULL;
}

/* A word, or the long form. */
static json_object *dependency(const SpecKey *k) {
        static const char flag[] = "{\"type\":\"boolean\"}";
        json_object *properties;
        _cleanup_json_ json_object *o = json_object_new_object(), *map = closed_object(&properties), *any = json_object_new_array();

        if (!o || !map || !any || json_add(properties, "condition", one_of(k)) < 0 ||
            json_add(properties, "restart", json_tokener_parse(flag)) < 0 || json_add(properties, "stop", json_tokener_parse(flag)) < 0)
                return NULL;
        if (json_append(any, one_of(k)) < 0 || json_append(any, TAKE_PTR(map)) < 0)
                return NULL;
        return json_add(o, "anyOf", TAKE_PTR(any)) == 0 ? TAKE_PTR(o) : NULL;
}

/* A map of services to these, or a list of services. */
static json_object *depends(const SpecKey *k) {
        _cleanup_json_ json_object *o = json_object_new_object(), *map = json_object_new_object(), *any = json_object_new_array();

        if (!o || !map || !any || add_text(map, "type", "object") < 0 || json_add(map, "additionalProperties", dependency(k)) < 0)
                return NULL;
        if (json_append(any, TAKE_PTR(map)) < 0 || json_append(any, json_tokener_parse(TEXTS)) < 0)
                return NULL;
        return json_add(o, "anyOf", TAKE_PTR(any)) == 0 ? TAKE_PTR(o) : NULL;
}

static json_object *key_schema(const SpecKey *k);

/* A list of addresses and of maps by socket_keys[]. */
static json_object *sockets(void) {
        json_object *properties;
        _cleanup_json_ json_object *o = json_object_new_object(), *map = closed_object(&properties), *any = json_object_new_array(),
                                   *items = json_object_new_object();

        if (!o || !map || !any || !items || add_text(o, "type", "array") < 0)
                return NULL;
        for (const SpecKey *k = socket_keys; k->path; k++)
                if (json_add(properties, strchr(k->path, '.') + 1, key_schema(k)) < 0)
                        return NULL;
        if (json_append(any, json_tokener_parse(TEXT)) < 0 || json_append(any, TAKE_PTR(map)) < 0 || json_add(items, "anyOf", TAKE_PTR(any)) < 0)
                return NULL;
        return json_add(o, "items", TAKE_PTR(items)) == 0 ? TAKE_PTR(o) : NULL;
}

static bool is_plain_number(KeyType t) {
        return t == KEY_INT32 || t == KEY_UINT32;
}

static json_object *type_schema(const SpecKey *k) {
        _cleanup_json_ json_object *o = NULL;
        json_object *bounded;

        if (k->type == KEY_DEPENDS)
                return depends(k);
        if (k->type == KEY_SOCKETS)
                return sockets();
        if (k->type == KEY_ENUM)
                return word_or_map(k);
        o = json_tokener_parse(type_schemas[k->type]);
        if (!o)
                return NULL;
        bounded = k->type == KEY_CODES ? json_object_object_get(o, "items") : is_plain_number(k->type) ? o : NULL;
        if (bounded && (k->min != 0 || k->max != 0) &&
            (json_add(bounded, "minimum", json_object_new_int64(k->min)) < 0 || json_add(bounded, "maximum", json_object_new_int64(k->max)) < 0))
                return NULL;
        return TAKE_PTR(o);
}

/* A text with a variable in it may become anything. Texts need no second way. */
static json_object *or_variable(json_object *type) {
        _cleanup_json_ json_object *given = type, *o = json_object_new_object(), *any = json_object_new_array(),
                                   *variable = json_object_new_object();

        if (!given || !o || !any || !variable || add_text(variable, "$ref", "#/$defs/variable") < 0)
                return NULL;
        if (json_append(any, TAKE_PTR(given)) < 0 || json_append(any, TAKE_PTR(variable)) < 0 || json_add(o, "anyOf", TAKE_PTR(any)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static bool takes_any_text(KeyType t) {
        return t == KEY_STRING || t == KEY_NAME || t == KEY_PATH || t == KEY_PATHS || t == KEY_STRINGS || t == KEY_COMMAND || t == KEY_WORDS;
}

/* Numbers and booleans as such, everything else as text. */
static json_object *default_value(const SpecKey *k) {
        json_object *v = k->type == KEY_BOOL || k->type == KEY_FACTOR || k->type == KEY_INSTANCES || is_plain_number(k->type)
                                 ? json_tokener_parse(k->fallback)
                                 : NULL;

        return v ?: json_object_new_string(k->fallback);
}

/* The example is YAML, so it is shown with the help, not as a value. */
static json_object *key_schema(const SpecKey *k) {
        _cleanup_json_ json_object *o =
                takes_any_text(k->type) || !key_type_is_scalar(k->type) ? type_schema(k) : or_variable(type_schema(k));
        _cleanup_free_ char *text = NULL;

        text = text_printf("%s%s%s", k->help, k->example ? " Example: " : "", k->example ?: "");
        if (!o || !text || add_text(o, "description", text) < 0)
                return NULL;
        if (k->fallback && json_add(o, "default", default_value(k)) < 0)
                return NULL;
        return TAKE_PTR(o);
}

static int add_key(json_object *properties, const SpecKey *k) {
        const char *dot = strchr(k->path, '.');
        _cleanup_free_ char *name = dot ? strndup(k->path, (size_t) (dot - k->path)) : NULL;
        json_object *group, *members;

        if (!dot)
                return json_add(properties, k->path, key_schema(k));
        if (!name)
                return -ENOMEM;
        if (json_object_object_get_ex(properties, name, &group))
                members = json_object_object_get(group, "properties");
        else if (json_add(properties, name, closed_object(&members)) < 0)
                return -ENOMEM;
        return json_add(members, dot + 1, key_schema(k));
}

/* A map of names to `definition`. */
static json_object *profiles(const char *definition) {
        _cleanup_free_ char *text = text_printf("{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"%s\"},\"additionalProperties\":{\"$ref\":"
                                                "\"#/$defs/%s\"},\"description\":\"What differs under a profile, which --profile puts in force.\"}",
                                                NAME_PATTERN, definition);

        return text ? json_tokener_parse(text) : NULL;
}

static json_object *probe_schema(void) {
        json_object *properties;
        _cleanup_json_ json_object *o = closed_object(&properties);

        for (const SpecKey *k = spec_probe_keys; o && k->path; k++)
                if (add_key(properties, k) < 0)
                        return NULL;
        return TAKE_PTR(o);
}

static json_object *service_schema(bool with_command, bool with_profiles) {
        json_object *properties;
        _cleanup_json_ json_object *o = closed_object(&properties);

        if (!o || (with_profiles && json_add(properties, "profiles", profiles("profile")) < 0))
                return NULL;
        for (const SpecKey *k = spec_keys; k->path; k++)
                if ((with_command || k->type != KEY_COMMAND) && !k->applied && add_key(properties, k) < 0)
                        return NULL;
        return TAKE_PTR(o);
}

static json_object *definitions(void) {
        _cleanup_json_ json_object *o = json_object_new_object();

        if (!o || json_add(o, "service", service_schema(true, true)) < 0 || json_add(o, "profile", service_schema(true, false)) < 0 ||
            json_add(o, "defaults", service_schema(false, false)) < 0 || json_add(o, "probe", probe_schema()) < 0)
                return NULL;
        return json_add(o, "variable", json_tokener_parse(PATTERN("\\\\$\\\\{"))) == 0 ? TAKE_PTR(o) : NULL;
}

static json_object *document_schema(void) {
        static const char properties[] = "{\"namespace\":" PATTERN(
                NAME_PATTERN) ",\"defaults\":{\"$ref\":\"#/$defs/defaults\"},"
                              "\"services\":{\"type\":\"object\",\"minProperties\":1,\"propertyNames\":{\"pattern\":\"" NAME_PATTERN "\"},"
                              "\"additionalProperties\":{\"$ref\":\"#/$defs/service\"}}}";
        _cleanup_json_ json_object *o = json_object_new_object();

        if (!o || add_text(o, "$schema", DRAFT) < 0 || add_text(o, "title", "Kingly services (kingly.yaml)") < 0 ||
            add_text(o, "type", "object") < 0 || json_add(o, "properties", json_tokener_parse(properties)) < 0 ||
            json_add(json_object_object_get(o, "properties"), "profiles", profiles("defaults")) < 0 ||
            json_add(o, "patternProperties", json_tokener_parse("{\"^x-\":{}}")) < 0 ||
            json_add(o, "required", json_tokener_parse("[\"services\"]")) < 0 ||
            json_add(o, "additionalProperties", json_object_new_boolean(false)) < 0 || json_add(o, "$defs", definitions()) < 0)
                return NULL;
        return TAKE_PTR(o);
}

int config_schema(char **ret) {
        _cleanup_json_ json_object *o = document_schema();
        const char *text;

        if (!o)
                return -ENOMEM;
        text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
        *ret = text ? text_printf("%s\n", text) : NULL;
        return *ret ? 0 : -ENOMEM;
}
