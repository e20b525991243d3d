/* Owns the shape of a service: which names are keys, which are groups, in which order they are read. The names come from spec_keys[] alone.
 */
#include "config/service.h"

#include "base/strv.h"
#include "base/text.h"
#include "config/timezone.h"

size_t service_key_count(void) {
        size_t n = 0;

        while (spec_keys[n].path)
                n++;
        return n;
}

static bool is_group(const char *name) {
        for (const SpecKey *k = spec_keys; k->path; k++) {
                const char *rest = startswith(k->path, name);
                if (rest && *rest == '.')
                        return true;
        }
        return false;
}

/* "when, delay, factor, …": what may stand in a group. */
static char *group_keys(const char *group) {
        _cleanup_buffer_ Buffer b = {};

        for (const SpecKey *k = spec_keys; k->path; k++) {
                const char *rest = startswith(k->path, group);
                if (rest && *rest == '.' && buffer_printf(&b, "%s%s", b.size > 0 ? ", " : "", rest + 1) < 0)
                        return NULL;
        }
        return TAKE_PTR(b.data);
}

static int group_expected(const FieldReader *f, const char *group, const Node *value) {
        _cleanup_free_ char *keys = NULL;
        char words[NODE_WORDS_MAX];

        keys = group_keys(group);
        if (!keys)
                return -ENOMEM;
        return diagnostics_add(f->diagnostics, f->file, value->line, value->column, false, "%s: expected keys (%s), not %s", group, keys,
                               node_words(value, words));
}

/* `to: {exec: COMMAND}` stands for `to: exec` and `exec: COMMAND`, where the word is one of the key's and names another key of the group. */
static const SpecKey *place_word(const char *group, const SpecKey *k, const Node *value, const Node **places) {
        _cleanup_free_ char *path = NULL;
        const SpecKey *other;

        if (k->type != KEY_ENUM || value->kind != NODE_MAP || value->n != 1 || !strv_contains((char *const *) k->names, value->pairs[0].key->text))
                return NULL;
        path = text_printf("%s.%s", group, value->pairs[0].key->text);
        other = path ? spec_key_find(path) : NULL;
        if (!other)
                return NULL;
        places[k - spec_keys] = value->pairs[0].key;
        places[other - spec_keys] = value->pairs[0].value;
        return other;
}

static int place_group(const FieldReader *f, const char *group, const Node *map, const Node **places) {
        int r;

        if (node_is_null(map))
                return 0;
        if (map->kind != NODE_MAP)
                return group_expected(f, group, map);
        for (size_t i = 0; i < map->n; i++) {
                const Pair *p = map->pairs + i;
                _cleanup_free_ char *path = text_printf("%s.%s", group, p->key->text);
                const SpecKey *k = path ? spec_key_find(path) : NULL;

                if (!path)
                        return -ENOMEM;
                if (k && place_word(group, k, p->value, places))
                        continue;
                if (k)
                        places[k - spec_keys] = p->value;
                else {
                        r = service_unknown_key(f, group, p->key);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Why a key that is known elsewhere does not stand here; NULL when it may. */
static const char *misplaced(ServiceOrigin origin, const char *name, const SpecKey *k) {
        if (origin == SERVICE_FROM_API)
                return NULL;
        if (streq(name, "name"))
                return "a service's name is its key under `services:`";
        if (streq(name, "namespace"))
                return "it is a key of the file as a whole";
        if (origin == SERVICE_FROM_DEFAULTS && streq(name, "command"))
                return "it has no default, each service names its own";
        if (streq(name, "profiles"))
                return "profiles stand at the top of the file, for its defaults, and in services";
        return k && k->applied ? "it is chosen when the file is applied (--profile); `profiles` says what differs" : NULL;
}

static int place_pair(const FieldReader *f, ServiceOrigin origin, const Pair *p, const Node **places) {
        const char *name = p->key->text, *why;
        const SpecKey *k = spec_key_find(name);

        /* Who reads the file has taken them. */
        if (origin == SERVICE_FROM_FILE && streq(name, "profiles"))
                return 0;
        why = misplaced(origin, name, k);
        if (why)
                return diagnostics_add(f->diagnostics, f->file, p->key->line, p->key->column, false, "`%s` does not stand here: %s", name, why);
        if (origin == SERVICE_FROM_API && (streq(name, "name") || streq(name, "namespace")))
                return 0;
        /* A path written with its dot is no key: groups are written as groups. */
        if (k && !strchr(name, '.')) {
                places[k - spec_keys] = p->value;
                return 0;
        }
        return is_group(name) ? place_group(f, name, p->value, places) : service_unknown_key(f, NULL, p->key);
}

/* Names of their own, which are added to those there are. */
static bool is_additive(const SpecKey *k) {
        return k->type == KEY_ENV || k->type == KEY_CREDENTIALS;
}

/* What is added is read layer by layer, the rest when all layers are in place. */
static int place_layer(const FieldReader *f, ServiceOrigin origin, const Node *map, const Node **places) {
        int r = 0;

        for (size_t i = 0; i < map->n && r >= 0; i++)
                r = place_pair(f, origin, map->pairs + i, places);
        for (const SpecKey *k = spec_keys; k->path && r >= 0; k++) {
                const Pair *p = is_additive(k) ? node_find(map, k->path) : NULL;

                if (p)
                        r = field_read(f, k, p->value);
        }
        return r;
}

int service_read(const FieldReader *f, ServiceOrigin origin, const Node *const *maps, size_t n, const Node **places) {
        const SpecKey *command = NULL;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = place_layer(f, i > 0 && origin == SERVICE_FROM_FILE ? SERVICE_FROM_PROFILE : origin, maps[i], places);
        if (r < 0)
                return r;
        for (const SpecKey *k = spec_keys; k->path; k++) {
                if (!places[k - spec_keys] || is_additive(k))
                        continue;
                if (k->type == KEY_COMMAND) {
                        command = k;
                        continue;
                }
                r = field_read(f, k, places[k - spec_keys]);
                if (r < 0)
                        return r;
        }
        if (places[spec_key_find("log.exec") - spec_keys] && !places[spec_key_find("log.to") - spec_keys])
                f->spec->log.to = LOG_TO_EXEC;
        /* A startup probe that nobody waits for would be a contradiction. */
        if (f->spec->probes[PROBE_STARTUP] && !places[spec_key_find("ready.by") - spec_keys] && f->spec->ready_by == READY_START)
                f->spec->ready_by = READY_PROBE;
        /* What the command means depends on `shell`, wherever that stands. */
        return command ? field_read(f, command, places[command - spec_keys]) : 0;
}

/* In files only: what the state holds must be readable, whatever has become of the tz database. */
static int check_timezone(const ServiceSpec *s, const char **ret_key, KlError *reterr) {
        _cleanup_(zone_freep) Zone *z = NULL;
        _cleanup_error_ KlError e = {};

        if (!s->schedule.timezone || timezone_load(s->schedule.timezone, &z, &e) != -ENOENT)
                return 0;
        *ret_key = "schedule.timezone";
        (void) kl_error_set(reterr, -EINVAL, KL_E_INVALID, "schedule.timezone: %s", e.message ?: "out of memory");
        if (e.hint)
                kl_error_hint(reterr, "%s", e.hint);
        return -EINVAL;
}

int service_validate(const FieldReader *f, const Node *otherwise, const Node *const *places, const Node *const *default_places) {
        _cleanup_error_ KlError e = {};
        const char *path = NULL;
        const SpecKey *k;
        const Node *at = NULL;
        int r;

        r = spec_validate(f->spec, &path, &e);
        if (r >= 0 && *f->file)
                r = check_timezone(f->spec, &path, &e);
        if (r != -EINVAL)
                return r;
        k = path ? spec_key_find(path) : NULL;
        if (k && places)
                at = places[k - spec_keys];
        if (k && !at && default_places)
                at = default_places[k - spec_keys];
        if (!at)
                at = otherwise;
        if (!e.message)
                return -ENOMEM;
        return diagnostics_add(f->diagnostics, f->file, at->line, at->column, false, e.hint ? "%s (%s)" : "%s", e.message, e.hint);
}

/* ---- unknown keys ---- */

/* The names that may stand where an unknown one stood: the keys of the group, or the keys and groups of a service. */
static int candidates(const char *group, char ***ret) {
        _cleanup_strv_ char **l = NULL;
        int r;

        for (const SpecKey *k = spec_keys; k->path; k++) {
                const char *dot = strchr(k->path, '.');
                size_t length = dot ? (size_t) (dot - k->path) : strlen(k->path);
                _cleanup_free_ char *first = strndup(k->path, length);

                if (!first)
                        return -ENOMEM;
                if (k->applied)
                        continue;
                if (group && (!dot || !streq(first, group)))
                        continue;
                if (!group && strv_contains(l, first))
                        continue;
                r = strv_append(&l, group ? dot + 1 : first);
                if (r < 0)
                        return r;
        }
        if (!group && (r = strv_append(&l, "profiles")) < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

/* The group of a key that was written outside of it, malloc'ed; NULL with 0 when no group has it. */
static int group_of(const char *name, char **ret) {
        for (const SpecKey *k = spec_keys; k->path; k++) {
                const char *dot = strchr(k->path, '.');

                if (!dot || !streq(dot + 1, name))
                        continue;
                *ret = strndup(k->path, (size_t) (dot - k->path));
                return *ret ? 0 : -ENOMEM;
        }
        return 0;
}

/* " in `limits` — did you mean …?", or where else the key belongs; malloc'ed. */
static int suggestion(const char *group, const char *name, char **ret) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *owner = NULL;
        const char *nearest, *in = group ? " in `" : "", *end = group ? "`" : "";
        int r;

        r = candidates(group, &names);
        if (r < 0)
                return r;
        nearest = names ? text_nearest(name, (const char *const *) names) : NULL;
        if (!nearest) {
                r = group_of(name, &owner);
                if (r < 0)
                        return r;
        }
        if (nearest)
                *ret = text_printf("%s%s%s — did you mean `%s`?", in, group ?: "", end, nearest);
        else if (owner)
                *ret = text_printf("%s%s%s — it belongs in the group `%s`", in, group ?: "", end, owner);
        else if (group && spec_key_find(name))
                *ret = text_printf("%s%s%s — it belongs beside `%s`, not in it", in, group, end, group);
        else
                *ret = text_printf("%s%s%s", in, group ?: "", end);
        return *ret ? 0 : -ENOMEM;
}

int service_unknown_key(const FieldReader *f, const char *group, const Node *key) {
        _cleanup_free_ char *more = NULL;
        int r;

        /* Beyond the limit only the count matters, not the work of finding a better name. */
        if (f->diagnostics->n >= CONFIG_DIAGNOSTICS_MAX)
                return diagnostics_add(f->diagnostics, f->file, key->line, key->column, false, "unknown key");
        r = suggestion(group, key->text, &more);
        if (r < 0)
                return r;
        return diagnostics_add(f->diagnostics, f->file, key->line, key->column, false, "unknown key `%s`%s", key->text, more);
}
