/* Sockets as socket units, one each: what systemd can say of a socket it says of all sockets of a unit. Source: systemd.socket(5). */
#include <stdio.h>

#include "base/strv.h"
#include "export/exporter.h"

/* Text by text into one unit; the first error sticks. */
typedef struct Unit { Buffer b; int r; } Unit;

static void line(Unit *u, const char *name, const char *value) {
        if (u->r >= 0)
                u->r = buffer_printf(&u->b, "%s=%s\n", name, value);
}

static void flag(Unit *u, const char *name, bool on) {
        if (on)
                line(u, name, "true");
}

static void listen_lines(Unit *u, const SocketSpec *s, const SocketAddress *a) {
        static const char *const names[_SOCKET_TYPE_MAX] = {
                [SOCKET_TCP] = "ListenStream",          [SOCKET_UDP] = "ListenDatagram",       [SOCKET_STREAM] = "ListenStream",
                [SOCKET_DATAGRAM] = "ListenDatagram", [SOCKET_SEQPACKET] = "ListenSequentialPacket",
        };
        char address[SOCKET_TEXT_MAX];

        socket_address_format(a, address);
        line(u, names[socket_type(s, a)], a->family == SOCKET_ANY ? address + 1 : address);
        if (a->family == SOCKET_INET6)
                line(u, "BindIPv6Only", "ipv6-only");
        else if (a->family == SOCKET_ANY)
                line(u, "BindIPv6Only", "both");
}

static void option_lines(Unit *u, const Exporter *x, const SocketSpec *s, const SocketAddress *a) {
        char text[32];

        line(u, "FileDescriptorName", socket_name(s, x->spec->name));
        snprintf(text, sizeof text, "%" PRIu32, s->backlog);
        line(u, "Backlog", text);
        if (a->family == SOCKET_PATH) {
                snprintf(text, sizeof text, "%04" PRIo32, s->mode);
                line(u, "SocketMode", text);
                if (s->user ?: x->spec->user)
                        line(u, "SocketUser", s->user ?: x->spec->user);
                if (s->group ?: x->spec->group)
                        line(u, "SocketGroup", s->group ?: x->spec->group);
                flag(u, "RemoveOnStop", true);
        }
        flag(u, "ReusePort", s->reuseport);
        flag(u, "KeepAlive", s->keepalive);
        flag(u, "NoDelay", s->nodelay);
        flag(u, "FreeBind", s->freebind);
}

static int add_unit(Exporter *x, const char *service, const char *name, const SocketSpec *s) {
        Unit u = {};
        SocketAddress a;

        if (socket_address_parse(s->listen, &a, NULL) < 0)
                return -EINVAL;
        u.r = buffer_printf(&u.b, "[Unit]\nDescription=%s of %s\n\n[Socket]\n", s->listen, service);
        listen_lines(&u, s, &a);
        option_lines(&u, x, s, &a);
        if (u.r >= 0)
                u.r = buffer_printf(&u.b, "Service=%s.service\n\n[Install]\nWantedBy=sockets.target\n", service);
        if (u.r >= 0)
                return export_add(x->out, strdup(name), u.b.data, NULL);
        buffer_done(&u.b);
        return u.r;
}

static bool balanced(const SocketList *l) {
        for (size_t i = 0; i < l->n; i++)
                if (socket_balanced(l->items + i))
                        return true;
        return false;
}

/* NAME.socket, NAME-2.socket …, and what the service says of them. */
int unit_sockets(Exporter *x, const SpecKey *k) {
        _cleanup_free_ char *service = export_name(x->spec);
        const SocketList *l = &x->spec->sockets;
        int r = service ? 0 : -ENOMEM;

        if (x->instances > 1)
                return export_note(x, "sockets: systemd gives a socket to one service, not to several instances");
        if (balanced(l) && (r = export_note(x, "sockets.balance: systemd has no balancer; whoever accepts first has the connection")) < 0)
                return r;
        if (socket_stdin(l) >= 0 && l->n > 1)
                return export_note(x, "sockets: systemd makes one standard input of all sockets or of none");
        if (r >= 0 && socket_stdin(l) >= 0)
                r = unit_line(x, SECTION_SERVICE, "StandardInput", "socket");
        for (size_t i = 0; i < l->n && r >= 0; i++) {
                _cleanup_free_ char *name = i == 0 ? text_printf("%s.socket", service) : text_printf("%s-%zu.socket", service, i + 1);

                r = name ? unit_line(x, SECTION_SERVICE, "Sockets", name) : -ENOMEM;
                if (r >= 0)
                        r = add_unit(x, service, name, l->items + i);
        }
        return r;
}

int note_idle(Exporter *x, const SpecKey *k) {
        return export_note(x, "idle_timeout: systemd does not stop a service that is idle; let it end by itself");
}
