/* A small service that the tests of the server and of the client talk to, and ways to drive it on a loop in this process. */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "varlink/server.h"

typedef struct Service {
        sd_event *event;
        VarlinkServer *server;
        VarlinkCall *held; /* by Hold and Stream */
        unsigned calls, gone, drained, left;
        int permission;
        char *blob;
} Service;

static int on_echo(VarlinkCall *c, json_object *p, void *u) {
        ((Service *) u)->calls++;
        return varlink_reply(c, json_object_get(p));
}
static int on_fail(VarlinkCall *c, json_object *p, void *u) {
        return -EXDEV;
}
static int on_silent(VarlinkCall *c, json_object *p, void *u) {
        return 0;
}
static int on_refuse(VarlinkCall *c, json_object *p, void *u) {
        _cleanup_error_ KlError e = {};

        kl_error_set(&e, -ENOENT, KL_E_NOT_FOUND, "web: no such service");
        kl_error_hint(&e, "did you mean wub?");
        return varlink_error_kl(c, &e);
}
static void on_held_gone(VarlinkCall *c, void *u) {
        ((Service *) u)->gone++;
}
static int on_hold(VarlinkCall *c, json_object *p, void *u) {
        Service *s = u;

        s->calls++;
        varlink_call_unref(s->held);
        s->held = varlink_call_ref(c);
        varlink_call_watch(c, NULL, on_held_gone, s);
        return 0;
}
static json_object *number(unsigned n) {
        json_object *o = json_object_new_object();

        json_object_object_add(o, "n", json_object_new_int((int) n));
        return o;
}
static int on_count(VarlinkCall *c, json_object *p, void *u) {
        uint64_t n = 3;

        (void) json_get_u64(p, "n", &n, NULL);
        for (unsigned i = 0; i < n && varlink_call_more(c); i++)
                varlink_notify(c, number(i));
        return varlink_reply(c, number((unsigned) n));
}
static void stream_on(VarlinkCall *c, void *u) {
        Service *s = u;

        s->drained++;
        while (s->left > 0 && !varlink_call_congested(c)) {
                json_object *o = number(s->left--);

                json_object_object_add(o, "blob", json_object_new_string(s->blob));
                if (varlink_notify(c, o) < 0)
                        return;
        }
        if (s->left == 0)
                varlink_reply(c, number(0));
}
/* A long stream that heeds the reader's pace. */
static int on_stream(VarlinkCall *c, json_object *p, void *u) {
        Service *s = u;

        varlink_call_unref(s->held);
        s->held = varlink_call_ref(c);
        varlink_call_watch(c, stream_on, on_held_gone, s);
        s->left = 1000;
        stream_on(c, s);
        return 0;
}
/* One that does not heed it. */
static int on_flood(VarlinkCall *c, json_object *p, void *u) {
        Service *s = u;
        int r = 0;

        for (unsigned i = 0; i < 10000 && r == 0; i++) {
                json_object *o = number(i);

                json_object_object_add(o, "blob", json_object_new_string(s->blob));
                r = varlink_notify(c, o);
        }
        s->left = r == -ENOTCONN;
        return varlink_reply(c, NULL);
}
static int on_who(VarlinkCall *c, json_object *p, void *u) {
        json_object *o = json_object_new_object();

        json_object_object_add(o, "uid", json_object_new_int((int) varlink_call_uid(c)));
        json_object_object_add(o, "pid", json_object_new_int(varlink_call_pid(c)));
        return varlink_reply(c, o);
}

static const VarlinkEntry entries[] = {
        { "Echo", on_echo },
        { "Fail", on_fail },
        { "Silent", on_silent },
        { "Refuse", on_refuse },
        { "Hold", on_hold },
        { "Count", on_count },
        { "Stream", on_stream },
        { "Flood", on_flood },
        { "Who", on_who },
        { "Write", on_echo, true },
        {},
};
static const VarlinkInterface interface = { "io.kingly.Manager", "interface io.kingly.Manager\nmethod Echo() -> ()\n", entries };

static int on_permission(void *u, uid_t uid, gid_t gid, pid_t pid) {
        return ((Service *) u)->permission;
}

static void service_open(Service *s) {
        VarlinkServerOptions o = {
                .interface = &interface, .vendor = "v", .product = "p", .version = "1", .url = "u", .permission = on_permission
        };

        *s = (Service){ .permission = 2 };
        s->blob = malloc(10001);
        memset(s->blob, 'x', 10000);
        s->blob[10000] = 0;
        assert_int_equal(sd_event_new(&s->event), 0);
        o.event = s->event;
        o.userdata = s;
        assert_int_equal(varlink_server_new(&o, &s->server), 0);
}

static void service_close(Service *s) {
        varlink_server_free(s->server);
        varlink_call_unref(s->held);
        sd_event_unref(s->event);
        free(s->blob);
}

/* A connected client end, adopted by the server at the other. */
static _unused_ int service_connect(Service *s) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(varlink_server_adopt(s->server, fds[1]), 0);
        return fds[0];
}
