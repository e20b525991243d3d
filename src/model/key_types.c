/* Owns the row of operations for each type of key, and what is done to a key by its row: read, write, compare, copy, reset.
 * What must stay true: a failed operation leaves the field as it was. */
#include "model/key_types.h"

#include "base/strv.h"
#include "base/text.h"

static const int32_t unset_int32 = INT_UNSET;
static const uint32_t unset_octal = UINT32_MAX;
static const uint64_t unset_uint64 = LIMIT_UNSET;

#define TEXT .size = sizeof(char *), .format = key_string_format, .equal = key_string_equal, .copy = key_string_copy, .done = key_string_done
#define WORDS .size = sizeof(char **), .equal = key_strv_equal, .copy = key_strv_copy, .done = key_strv_done
#define DEVICES .size = sizeof(DeviceLimitList), .show = key_devices_show, DEVICES_MEMORY
#define DEVICES_MEMORY .equal = key_devices_equal, .copy = key_devices_copy, .done = key_devices_done

const KeyOps key_ops[_KEY_TYPE_MAX] = {
        [KEY_STRING] = { "one line of text", TEXT, .parse = key_string_parse },
        [KEY_NAME] = { "the name or number of a user or group", TEXT, .parse = key_name_parse },
        [KEY_PATH] = { "a path", TEXT, .parse = key_path_parse },
        [KEY_BOOL] = { "true or false", sizeof(bool), .parse = key_bool_parse, .format = key_bool_format },
        [KEY_INT32] = { "a whole number", sizeof(int32_t), &unset_int32, key_int32_parse, key_int32_format },
        [KEY_UINT32] = { "a whole number", sizeof(uint32_t), .parse = key_uint32_parse, .format = key_uint32_format },
        [KEY_UINT64] = { "a whole number", sizeof(uint64_t), &unset_uint64, key_uint64_parse, key_uint64_format },
        [KEY_SPAN] = { "a time span such as 500ms, 5s or 1m30s", sizeof(usec_t), .parse = key_span_parse, .format = key_span_format },
        [KEY_SIZE] = { "a size such as 64K, 512M or 2G", sizeof(uint64_t), &unset_uint64, key_size_parse, key_size_format },
        [KEY_PERCENT] = { "a percentage such as 150%", sizeof(uint32_t), .parse = key_percent_parse, .format = key_percent_format },
        [KEY_FACTOR] = { "a number such as 2 or 1.5", sizeof(uint32_t), .parse = key_factor_parse, .format = key_factor_format },
        [KEY_OCTAL] = { "an octal number such as \"0022\"", sizeof(uint32_t), &unset_octal, key_octal_parse, key_octal_format },
        [KEY_ENUM] = { NULL, sizeof(int), .parse = key_enum_parse, .format = key_enum_format },
        [KEY_SIGNAL] = { "a signal such as SIGTERM", sizeof(int), .parse = key_signal_parse, .format = key_signal_format },
        [KEY_INSTANCES] = { "a whole number other than 0, or max", sizeof(int32_t), .parse = key_instances_parse, .format = key_instances_format },
        [KEY_WEIGHTS] = { "whole numbers from 1 to 1000, such as [3, 1]", TEXT, .parse = key_weights_parse },
        [KEY_PATHS] = { "a path or a list of paths", WORDS, .show = key_strv_show },
        [KEY_STRINGS] = { "a text or a list of texts", WORDS, .show = key_strv_show },
        [KEY_COMMAND] = { "a command line or a list of words", WORDS, .show = key_command_show },
        [KEY_WORDS] = { "a command line or a list of words", WORDS, .show = key_strv_show },
        [KEY_ENV] = { "variables as NAME: value, or a list of NAME=value", WORDS, .show = key_strv_show },
        [KEY_CREDENTIALS] = { "credentials as NAME: PATH, or NAME: {text: TEXT}", WORDS, .show = key_credentials_show },
        [KEY_CAPABILITIES] = { "a list of capabilities such as [CAP_NET_BIND_SERVICE]", WORDS, .show = key_strv_show },
        [KEY_DEPENDS] = { "services as NAME: started, ready or completed, as NAME: {condition, restart, stop}, or a list of names", sizeof(DependencyList), .show = key_depends_show,
                          .equal = key_depends_equal, .copy = key_depends_copy, .done = key_depends_done },
        [KEY_DEVICES_SIZE] = { "sizes by device, such as {/dev/sda: 10M}", DEVICES },
        [KEY_DEVICES_COUNT] = { "numbers by device, such as {/dev/sda: 500}", DEVICES },
        [KEY_SOCKETS] = { "a list of sockets, each an address such as 127.0.0.1:8080 or keys such as {listen: /run/web.sock, mode: \"0660\"}",
                          sizeof(SocketList), .show = key_sockets_show, .equal = key_sockets_equal, .copy = key_sockets_copy,
                          .done = key_sockets_done },
        [KEY_CODES] = { "an exit code from 0 to 255, or a list of them", sizeof(CodeList), .show = key_codes_show, .equal = key_codes_equal,
                        .copy = key_codes_copy, .done = key_codes_done },
        [KEY_HEADERS] = { "headers as NAME: value", WORDS, .show = key_headers_show },
        [KEY_PROBE] = { "a probe such as {tcp: {port: 80}}", sizeof(ProbeSpec *), .show = key_probe_show, .equal = key_probe_equal,
                        .copy = key_probe_copy, .done = key_probe_done },
};

/* ---- messages ---- */

static char *expects_names(const SpecKey *k) {
        _cleanup_buffer_ Buffer b = {};

        for (size_t i = 0; k->names[i]; i++)
                if (buffer_printf(&b, "%s%s", i == 0 ? "" : k->names[i + 1] ? ", " : " or ", k->names[i]) < 0)
                        return NULL;
        return TAKE_PTR(b.data);
}

/* The ends of the range, as one would write them; an end that only the type sets is not worth naming. */
static char *expects_range(const SpecKey *k, const char *noun) {
        char least[FORMAT_MAX], most[FORMAT_MAX];
        bool whole = k->type == KEY_INT32 || k->type == KEY_UINT32 || k->type == KEY_UINT64;

        if (whole && k->max != 0 && k->max != INT64_MAX)
                return text_printf("%s from %" PRIi64 " to %" PRIi64, noun, k->min, k->max);
        if (whole && k->min > 0)
                return text_printf("%s from %" PRIi64 " on", noun, k->min);
        if (k->type == KEY_PERCENT && k->min == 0 && k->max == 100)
                return strdup("a percentage from 0% to 100%");
        if (k->type == KEY_FACTOR && k->max != 0)
                return text_printf("%s, from %" PRIi64 " to %" PRIi64, noun, k->min / 100, k->max / 100);
        if (k->type == KEY_SPAN && k->min > 0)
                return text_printf("a time span from %s to %s", format_span(least, (usec_t) k->min, true), format_span(most, (usec_t) k->max, true));
        if (k->type == KEY_CODES && k->min > 0)
                return text_printf("a status from %" PRIi64 " to %" PRIi64 ", or a list of them", k->min, k->max);
        return strdup(noun);
}

char *spec_key_expects(const SpecKey *k) {
        return k->type == KEY_ENUM ? expects_names(k) : expects_range(k, key_ops[k->type].expects);
}

/* Too large or small is said in the words of the range; what the value was follows, made safe for a terminal. */
static int wrong_scalar(const SpecKey *k, const char *text, int error, KlError *reterr) {
        _cleanup_free_ char *expects = spec_key_expects(k), *shown = text_escape(text, strnlen(text, 100));
        const char *nearest = k->type == KEY_ENUM ? text_nearest(text, k->names) : NULL;

        if (!expects || !shown)
                return -ENOMEM;
        if (error == -ERANGE)
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: \"%s\" is out of range: expected %s", k->path, shown, expects);
        else
                (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: expected %s, not \"%s\"", k->path, expects, shown);
        if (nearest)
                kl_error_hint(reterr, "did you mean %s?", nearest);
        return -EINVAL;
}

/* ---- one key ---- */

int spec_scalar_parse(const SpecKey *k, void *s, const char *text, KlError *reterr) {
        if (!key_type_is_scalar(k->type))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: expected %s", k->path, key_ops[k->type].expects);
        return entry_scalar_parse(k, s, text, reterr);
}

int entry_scalar_parse(const SpecKey *k, void *entry, const char *text, KlError *reterr) {
        int r = key_ops[k->type].parse(k, (char *) entry + k->offset, text);

        return r < 0 && r != -ENOMEM ? wrong_scalar(k, text, r, reterr) : r;
}

int entry_scalar_format(const SpecKey *k, const void *entry, char **ret) {
        return key_ops[k->type].format(k, (const char *) entry + k->offset, ret);
}

bool entry_key_is_default(const SpecKey *k, const void *entry) {
        _cleanup_free_ char *text = NULL;

        return entry_scalar_format(k, entry, &text) >= 0 && streq(text, k->fallback);
}

int spec_scalar_format(const SpecKey *k, const void *s, char **ret) {
        return key_type_is_scalar(k->type) ? key_ops[k->type].format(k, key_field(k, s), ret) : -EINVAL;
}

bool spec_key_equal(const SpecKey *k, const void *a, const void *b) {
        const KeyOps *ops = &key_ops[k->type];
        const ServiceSpec *x = a, *y = b;

        if (k->type == KEY_CAPABILITIES && x->capabilities_set != y->capabilities_set)
                return false;
        return ops->equal ? ops->equal(key_field(k, a), key_field(k, b)) : memcmp(key_field(k, a), key_field(k, b), ops->size) == 0;
}

static void key_clear(const SpecKey *k, void *s) {
        const KeyOps *ops = &key_ops[k->type];

        if (ops->done)
                ops->done(key_field(k, s));
        if (ops->unset)
                memcpy(key_field(k, s), ops->unset, ops->size);
        else
                memset(key_field(k, s), 0, ops->size);
        if (k->type == KEY_CAPABILITIES)
                ((ServiceSpec *) s)->capabilities_set = false;
}

int spec_key_reset(const SpecKey *k, void *s) {
        key_clear(k, s);
        return k->fallback ? spec_scalar_parse(k, s, k->fallback, NULL) : 0;
}

bool spec_key_is_default(const SpecKey *k, const void *s) {
        ServiceSpec fresh = {};

        /* Only text and collections allocate, and those start empty. */
        return spec_key_reset(k, &fresh) >= 0 && spec_key_equal(k, s, &fresh);
}

int spec_key_copy(const SpecKey *k, void *to, const void *from) {
        const KeyOps *ops = &key_ops[k->type];
        _Alignas(max_align_t) char copy[sizeof(DependencyList)]; /* no field is larger */
        int r;

        if (to == from)
                return 0;
        if (!ops->copy)
                memcpy(copy, key_field(k, from), ops->size);
        else if ((r = ops->copy(copy, key_field(k, from))) < 0)
                return r;
        key_clear(k, to);
        memcpy(key_field(k, to), copy, ops->size);
        if (k->type == KEY_CAPABILITIES)
                ((ServiceSpec *) to)->capabilities_set = ((const ServiceSpec *) from)->capabilities_set;
        return 0;
}

char *spec_key_format(const SpecKey *k, const void *s) {
        const ServiceSpec *spec = s;
        ServiceSpec unset = {};
        char *text;

        if (key_type_is_scalar(k->type)) {
                if (spec_scalar_format(k, s, &text) < 0)
                        return NULL;
                return text ?: strdup("-");
        }
        if (k->type == KEY_CAPABILITIES) {
                if (spec->capabilities_set && strv_length(spec->capabilities) == 0)
                        return strdup("none");
                unset.capabilities_set = spec->capabilities_set;
        }
        return spec_key_equal(k, s, &unset) ? strdup("-") : key_ops[k->type].show(k, s);
}
