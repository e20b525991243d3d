/* Owns what a file of ours holds as a whole: its namespace, defaults, profiles and services. A service's keys are service.c's. */
#include "config/root.h"

#include "base/strv.h"
#include "base/text.h"
#include "config/profiles.h"
#include "config/service.h"

Root *root_free(Root *f) {
        if (!f)
                return NULL;
        spec_free(f->defaults);
        free(f->default_places);
        free(f->places);
        free(f->directory);
        profiles_done(&f->profiles);
        free(f);
        return NULL;
}

/* ---- the file as a whole ---- */

static int say(const Root *f, const Node *at, const char *format, ...) _printf_(3, 4);
static int say(const Root *f, const Node *at, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;

        va_start(ap, format);
        message = text_vprintf(format, ap);
        va_end(ap);
        if (!message)
                return -ENOMEM;
        return diagnostics_add(f->field.diagnostics, f->field.file, at ? at->line : 1, at ? at->column : 1, false, "%s", message);
}

static int read_namespace(Root *f, const Node *root) {
        const Pair *p = node_find(root, "namespace");
        char words[NODE_WORDS_MAX];

        f->ns = f->loader->options && f->loader->options->fallback_namespace ? f->loader->options->fallback_namespace : "default";
        if (!p || node_is_null(p->value))
                return 0;
        if (p->value->kind != NODE_SCALAR || !name_valid(p->value->text))
                return say(f, p->value, "namespace: expected a name of letters, digits, '_', '.' and '-', not %s",
                           node_words(p->value, words));
        f->ns = p->value->text;
        return 0;
}

/* ---- profiles ---- */

/* The services of the file as the daemon knows them; *ret is a strv. */
static int service_ids(const Root *f, const Node *services, char ***ret) {
        int r = 0;

        for (size_t i = 0; services && services->kind == NODE_MAP && i < MIN(services->n, (size_t) CONFIG_SERVICES_MAX) && r >= 0; i++)
                r = strv_consume(ret, text_printf("%s/%s", f->ns, services->pairs[i].key->text));
        return r;
}

/* Which there are, and which are in force. */
static int read_profiles(Root *f, const Node *root) {
        const Pair *top = node_find(root, "profiles"), *services = node_find(root, "services");
        const Node *all = services && services->value->kind == NODE_MAP ? services->value : NULL;
        _cleanup_strv_ char **ids = NULL;
        int r;

        r = profiles_add(&f->profiles, &f->field, top ? top->value : NULL);
        for (size_t i = 0; all && i < all->n && r >= 0; i++) {
                const Node *map = all->pairs[i].value;
                const Pair *own = map->kind == NODE_MAP ? node_find(map, "profiles") : NULL;

                r = profiles_add(&f->profiles, &f->field, own ? own->value : NULL);
        }
        STRV_FOREACH(name, f->profiles.names)
                if (r >= 0 && !strv_contains(f->loader->profiles, *name))
                        r = strv_append(&f->loader->profiles, *name);
        if (r < 0 || !f->profiles.names)
                return r;
        r = service_ids(f, all, &ids);
        return r < 0 ? r : profiles_choose(&f->profiles, f->loader->options, ids);
}

/* A profile that is not in force, over the map that it belongs to: for its faults alone. The map's own were told. */
static int try_profile(Root *f, FieldReader field, ServiceOrigin origin, const Node *map, const Node *overlay) {
        _cleanup_free_ const Node **places = calloc(f->n_keys, sizeof(Node *));
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        _cleanup_diagnostics_ Diagnostics told = {};
        size_t errors = field.diagnostics->errors;
        FieldReader quiet = field;
        int r = places ? spec_new(f->ns, "profile", &s) : -ENOMEM;

        if (r < 0)
                return r;
        field.spec = quiet.spec = s;
        quiet.diagnostics = &told;
        r = service_read(&quiet, origin, &map, 1, places);
        memset(places, 0, f->n_keys * sizeof(Node *));
        if (r >= 0)
                r = service_read(&field, origin == SERVICE_FROM_FILE ? SERVICE_FROM_PROFILE : origin, &overlay, 1, places);
        if (r < 0 || origin == SERVICE_FROM_DEFAULTS || told.errors > 0 || field.diagnostics->errors > errors)
                return r;
        return service_validate(&field, overlay, places, f->default_places);
}

static int try_profiles(Root *f, ServiceOrigin origin, const Node *map, const Node *profiles) {
        int r = 0;

        for (size_t i = 0; profiles && i < profiles->n && r >= 0; i++) {
                const Pair *p = profiles->pairs + i;

                if (p->value->kind == NODE_MAP && !strv_contains(f->profiles.chosen, p->key->text))
                        r = try_profile(f, f->field, origin, map, p->value);
        }
        return r;
}

static int read_defaults(Root *f, const Node *root) {
        static const Node nothing = { .kind = NODE_MAP };
        const Pair *p = node_find(root, "defaults");
        const Node *map = p && !node_is_null(p->value) ? p->value : &nothing, *profiles = profiles_of(root), *layers[1 + PROFILES_MAX];
        FieldReader field = f->field;
        char words[NODE_WORDS_MAX];
        int r;

        if (map == &nothing && !profiles)
                return 0;
        if (map->kind != NODE_MAP)
                return say(f, map, "defaults: expected keys as a service has them, not %s", node_words(map, words));
        r = spec_new(f->ns, "defaults", &f->defaults);
        if (r < 0)
                return r;
        field.spec = f->defaults;
        r = service_read(&field, SERVICE_FROM_DEFAULTS, layers, profiles_layers(&f->profiles, map, profiles, layers), f->default_places);
        return r < 0 ? r : try_profiles(f, SERVICE_FROM_DEFAULTS, map, profiles);
}

/* ---- the top ---- */

static int say_unknown_top(const Root *f, const Node *key) {
        static const char *const names[] = { "namespace", "defaults", "profiles", "services", NULL };
        const char *nearest = text_nearest(key->text, names);

        if (nearest)
                return say(f, key, "unknown key `%s` — did you mean `%s`?", key->text, nearest);
        if (spec_key_find(key->text))
                return say(f, key, "`%s` does not stand here: it belongs to a service, under `services:`, or to `defaults:`", key->text);
        return say(f, key, "unknown key `%s`: a file has `namespace`, `defaults`, `profiles` and `services`", key->text);
}

static int check_top_keys(const Root *f, const Node *root) {
        int r;

        for (size_t i = 0; i < root->n; i++) {
                const char *key = root->pairs[i].key->text;

                /* `x-…` is room for anchors, as in compose files. */
                if (streq(key, "namespace") || streq(key, "defaults") || streq(key, "profiles") || streq(key, "services") || startswith(key, "x-"))
                        continue;
                r = say_unknown_top(f, root->pairs[i].key);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- services ---- */

static int take_defaults(const Root *f, ServiceSpec *s) {
        int r;

        for (size_t i = 0; f->defaults && i < f->n_keys; i++) {
                r = f->default_places[i] ? spec_key_copy(spec_keys + i, s, f->defaults) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static const Node *depends_place(const Root *f) {
        for (size_t i = 0; i < f->n_keys; i++)
                if (spec_keys[i].type == KEY_DEPENDS)
                        return f->places[i] ?: f->default_places[i];
        return NULL;
}

static int read_service_keys(Root *f, ServiceSpec *s, const Pair *p) {
        const Node *layers[1 + PROFILES_MAX], *profiles = profiles_of(p->value);
        FieldReader field = f->field;
        size_t errors = field.diagnostics->errors;
        int r;

        field.spec = s;
        memset(f->places, 0, f->n_keys * sizeof(Node *));
        r = service_read(&field, SERVICE_FROM_FILE, layers, profiles_layers(&f->profiles, p->value, profiles, layers), f->places);
        if (r < 0)
                return r;
        if (f->profiles.chosen && !(s->profile = strv_copy(f->profiles.chosen)))
                return -ENOMEM;
        if (!s->cwd && field.directory) {
                s->cwd = strdup(field.directory);
                if (!s->cwd)
                        return -ENOMEM;
        }
        /* A service with a fault would fail rules over several keys only because of it; the fault of the defaults is told once. */
        if (field.diagnostics->errors > errors)
                return 0;
        return service_validate(&field, p->key, f->places, f->default_places);
}

static int read_service(Root *f, const Pair *p) {
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        char words[NODE_WORDS_MAX];
        int r;

        if (!name_valid(p->key->text))
                return say(f, p->key, "expected a service name of letters, digits, '_', '.' and '-', not %s", node_words(p->key, words));
        r = spec_new(f->ns, p->key->text, &s);
        if (r < 0)
                return r;
        if (p->value->kind == NODE_MAP) {
                r = take_defaults(f, s);
                if (r >= 0)
                        r = read_service_keys(f, s, p);
                if (r >= 0)
                        r = try_profiles(f, SERVICE_FROM_FILE, p->value, profiles_of(p->value));
        } else
                r = say(f, p->value, "service `%s`: expected keys such as `command: …`, not %s", s->name, node_words(p->value, words));
        if (r < 0)
                return r;
        r = loader_add(f->loader, s, f->field.file, p->key, p->value->kind == NODE_MAP ? depends_place(f) : NULL);
        if (r >= 0)
                TAKE_PTR(s);
        return r;
}

static int read_services(Root *f, const Node *root, bool top_is_good) {
        const Pair *p = node_find(root, "services");
        char words[NODE_WORDS_MAX];
        int r;

        /* A misspelt `services` was told with its right name. */
        if (!p && !top_is_good)
                return 0;
        if (!p || node_is_null(p->value) || (p->value->kind == NODE_MAP && p->value->n == 0))
                return say(f, p ? p->key : NULL, "the file has no services");
        if (p->value->kind != NODE_MAP)
                return say(f, p->value, "services: expected a map of names (`NAME: {command: …}`), not %s", node_words(p->value, words));
        for (size_t i = 0; i < p->value->n; i++) {
                if (f->loader->n_origins >= CONFIG_SERVICES_MAX)
                        return say(f, p->value->pairs[i].key, "more than %d services", CONFIG_SERVICES_MAX);
                r = read_service(f, p->value->pairs + i);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Its keys, its namespace, its profiles. */
static int open_top(Root *f) {
        size_t errors = f->field.diagnostics->errors;
        int r = check_top_keys(f, f->node);

        f->top_is_good = f->field.diagnostics->errors == errors;
        if (r >= 0)
                r = read_namespace(f, f->node);
        return r < 0 ? r : read_profiles(f, f->node);
}

int root_open(Loader *l, const char *file, const char *directory) {
        _cleanup_(root_freep) Root *f = calloc(1, sizeof(Root));
        const Node *node = l->documents[l->n_documents - 1].root;
        char words[NODE_WORDS_MAX];
        Root **grown;
        int r;

        if (!f || (directory && !(f->directory = strdup(directory))))
                return -ENOMEM;
        f->loader = l;
        f->field = (FieldReader) { .file = file, .directory = f->directory, .diagnostics = l->diagnostics };
        if (!node || node_is_null(node))
                return say(f, NULL, "the file has no services");
        if (node->kind != NODE_MAP)
                return say(f, node, "expected `services:` with a map of names, not %s", node_words(node, words));
        f->node = node;
        f->document = l->n_documents - 1;
        r = open_top(f);
        grown = r < 0 ? NULL : reallocarray(l->roots, l->n_roots + 1, sizeof(Root *));
        if (!grown)
                return r < 0 ? r : -ENOMEM;
        l->roots = grown;
        l->roots[l->n_roots++] = TAKE_PTR(f);
        return 0;
}

int root_read(Root *f) {
        int r;

        f->n_keys = service_key_count();
        f->default_places = calloc(f->n_keys, sizeof(Node *));
        f->places = calloc(f->n_keys, sizeof(Node *));
        if (!f->default_places || !f->places)
                return -ENOMEM;
        r = read_defaults(f, f->node);
        return r < 0 ? r : read_services(f, f->node, f->top_is_good);
}

/* ---- for who looks into it ---- */

const Node *root_services(const Root *f) {
        const Pair *p = node_find(f->node, "services");

        return p && p->value->kind == NODE_MAP ? p->value : NULL;
}

static size_t push_layers(const Root *f, const Node *map, const Node *profiles, const Node **to) {
        const Node *layers[1 + PROFILES_MAX];
        size_t n = profiles_layers(&f->profiles, map, profiles, layers), at = 0;

        while (n-- > 0)
                if (layers[n] && layers[n]->kind == NODE_MAP)
                        to[at++] = layers[n];
        return at;
}

size_t root_layers(const Root *f, const Node *service, const Node *layers[ROOT_LAYERS_MAX]) {
        const Pair *defaults = node_find(f->node, "defaults");
        size_t n = push_layers(f, service, profiles_of(service), layers);

        return n + push_layers(f, defaults ? defaults->value : NULL, profiles_of(f->node), layers + n);
}
