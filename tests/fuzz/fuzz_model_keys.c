/* Scalars of the key table: the first byte chooses the key, the rest is its text. What is taken must come back from its own written form; what is
 * refused must leave the field alone and say why. */
#include "model/spec.h"

#define MUST(condition) do { if (!(condition)) __builtin_trap(); } while (false)

static const SpecKey *choose(uint8_t n) {
        size_t count = 0;

        while (spec_keys[count].path)
                count++;
        return spec_keys + n % count;
}

static void round_trip(const SpecKey *k, const ServiceSpec *s) {
        _cleanup_(spec_freep) ServiceSpec *again = NULL;
        _cleanup_free_ char *text = NULL, *shown = NULL;

        if (spec_copy(s, &again) < 0)
                return;
        MUST(spec_key_equal(k, s, again));
        MUST(spec_key_reset(k, again) == 0 && spec_key_is_default(k, again));
        MUST(spec_scalar_format(k, s, &text) == 0);
        if (text)
                MUST(spec_scalar_parse(k, again, text, NULL) == 0);
        MUST(spec_key_equal(k, s, again));
        shown = spec_key_format(k, s);
        MUST(shown && (!text || streq(shown, text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ KlError e = {};
        const SpecKey *k;
        int r;

        if (size == 0 || spec_new("n", "a", &s) < 0)
                return 0;
        k = choose(data[0]);
        text = strndup((const char *) data + 1, size - 1);
        if (!text)
                return 0;
        r = spec_scalar_parse(k, s, text, &e);
        if (r == 0) {
                round_trip(k, s);
                return 0;
        }
        MUST(r == -EINVAL && e.id && e.message && spec_key_is_default(k, s));
        return 0;
}
