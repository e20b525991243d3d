/* Owns calls: who may still answer, and the answers. What must stay true: a call gets exactly one final answer; it knows its connection
 * only until then or until the client goes away, so a late answer finds nobody and harms nobody. */
#include <stdio.h>

#include "varlink/internal.h"

VarlinkCall *call_new(Connection *c, bool more, bool oneway) {
        VarlinkCall *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        *call = (VarlinkCall){ .refs = 1, .connection = c, .uid = c->uid, .pid = c->pid, .more = more && !oneway, .oneway = oneway };
        return call;
}

void call_client_gone(VarlinkCall *c) {
        c->connection = NULL;
        if (c->gone)
                c->gone(c, c->userdata);
}

VarlinkCall *varlink_call_ref(VarlinkCall *c) {
        if (c)
                c->refs++;
        return c;
}

VarlinkCall *varlink_call_unref(VarlinkCall *c) {
        if (c && --c->refs == 0)
                free(c);
        return NULL;
}

bool varlink_call_more(const VarlinkCall *c) {
        return c->more;
}

bool varlink_call_alive(const VarlinkCall *c) {
        return c->connection && !c->connection->failed && !c->connection->deaf;
}

bool varlink_call_may_change(const VarlinkCall *c) {
        return c->connection && c->connection->permission >= 2;
}

uid_t varlink_call_uid(const VarlinkCall *c) {
        return c->uid;
}

pid_t varlink_call_pid(const VarlinkCall *c) {
        return c->pid;
}

bool varlink_call_congested(const VarlinkCall *c) {
        return c->connection && byte_queue_size(&c->connection->output) > VARLINK_OUTPUT_HIGH;
}

void varlink_call_watch(VarlinkCall *c, void (*drained)(VarlinkCall *c, void *userdata), void (*gone)(VarlinkCall *c, void *userdata),
                        void *userdata) {
        c->drained = drained;
        c->gone = gone;
        c->userdata = userdata;
}

/* Consumes parameters. */
static int call_send(VarlinkCall *c, const char *error, json_object *parameters, bool continues) {
        _cleanup_json_ json_object *p = parameters, *message = NULL;
        int r;

        if (c->oneway)
                return 0;
        message = json_object_new_object();
        if (!message)
                return -ENOMEM;
        if (!p)
                p = json_object_new_object();
        r = json_add_string(message, "error", error);
        if (r >= 0)
                r = json_add(message, "parameters", TAKE_PTR(p));
        if (r >= 0 && continues)
                r = json_add(message, "continues", json_object_new_boolean(true));
        return r < 0 ? r : connection_write(c->connection, message);
}

static int call_finish(VarlinkCall *c, const char *error, json_object *parameters) {
        Connection *connection = c->connection;
        int r;

        if (!connection) {
                json_object_put(parameters);
                return -ENOTCONN;
        }
        r = call_send(c, error, parameters, false);
        if (r < 0 && r != -ENOTCONN)
                connection->failed = true; /* without an answer the client would wait for ever: let it see the end of the stream */
        c->connection = NULL;
        connection->pending = NULL;
        connection_flush(connection);
        connection_update(connection);
        connection_thrift(connection);
        varlink_call_unref(c); /* the reference of the connection */
        return r;
}

int varlink_notify(VarlinkCall *c, json_object *parameters) {
        if (!c->connection || !c->more) {
                json_object_put(parameters);
                return c->connection ? 0 : -ENOTCONN;
        }
        return call_send(c, NULL, parameters, true);
}

int varlink_reply(VarlinkCall *c, json_object *parameters) {
        return call_finish(c, NULL, parameters);
}

int varlink_error(VarlinkCall *c, const char *error, json_object *parameters) {
        return call_finish(c, error, parameters);
}

int varlink_error_kl(VarlinkCall *c, const KlError *e) {
        _cleanup_json_ json_object *p = json_object_new_object();
        const char *id = e->id ? e->id : KL_E_FAILED;
        char name[256];
        int r;

        if (!c->connection)
                return -ENOTCONN;
        snprintf(name, sizeof(name), "%s.%s", c->connection->server->options.interface->name, id);
        r = json_add_string(p, "message", e->message ? e->message : id);
        if (r >= 0)
                r = json_add_string(p, "hint", e->hint);
        return r < 0 ? call_finish(c, name, NULL) : call_finish(c, name, TAKE_PTR(p));
}
