/* Names and forms. Must stay true: the order in which forms are looked for is the order in which they win. */
#include "logger/chain.h"

#include <stdio.h>

#include "base/span.h"

static const char *const suffixes[_CHAIN_FORM_MAX] = { [CHAIN_PLAIN] = "", [CHAIN_ZSTD] = ".zst", [CHAIN_GZIP] = ".gz" };

static int fits(int n) {
        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int chain_name(ChainName to, const char *path, uint32_t number, ChainForm form) {
        if (number == 0)
                return fits(snprintf(to, PATH_MAX, "%s", path));
        return fits(snprintf(to, PATH_MAX, "%s.%" PRIu32 "%s", path, number, suffixes[form]));
}

int chain_temporary(ChainName to, const char *path, ChainForm form) {
        return fits(snprintf(to, PATH_MAX, "%s%s.tmp", path, suffixes[form]));
}

int chain_find(const char *path, uint32_t number, struct stat *ret) {
        struct stat unused;
        ChainName name;

        for (int form = number == 0 ? CHAIN_PLAIN : _CHAIN_FORM_MAX - 1; form >= 0; form--)
                if (chain_name(name, path, number, (ChainForm) form) >= 0 && lstat(name, ret ?: &unused) >= 0)
                        return form;
        return -ENOENT;
}

bool chain_remove(const char *path, uint32_t number) {
        bool any = false;
        ChainName name;

        for (int form = 0; form < _CHAIN_FORM_MAX; form++)
                if (chain_name(name, path, number, (ChainForm) form) >= 0 && unlink(name) >= 0)
                        any = true;
        return any;
}

int64_t chain_number(const char *name, size_t n, ChainForm *ret_form) {
        const char *p = name + n, *end;
        uint64_t number;
        char digits[12];

        *ret_form = CHAIN_PLAIN;
        if (*p == '\0')
                return 0;
        end = p + 1 + strspn(p + 1, "0123456789");
        n = (size_t) (end - p) - 1;
        if (p[0] != '.' || p[1] == '0' || n == 0 || n > 9)
                return -EINVAL;
        memcpy(digits, p + 1, n);
        digits[n] = '\0';
        for (int form = 0; form < _CHAIN_FORM_MAX; form++)
                if (streq(end, suffixes[form])) {
                        *ret_form = (ChainForm) form;
                        return parse_u64(digits, &number) < 0 ? -EINVAL : (int64_t) number;
                }
        return -EINVAL;
}
