/* Owns which profiles there are and which are in force. What must stay true: a profile that nobody has is an error, never nothing; a profile that
 * is not in force is looked at all the same, so that `check` finds its faults (load.c). */
#include "config/profiles.h"

#include "base/strv.h"
#include "base/text.h"

void profiles_done(Profiles *p) {
        p->names = strv_free(p->names);
        p->chosen = strv_free(p->chosen);
}

int profiles_add_name(Profiles *p, const char *name) {
        return strv_contains(p->names, name) ? 0 : strv_append(&p->names, name);
}

static int add_pair(Profiles *p, const FieldReader *f, const Pair *pair) {
        const Node *at = NULL;
        char words[NODE_WORDS_MAX];

        if (!name_valid(pair->key->text))
                at = pair->key;
        else if (pair->value->kind != NODE_MAP && !node_is_null(pair->value))
                at = pair->value;
        else
                return profiles_add_name(p, pair->key->text);
        return diagnostics_add(f->diagnostics, f->file, at->line, at->column, false, "profiles: expected %s, not %s",
                               at == pair->key ? "a name of letters, digits, '_', '.' and '-'" : "keys as a service has them",
                               node_words(at, words));
}

int profiles_add(Profiles *p, const FieldReader *f, const Node *profiles) {
        char words[NODE_WORDS_MAX];
        int r = 0;

        if (!profiles || node_is_null(profiles))
                return 0;
        if (profiles->kind != NODE_MAP)
                return diagnostics_add(f->diagnostics, f->file, profiles->line, profiles->column, false,
                                       "profiles: expected a map of names (`NAME: {env: …}`), not %s", node_words(profiles, words));
        for (size_t i = 0; i < profiles->n && r >= 0; i++)
                r = add_pair(p, f, profiles->pairs + i);
        return r;
}

int profiles_choose(Profiles *p, const ConfigOptions *o, char *const *services) {
        _cleanup_strv_ char **remembered = NULL;
        int r = 0;

        if (!o || !p->names)
                return 0;
        if (!o->profiles && o->remembered)
                r = o->remembered(o->userdata, services, &remembered);
        STRV_FOREACH(name, o->profiles ?: remembered)
                if (r >= 0 && strv_contains(p->names, *name) && !strv_contains(p->chosen, *name) && strv_length(p->chosen) < PROFILES_MAX)
                        r = strv_append(&p->chosen, *name);
        return r;
}

const Node *profiles_of(const Node *map) {
        const Pair *p = map->kind == NODE_MAP ? node_find(map, "profiles") : NULL;

        return p && p->value->kind == NODE_MAP ? p->value : NULL;
}

size_t profiles_layers(const Profiles *p, const Node *map, const Node *profiles, const Node *layers[1 + PROFILES_MAX]) {
        size_t n = 0;

        layers[n++] = map;
        STRV_FOREACH(name, profiles ? p->chosen : NULL) {
                const Pair *pair = node_find(profiles, *name);

                if (pair && pair->value->kind == NODE_MAP)
                        layers[n++] = pair->value;
        }
        return n;
}

static int say_unknown(const char *name, char *const *names, Diagnostics *d) {
        _cleanup_free_ char *all = strv_join(names, ", ");
        const char *nearest = names ? text_nearest(name, (const char *const *) names) : NULL;

        if (!all)
                return -ENOMEM;
        if (!names)
                return diagnostics_add(d, "", 0, 0, false, "there is no profile `%s`: there are no `profiles` in what was read", name);
        if (nearest)
                return diagnostics_add(d, "", 0, 0, false, "there is no profile `%s` — did you mean `%s`?", name, nearest);
        return diagnostics_add(d, "", 0, 0, false, "there is no profile `%s`; those there are: %s", name, all);
}

int profiles_check(const ConfigOptions *o, char *const *names, Diagnostics *d) {
        int r = 0;

        STRV_FOREACH(name, o ? o->profiles : NULL)
                if (r >= 0 && !strv_contains(names, *name))
                        r = say_unknown(*name, names, d);
        if (r >= 0 && o && strv_length(o->profiles) > PROFILES_MAX)
                r = diagnostics_add(d, "", 0, 0, false, "more than %d profiles at a time", PROFILES_MAX);
        return r;
}
