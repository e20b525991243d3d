/* Owns the way from a message to its handler: the shape of calls, the interface org.varlink.service that every service has, permissions.
 * What must stay true: every call that is not oneway is answered, whatever its handler does. */
#include "varlink/internal.h"

static const char service_description[] =
        "# The interface that every Varlink service has.\n"
        "interface org.varlink.service\n"
        "\n"
        "# What the service is and which interfaces it has.\n"
        "method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)\n"
        "\n"
        "# The text that defines an interface.\n"
        "method GetInterfaceDescription(interface: string) -> (description: string)\n"
        "\n"
        "error InterfaceNotFound (interface: string)\n"
        "error MethodNotFound (method: string)\n"
        "error MethodNotImplemented (method: string)\n"
        "error InvalidParameter (parameter: string)\n"
        "error PermissionDenied ()\n"
        "error ExpectedMore ()\n";

/* An error of org.varlink.service: one field that names what is wrong. */
static int refuse(VarlinkCall *call, const char *error, const char *field, const char *value) {
        _cleanup_json_ json_object *p = NULL;

        if (field) {
                p = json_object_new_object();
                if (json_add_string(p, field, value) < 0)
                        return -ENOMEM;
        }
        return varlink_error(call, error, TAKE_PTR(p));
}

static int handle_get_info(VarlinkCall *call, json_object *parameters, void *userdata) {
        const VarlinkServerOptions *o = &call->connection->server->options;
        const struct {
                const char *field, *value;
        } texts[] = {
                { "vendor", o->vendor },
                { "product", o->product },
                { "version", o->version },
                { "url", o->url },
        };
        _cleanup_json_ json_object *p = json_object_new_object(), *l = json_object_new_array_ext(2);
        int r;

        if (!p || !l)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                r = json_add_string(p, texts[i].field, texts[i].value ? texts[i].value : "");
                if (r < 0)
                        return r;
        }
        if (json_object_array_add(l, json_object_new_string("org.varlink.service")) < 0 ||
            json_object_array_add(l, json_object_new_string(o->interface->name)) < 0)
                return -ENOMEM;
        r = json_add(p, "interfaces", TAKE_PTR(l));
        return r < 0 ? r : varlink_reply(call, TAKE_PTR(p));
}

static int handle_get_description(VarlinkCall *call, json_object *parameters, void *userdata) {
        const VarlinkInterface *i = call->connection->server->options.interface;
        _cleanup_json_ json_object *p = NULL;
        const char *name = NULL, *text;
        int r;

        if (json_get_string(parameters, "interface", &name, NULL) < 0 || !name)
                return refuse(call, VARLINK_E_INVALID_PARAMETER, "parameter", "interface");
        if (streq(name, "org.varlink.service"))
                text = service_description;
        else if (streq(name, i->name))
                text = i->description;
        else
                return refuse(call, VARLINK_E_INTERFACE_NOT_FOUND, "interface", name);
        p = json_object_new_object();
        r = json_add_string(p, "description", text);
        return r < 0 ? r : varlink_reply(call, TAKE_PTR(p));
}

static const VarlinkEntry service_methods[] = {
        { "GetInfo", handle_get_info },
        { "GetInterfaceDescription", handle_get_description },
        {},
};

static const VarlinkEntry *find_method(const VarlinkEntry *methods, const char *name) {
        for (; methods->method; methods++)
                if (streq(methods->method, name))
                        return methods;
        return NULL;
}

static int refuse_permission(VarlinkCall *call, const VarlinkEntry *m) {
        _cleanup_error_ KlError e = {};

        kl_error_set(&e, -EPERM, KL_E_PERMISSION, "%s: user %u is not permitted to do this", m->method, (unsigned) call->uid);
        kl_error_hint(&e, call->connection->permission > 0 ? "you may look; only the owner of the daemon and root may change things"
                                                           : "only the owner of the daemon, root and the group kingly may use it");
        return varlink_error_kl(call, &e);
}

static void answer_failure(VarlinkCall *call, const char *method, int r) {
        _cleanup_error_ KlError e = {};

        if (!call->connection)
                return;
        kl_error_set(&e, r, r == -ENOMEM ? KL_E_NO_MEMORY : KL_E_FAILED, "%s: %s", method,
                     r < 0 ? strerror(-r) : "the call was left without an answer");
        (void) varlink_error_kl(call, &e);
}

static void run_method(VarlinkCall *call, const VarlinkEntry *m, json_object *parameters) {
        Connection *c = call->connection;
        int needed = m->write ? 2 : 1, r;

        if (c->permission < needed)
                r = refuse_permission(call, m);
        else
                r = m->handle(call, parameters, c->server->options.userdata);
        /* Two references are ours (this call and the connection's): with no third nobody is left who could answer later. */
        if (call->connection && (r < 0 || call->refs == 2))
                answer_failure(call, m->method, r);
}

static void route(VarlinkCall *call, const char *method, json_object *parameters) {
        const VarlinkInterface *i = call->connection->server->options.interface;
        const char *dot = strrchr(method, '.');
        const VarlinkEntry *m = NULL;
        bool known = false;
        char interface[256];

        if (dot && (size_t) (dot - method) < sizeof(interface)) {
                memcpy(interface, method, (size_t) (dot - method));
                interface[dot - method] = 0;
                if (streq(interface, i->name)) {
                        known = true;
                        m = find_method(i->methods, dot + 1);
                } else if (streq(interface, "org.varlink.service")) {
                        known = true;
                        m = find_method(service_methods, dot + 1);
                }
        }
        if (m)
                run_method(call, m, parameters);
        else if (known)
                (void) refuse(call, VARLINK_E_METHOD_NOT_FOUND, "method", method);
        else
                (void) refuse(call, VARLINK_E_INTERFACE_NOT_FOUND, "interface", dot ? interface : method);
}

/* The fields of a call. 0, or -EINVAL with the name of the wrong one in *ret_wrong. */
static int read_call(json_object *o, const char **ret_method, bool *ret_more, bool *ret_oneway, json_object **ret_parameters,
                     const char **ret_wrong) {
        const char *method = NULL;

        if (json_get_string(o, "method", &method, NULL) < 0 || !method)
                *ret_wrong = "method";
        else if (json_get_bool(o, "more", ret_more, NULL) < 0)
                *ret_wrong = "more";
        else if (json_get_bool(o, "oneway", ret_oneway, NULL) < 0)
                *ret_wrong = "oneway";
        else if (json_get_object(o, "parameters", ret_parameters, NULL) < 0)
                *ret_wrong = "parameters";
        else {
                *ret_method = method;
                return 0;
        }
        return -EINVAL;
}

int service_handle(Connection *c, const char *message, size_t n) {
        _cleanup_json_ json_object *o = NULL, *none = NULL;
        json_object *parameters = NULL;
        const char *method = NULL, *wrong = NULL;
        bool more = false, oneway = false;
        VarlinkCall *call;
        int r;

        r = varlink_parse(message, n, &o);
        if (r < 0)
                return r;
        r = read_call(o, &method, &more, &oneway, &parameters, &wrong);
        if (!parameters)
                parameters = none = json_object_new_object();
        call = parameters ? call_new(c, more, oneway) : NULL;
        if (!call)
                return -ENOMEM;
        c->pending = call;
        varlink_call_ref(call);
        if (r < 0)
                (void) refuse(call, VARLINK_E_INVALID_PARAMETER, "parameter", wrong);
        else
                route(call, method, parameters);
        varlink_call_unref(call);
        return 0;
}
