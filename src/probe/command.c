#include "probe/command.h"

#include <arpa/inet.h>

#include "base/span.h"
#include "base/strv.h"
#include "base/text.h"

#define CODES "http.codes"

static int add_codes(const CodeList *l, char ***argv) {
        int r = 0;

        for (size_t k = 0; k < l->n && r >= 0; k++)
                r = strv_consume(argv, text_printf(CODES "=%" PRIi32, l->items[k]));
        return r;
}

static int add_scalars(const ProbeSpec *p, char ***argv) {
        int r = 0;

        for (const SpecKey *k = spec_probe_keys; k->path && r >= 0; k++) {
                _cleanup_free_ char *text = NULL;

                if (!startswith(k->path, "http.") || !key_type_is_scalar(k->type) || spec_key_is_default(k, p))
                        continue;
                r = spec_scalar_format(k, p, &text);
                if (r >= 0)
                        r = strv_consume(argv, text_printf("%s=%s", k->path, text));
        }
        return r;
}

/* What stands later in the words holds. */
static int add_target(const ProbeTarget *at, char ***argv) {
        const ProbeAddress *a = (const ProbeAddress *) &at->address;
        bool six = at->address.ss_family == AF_INET6;
        char host[INET6_ADDRSTRLEN];
        int r;

        if (at->size == 0 || (!six && at->address.ss_family != AF_INET))
                return 0;
        if (!inet_ntop(at->address.ss_family, six ? (const void *) &a->in6.sin6_addr : &a->in.sin_addr, host, sizeof host))
                return -errno;
        r = strv_consume(argv, text_printf("http.host=%s", host));
        return r < 0 ? r : strv_consume(argv, text_printf("http.port=%u", ntohs(six ? a->in6.sin6_port : a->in.sin_port)));
}

int probe_command(const ProbeSpec *p, const ProbeTarget *at, const char *program, char ***ret_argv, char ***ret_env) {
        _cleanup_strv_ char **argv = NULL, **env = NULL;
        _cleanup_free_ char *headers = p->http.headers ? strv_join(p->http.headers, "\n") : NULL;
        int r;

        if ((p->http.headers && !headers) || (r = strv_append(&argv, program)) < 0 || (r = add_scalars(p, &argv)) < 0 ||
            (r = add_codes(&p->http.codes, &argv)) < 0 || (at && (r = add_target(at, &argv)) < 0) || (r = strv_env_set(&env, PROBE_HEADERS_ENV, headers ?: "")) < 0)
                return -ENOMEM;
        *ret_argv = TAKE_PTR(argv);
        *ret_env = TAKE_PTR(env);
        return 0;
}

/* ---- the way back ---- */

static int take_code(ProbeSpec *p, const char *text, KlError *reterr) {
        CodeList *l = &p->http.codes;
        uint64_t code;
        int32_t *items;

        if (parse_u64(text, &code) < 0 || code < 100 || code > 599)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, CODES ": expected a status from 100 to 599, not \"%s\"", text);
        items = reallocarray(l->items, l->n + 1, sizeof(int32_t));
        if (!items)
                return -ENOMEM;
        l->items = items;
        l->items[l->n++] = (int32_t) code;
        return 0;
}

static int take_word(ProbeSpec *p, const char *word, KlError *reterr) {
        const char *value = strchr(word, '=');
        _cleanup_free_ char *key = value ? strndup(word, (size_t) (value - word)) : NULL;
        const SpecKey *k;

        if (value && !key)
                return -ENOMEM;
        k = value && startswith(key, "http.") ? spec_probe_key_find(key) : NULL;
        if (k && streq(key, CODES))
                return take_code(p, value + 1, reterr);
        if (!k || !key_type_is_scalar(k->type))
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "%s: expected KEY=VALUE with a key of an http probe, such as http.port=8443", word);
        return spec_scalar_parse(k, p, value + 1, reterr);
}

static int take_headers(ProbeSpec *p, const char *headers) {
        int r = 0;

        for (const char *h = headers; h && *h && r >= 0;) {
                const char *end = strchrnul(h, '\n');

                r = strv_consume(&p->http.headers, strndup(h, (size_t) (end - h)));
                h = *end ? end + 1 : end;
        }
        return r;
}

int probe_command_parse(char *const *argv, const char *headers, ProbeSpec **ret, KlError *reterr) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = NULL;
        int r = probe_spec_new(&p);

        for (; r >= 0 && argv && *argv; argv++)
                r = take_word(p, *argv, reterr);
        if (r >= 0)
                r = take_headers(p, headers);
        if (r >= 0 && p->http.port == 0)
                r = kl_error_set(reterr, -EINVAL, KL_E_INVALID, "http.port: missing");
        if (r >= 0)
                *ret = TAKE_PTR(p);
        return r;
}
