/* Owns ${NAME}, ${NAME:-default}, ${service.…} and $$ in the values of a document. A default is taken when the variable is unset or empty, as in sh; it
 * reaches to the next brace and is not expanded itself. Any other dollar stays. What the variables bring in is bounded like the file
 * itself. */
#include "base/strv.h"
#include "base/text.h"
#include "config/document.h"
#include "model/redact.h"

typedef struct Expansion {
        Document *document;
        const char *file;
        char *const *environment;
        Diagnostics *diagnostics;
        NodeLookup lookup; /* NULL: who asks for a value of a service is deferred */
        void *userdata;
        Node *node; /* under expansion */
        Buffer out;
} Expansion;

static int complain(const Expansion *e, const char *what, const char *name, size_t n, const char *why) {
        return diagnostics_add(e->diagnostics, e->file, e->node->line, e->node->column, false, "%s%.*s%s", what, (int) MIN(n, (size_t) 200),
                               name, why);
}

static int append(Expansion *e, const char *text, size_t n) {
        e->document->expanded += n;
        if (e->document->expanded > CONFIG_FILE_MAX) {
                int r = diagnostics_add(e->diagnostics, e->file, e->node->line, e->node->column, false,
                                        "the variables of this file expand to more than %d MiB", CONFIG_FILE_MAX >> 20);
                return r < 0 ? r : -EINVAL;
        }
        return buffer_append(&e->out, text, n);
}

/* `body` is what stands between the braces. */
static int append_own(Expansion *e, const char *body, size_t n) {
        const char *separator = memmem(body, n, ":-", 2), *value;
        size_t length = separator ? (size_t) (separator - body) : n;
        _cleanup_free_ char *name = strndup(body, length);

        if (!name)
                return -ENOMEM;
        if (!env_name_valid(name))
                return complain(e, "expected ${NAME} or ${NAME:-default}, not `${", body, n, "}`");
        value = strv_env_get(e->environment, name);
        if (separator && (!value || !*value))
                return append(e, separator + 2, n - length - 2);
        if (!value)
                return complain(e, "variable `", name, length, "` is not set (a default is written ${NAME:-default}, a dollar sign $$)");
        if (redact_name(&(Redactor) {}, name, length))
                e->node->secret = true;
        if (!utf8_valid(value, strlen(value)))
                return complain(e, "the value of variable `", name, length, "` is not UTF-8");
        return append(e, value, strlen(value));
}

#define SERVICE_VALUE "service."

static int append_service(Expansion *e, const char *body, size_t n) {
        _cleanup_free_ char *value = NULL;
        int r = e->lookup(e->userdata, e->node, body, n, &value);

        return r <= 0 ? r : append(e, value, strlen(value));
}

static int append_variable(Expansion *e, const char *body, size_t n) {
        if (e->lookup && n > strlen(SERVICE_VALUE) && startswith(body, SERVICE_VALUE))
                return append_service(e, body, n);
        return append_own(e, body, n);
}

/* One step from `p`, which is a dollar; *ret is behind what was read. */
static int expand_dollar(Expansion *e, const char *p, const char *end, const char **ret) {
        const char *close;

        *ret = MIN(p + 2, end);
        if (p[1] == '$')
                return append(e, "$", 1);
        if (p[1] != '{') {
                *ret = p + 1;
                return append(e, p, 1);
        }
        close = memchr(p, '}', (size_t) (end - p));
        if (!close) {
                *ret = end;
                return complain(e, "`${` without its `}` (a dollar sign is written $$)", "", 0, "");
        }
        *ret = close + 1;
        return append_variable(e, p + 2, (size_t) (close - p) - 2);
}

static int defer(Expansion *e, Node *n) {
        Document *doc = e->document;

        /* Doubled when full. */
        if ((doc->n_deferred & (doc->n_deferred - 1)) == 0) {
                Node **grown = reallocarray(doc->deferred, MAX(doc->n_deferred * 2, (size_t) 1), sizeof(Node *));

                if (!grown)
                        return -ENOMEM;
                doc->deferred = grown;
        }
        doc->deferred[doc->n_deferred++] = n;
        n->deferred = true;
        return 0;
}

static int expand_text(Expansion *e, Node *n) {
        const char *p = n->text, *end = n->text + n->n, *dollar;
        size_t errors = e->diagnostics->errors;
        int r;

        if (!memchr(p, '$', n->n))
                return 0;
        if (!e->lookup && memmem(p, n->n, "${" SERVICE_VALUE, strlen("${" SERVICE_VALUE)))
                return defer(e, n);
        e->node = n;
        e->out.size = 0;
        while (p < end) {
                dollar = memchr(p, '$', (size_t) (end - p)) ?: end;
                r = append(e, p, (size_t) (dollar - p));
                if (r < 0)
                        return r;
                p = dollar;
                if (p < end) {
                        r = expand_dollar(e, p, end, &p);
                        if (r < 0)
                                return r;
                }
        }
        n->broken = n->broken || e->diagnostics->errors > errors;
        if (n->broken)
                return 0;
        n->n = e->out.size;
        n->text = document_text(e->document, e->out.data, n->n);
        return n->text ? 0 : -ENOMEM;
}

/* Every node once, however many aliases lead to it. Keys are names, not values. The depth is that of the document, which is bounded. */
static int expand_node(Expansion *e, Node *n) {
        int r = 0;

        if (n->visited)
                return 0;
        n->visited = true;
        if (n->kind == NODE_SCALAR)
                return expand_text(e, n);
        for (size_t i = 0; i < n->n && r >= 0; i++)
                r = expand_node(e, n->kind == NODE_MAP ? n->pairs[i].value : n->items[i]);
        return r;
}

int document_expand(Document *doc, const char *file, char *const *environment, Diagnostics *d) {
        Expansion e = { .document = doc, .file = file, .environment = environment, .diagnostics = d };
        int r = doc->root ? expand_node(&e, doc->root) : 0;

        buffer_done(&e.out);
        return r == -EINVAL ? 0 : r;
}

int document_expand_node(Document *doc, const char *file, char *const *environment, Node *n, NodeLookup lookup, void *userdata, Diagnostics *d) {
        Expansion e = { .document = doc, .file = file, .environment = environment, .diagnostics = d, .lookup = lookup, .userdata = userdata };
        int r = expand_text(&e, n);

        buffer_done(&e.out);
        n->deferred = false;
        n->broken = n->broken || r == -EINVAL;
        return r == -EINVAL ? 0 : r;
}
