/* Owns the way from one service's value to another's text. What must stay true: only what the files say is looked at, so that the same files give the
 * same services; a value is expanded before it is handed on, so that chains work, and one that leads back to itself is told, not followed. */
#include "config/references.h"

#include <stdio.h>

#include "base/fd.h"
#include "base/text.h"
#include "config/root.h"
#include "model/redact.h"
#include "model/socket.h"

#define CHAIN_MAX 64 /* values that lead to each other */

typedef struct Target {
        Root *root;
        const Node *service;
        const char *name;
        char id[];           /* "namespace/name" */
} Target;

typedef struct Resolver {
        Loader *loader;
        Root *root;          /* of the value under expansion */
        Map *targets;        /* Target by id */
        unsigned depth;
} Resolver;

static void resolver_done(Resolver *x) {
        size_t at = 0;
        void *v;

        while (x->targets && map_next(x->targets, &at, &v))
                free(v);
        map_free(x->targets);
}

static int say(const Resolver *x, const Node *at, const char *format, ...) _printf_(3, 4);
static int say(const Resolver *x, const Node *at, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;

        va_start(ap, format);
        message = text_vprintf(format, ap);
        va_end(ap);
        return message ? diagnostics_add(x->loader->diagnostics, x->root->field.file, at->line, at->column, false, "%s", message) : -ENOMEM;
}

/* ---- who there is ---- */

static int add_target(Resolver *x, Root *root, const Pair *p) {
        size_t n = strlen(root->ns) + p->key->n + 2;
        Target *t;
        int r;

        if (p->value->kind != NODE_MAP)
                return 0;
        t = malloc(sizeof(Target) + n);
        if (!t)
                return -ENOMEM;
        *t = (Target) { .root = root, .service = p->value, .name = p->key->text };
        snprintf(t->id, n, "%s/%s", root->ns, p->key->text);
        r = map_put(x->targets, t->id, t);
        if (r < 0)
                free(t);
        return r == -EEXIST ? 0 : r; /* the double is told by the loader */
}

static int add_targets(Resolver *x) {
        int r = 0;

        x->targets = map_new_string();
        if (!x->targets)
                return -ENOMEM;
        for (size_t i = 0; i < x->loader->n_roots && r >= 0; i++) {
                const Node *services = root_services(x->loader->roots[i]);

                for (size_t k = 0; services && k < services->n && r >= 0; k++)
                        r = add_target(x, x->loader->roots[i], services->pairs + k);
        }
        return r;
}

static const Target *find_target(const Resolver *x, const char *name, size_t n) {
        bool whole = memchr(name, '/', n);
        _cleanup_free_ char *id = text_printf("%s%s%.*s", whole ? "" : x->root->ns, whole ? "" : "/", (int) n, name);

        return id ? map_get(x->targets, id) : NULL;
}

/* ---- the text of a node ---- */

static int lookup(void *userdata, Node *at, const char *name, size_t n, char **ret);

/* Expanded if it has to be. 1, 0 when it is broken (which was said), -ENOMEM. */
static int resolve(Resolver *x, Root *root, Node *n) {
        Document *doc = &x->loader->documents[root->document];
        Root *before = x->root;
        int r;

        if (!n->deferred)
                return !n->broken;
        n->resolving = true;
        x->root = root;
        x->depth++;
        r = document_expand_node(doc, root->field.file, x->loader->options ? x->loader->options->environment : NULL, n, lookup, x,
                                 x->loader->diagnostics);
        x->depth--;
        x->root = before;
        n->resolving = false;
        return r < 0 ? r : !n->broken;
}

/* The text of a scalar that another value is made of. */
static int take(Resolver *x, const Target *t, Node *n, Node *at, const char **ret) {
        int r;

        if (n->resolving)
                return say(x, at, "this value leads back to itself, by way of service `%s`", t->name);
        if (x->depth >= CHAIN_MAX)
                return say(x, at, "more than %d values lead to each other", CHAIN_MAX);
        r = resolve(x, t->root, n);
        if (r <= 0) {
                /* Its own fault was told where it stands. */
                at->broken = true;
                return r;
        }
        at->secret = at->secret || n->secret;
        *ret = n->text;
        return 1;
}

/* The strongest layer's word on a key; NULL when there is none, or it says null. */
static const Node *find_key(const Target *t, const char *key) {
        const Node *layers[ROOT_LAYERS_MAX];
        size_t n = root_layers(t->root, t->service, layers);

        for (size_t i = 0; i < n; i++) {
                const Pair *p = node_find(layers[i], key);

                if (p)
                        return node_is_null(p->value) ? NULL : p->value;
        }
        return NULL;
}

/* ---- env ---- */

/* NAME: value, or NAME=value in a list, whose text goes on behind the '='. */
static Node *find_variable(const Node *env, const char *name, bool *ret_listed) {
        const Pair *p = env->kind == NODE_MAP ? node_find(env, name) : NULL;
        size_t n = strlen(name);

        *ret_listed = env->kind == NODE_LIST;
        for (size_t i = env->n; *ret_listed && i-- > 0;) {
                Node *item = env->items[i];

                if (item->kind == NODE_SCALAR && strncmp(item->text, name, n) == 0 && item->text[n] == '=')
                        return item;
        }
        return p && p->value->kind == NODE_SCALAR ? p->value : NULL;
}

static int take_variable(Resolver *x, const Target *t, Node *at, const char *name, char **ret) {
        const Node *layers[ROOT_LAYERS_MAX];
        size_t n = root_layers(t->root, t->service, layers);
        const char *text = NULL;

        for (size_t i = 0; i < n; i++) {
                const Pair *p = node_find(layers[i], "env");
                bool listed = false;
                Node *v = p && p->value->kind != NODE_SCALAR ? find_variable(p->value, name, &listed) : NULL;
                int r;

                if (!v && !(p && node_is_null(p->value)))
                        continue;
                if (!v)
                        break; /* the layers below are not in force */
                r = take(x, t, v, at, &text);
                if (r <= 0)
                        return r;
                at->secret = at->secret || redact_name(&(Redactor) {}, name, strlen(name));
                *ret = strdup(listed ? text + strlen(name) + 1 : node_is_null(v) ? "" : text);
                return *ret ? 1 : -ENOMEM;
        }
        return say(x, at, "service `%s` has no variable `%s` in its `env`", t->name, name);
}

/* ---- sockets ---- */

static char *show_port(const SocketAddress *a) {
        return text_printf("%u", a->port);
}

static char *show_host(const SocketAddress *a) {
        return strdup(socket_connect_host(a));
}

static char *show_address(const SocketAddress *a) {
        const char *host = socket_connect_host(a);

        return strchr(host, ':') ? text_printf("[%s]:%u", host, a->port) : text_printf("%s:%u", host, a->port);
}

static char *show_path(const SocketAddress *a) {
        return a->family == SOCKET_ABSTRACT ? text_printf("@%s", a->path) : strdup(a->path);
}

static const struct {
        const char *name;
        bool local;          /* of unix sockets; the others of those with a port */
        char *(*show)(const SocketAddress *a);
} attributes[] = { { "port", false, show_port }, { "host", false, show_host }, { "address", false, show_address }, { "socket", true, show_path } };

static Node *member(const Node *entry, const char *key) {
        const Pair *p = entry->kind == NODE_MAP ? node_find(entry, key) : NULL;

        return p && p->value->kind == NODE_SCALAR && !node_is_null(p->value) ? p->value : NULL;
}

/* 1 and the address of an entry; 0 when there is none to be had (what is wrong with it is said where it is read). */
static int entry_address(Resolver *x, const Target *t, Node *entry, Node *at, SocketAddress *ret) {
        Node *listen = entry->kind == NODE_SCALAR ? entry : member(entry, "listen");
        _cleanup_free_ char *absolute = NULL;
        const char *text = NULL;
        int r = listen ? take(x, t, listen, at, &text) : 0;

        if (r <= 0)
                return r;
        if ((startswith(text, "./") || startswith(text, "../")) && t->root->directory) {
                absolute = path_absolute(text, t->root->directory);
                if (!absolute)
                        return -ENOMEM;
                text = absolute;
        }
        return socket_address_parse(text, ret, NULL) >= 0;
}

static int take_socket(Resolver *x, const Target *t, Node *at, size_t attribute, const char *wanted, char **ret) {
        const Node *sockets = find_key(t, "sockets");
        size_t n = !sockets ? 0 : sockets->kind == NODE_LIST ? sockets->n : 1;

        for (size_t i = 0; i < n; i++) {
                Node *entry = sockets->kind == NODE_LIST ? sockets->items[i] : (Node *) (uintptr_t) sockets, *name = member(entry, "name");
                size_t errors = x->loader->diagnostics->errors;
                SocketAddress a;
                int r;

                if (wanted && !streq(wanted, name ? name->text : t->name))
                        continue;
                r = entry_address(x, t, entry, at, &a);
                if (r < 0 || x->loader->diagnostics->errors > errors)
                        return MIN(r, 0);
                if (r == 0 || socket_is_unix(&a) != attributes[attribute].local)
                        continue;
                *ret = attributes[attribute].show(&a);
                return *ret ? 1 : -ENOMEM;
        }
        return say(x, at, "service `%s` has no %s%s%s%s among its `sockets`", t->name, attributes[attribute].local ? "unix socket" : "socket with a port",
                   wanted ? " named `" : "", wanted ?: "", wanted ? "`" : "");
}

/* ---- the name ---- */

static int say_unknown(const Resolver *x, const Node *at, const char *name, size_t n) {
        size_t count = 0, i = 0;
        _cleanup_free_ const char **names = calloc(map_size(x->targets) + 1, sizeof(char *));
        _cleanup_free_ char *word = strndup(name, n);
        const char *nearest;
        void *v;

        if (!names || !word)
                return -ENOMEM;
        while (map_next(x->targets, &i, &v))
                if (streq(((Target *) v)->root->ns, x->root->ns))
                        names[count++] = ((Target *) v)->name;
        nearest = text_nearest(word, names);
        if (nearest)
                return say(x, at, "there is no service `%s` — did you mean `%s`?", word, nearest);
        return say(x, at, "there is no service `%s` in the files that are read together", word);
}

/* What stands behind the name of the service: ".env.NAME", ".port", ".port.SOCKET". */
static int take_attribute(Resolver *x, const Target *t, Node *at, const char *rest, char **ret) {
        const char *env = startswith(rest, "env.");

        if (env)
                return take_variable(x, t, at, env, ret);
        for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
                const char *more = startswith(rest, attributes[i].name);

                if (more && (!*more || (*more == '.' && more[1])))
                        return take_socket(x, t, at, i, *more ? more + 1 : NULL, ret);
        }
        return say(x, at, "a service has no `%s` for others: there are port, host, address and socket, of its `sockets`, and env.NAME", rest);
}

/* Names of services may have dots: the longest that there is is meant. */
static int lookup(void *userdata, Node *at, const char *name, size_t n, char **ret) {
        Resolver *x = userdata;
        _cleanup_free_ char *body = strndup(name + strlen("service."), n - strlen("service."));
        const char *first = NULL;

        if (!body)
                return -ENOMEM;
        for (char *dot = body + strlen(body); dot > body; dot--) {
                const Target *t;

                if (*dot != '.' || !dot[1])
                        continue;
                first = dot;
                t = find_target(x, body, (size_t) (dot - body));
                if (t)
                        return take_attribute(x, t, at, dot + 1, ret);
        }
        if (!first)
                return say(x, at, "expected ${service.NAME.port} or the like, not `${service.%s}`", body);
        return say_unknown(x, at, body, (size_t) (first - body));
}

int references_resolve(Loader *l) {
        _cleanup_(resolver_done) Resolver x = { .loader = l };
        size_t deferred = 0;
        int r = 0;

        for (size_t i = 0; i < l->n_documents; i++)
                deferred += l->documents[i].n_deferred;
        if (deferred == 0)
                return 0;
        r = add_targets(&x);
        for (size_t i = 0; i < l->n_roots && r >= 0; i++) {
                const Document *doc = &l->documents[l->roots[i]->document];

                for (size_t k = 0; k < doc->n_deferred && r >= 0; k++)
                        r = resolve(&x, l->roots[i], doc->deferred[k]);
        }
        return MIN(r, 0);
}
