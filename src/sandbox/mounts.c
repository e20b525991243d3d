/* Which paths change, how, and in which order. What must stay true: a directory comes before what is below it, because what is done to it covers
 * that; each path has one fate (model/validate_sandbox.c). */
#include "sandbox/sandbox.h"

#include "base/strv.h"
#include "base/text.h"

/* Letters of keeper/wire.h. */
static const struct { char letter; const char *key; } letters[] = {
        { 's', "sandbox.system" }, { 'r', "sandbox.read_only" },   { 'w', "sandbox.writable" },
        { 'h', "sandbox.hidden" }, { 't', "sandbox.private_tmp" }, { 'd', "sandbox.private_devices" },
};

const char *sandbox_mount_key(const char *mount) {
        for (size_t k = 0; k < ARRAY_SIZE(letters); k++)
                if (letters[k].letter == (*mount | 0x20))
                        return letters[k].key;
        return "sandbox";
}

bool sandbox_wants_network(const ServiceSpec *s) {
        return s->sandbox.network == SANDBOX_NETWORK_NONE;
}

bool sandbox_wants_filter(const ServiceSpec *s) {
        return s->sandbox.syscalls || s->sandbox.syscalls_denied;
}

const char *sandbox_namespace_key(const ServiceSpec *s) {
        const struct { bool wanted; const char *key; } table[] = {
                { s->sandbox.private_tmp, "sandbox.private_tmp" }, { s->sandbox.private_devices, "sandbox.private_devices" },
                { s->sandbox.hidden, "sandbox.hidden" },           { s->sandbox.read_only, "sandbox.read_only" },
                { sandbox_wants_network(s), "sandbox.network" },   { s->sandbox.system == SANDBOX_SYSTEM_READ_ONLY, "sandbox.system" },
        };

        for (size_t k = 0; k < ARRAY_SIZE(table); k++)
                if (table[k].wanted)
                        return table[k].key;
        return NULL;
}

/* sandbox.writable alone changes nothing. */
bool sandbox_wants_mounts(const ServiceSpec *s) {
        return s->sandbox.private_tmp || s->sandbox.private_devices || s->sandbox.hidden || s->sandbox.read_only ||
               s->sandbox.system == SANDBOX_SYSTEM_READ_ONLY;
}

static int add(char ***l, char letter, bool optional, const char *path) {
        return strv_consume(l, text_printf("%c%s", optional ? letter - 0x20 : letter, path));
}

static int add_list(char ***l, char letter, char *const *paths) {
        STRV_FOREACH(p, paths) {
                bool optional = **p == '-';
                int r = add(l, letter, optional, *p + optional);

                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has(char *const *l, const char *path) {
        STRV_FOREACH(p, l)
                if (streq(*p + 1, path))
                        return true;
        return false;
}

/* Unless something else was said of it. */
static int retain(char ***l, char letter, const char *path) {
        return !path || has(*l, path) ? 0 : add(l, letter, true, path);
}

static int by_path(const void *a, const void *b) {
        return strcmp(*(char *const *) a + 1, *(char *const *) b + 1);
}

static int fill(const ServiceSpec *s, char ***l) {
        static const char *const interfaces[] = { "/dev", "/proc", "/sys" };
        int r;

        if ((r = add_list(l, 'r', s->sandbox.read_only)) < 0 || (r = add_list(l, 'w', s->sandbox.writable)) < 0 ||
            (r = add_list(l, 'h', s->sandbox.hidden)) < 0)
                return r;
        if (s->sandbox.private_tmp && ((r = add(l, 't', false, "/tmp")) < 0 || (r = add(l, 't', true, "/var/tmp")) < 0))
                return r;
        if (s->sandbox.private_devices && (r = add(l, 'd', false, "/dev")) < 0)
                return r;
        if (s->sandbox.system == SANDBOX_SYSTEM_READ_ONLY) {
                r = add(l, 's', false, "/");
                for (size_t k = 0; k < ARRAY_SIZE(interfaces) && r >= 0; k++)
                        r = retain(l, 'w', interfaces[k]);
        }
        return r;
}

int sandbox_mounts(const ServiceSpec *s, const char *keep, const char *keep_read_only, char ***ret) {
        _cleanup_strv_ char **l = NULL;
        int r;

        if ((r = fill(s, &l)) < 0 || (r = retain(&l, 'w', keep)) < 0 || (r = retain(&l, 'r', keep_read_only)) < 0)
                return r;
        qsort(l, strv_length(l), sizeof(char *), by_path);
        *ret = TAKE_PTR(l);
        return 0;
}
