/* Addresses as people write them. Sources: systemd.socket(5) for the forms, unix(7) for the length of a path, RFC 5952 and RFC 4007 for IPv6. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/span.h"
#include "base/text.h"
#include "model/socket.h"

#define NO_PATH "the path is longer than 107 bytes, which is all that the kernel takes"

static int refuse(const char **ret_why, const char *why) {
        if (ret_why)
                *ret_why = why;
        return -EINVAL;
}

static int parse_unix(const char *text, SocketAddress *a, const char **ret_why) {
        a->family = *text == '@' ? SOCKET_ABSTRACT : SOCKET_PATH;
        text += *text == '@';
        if (!*text)
                return refuse(ret_why, "nothing follows the @");
        if (strlen(text) >= sizeof(a->path))
                return refuse(ret_why, NO_PATH);
        if (a->family == SOCKET_PATH && text[strlen(text) - 1] == '/')
                return refuse(ret_why, "a directory cannot be listened on");
        strcpy(a->path, text);
        return 0;
}

static int parse_port(const char *text, SocketAddress *a, const char **ret_why) {
        uint64_t port;

        if (parse_u64(text, &port) < 0 || port < 1 || port > UINT16_MAX)
                return refuse(ret_why, "the port must be a number from 1 to 65535");
        a->port = (uint16_t) port;
        return 0;
}

static int parse_inet6(char *host, SocketAddress *a, const char **ret_why) {
        char *scope = strchr(host, '%');

        if (scope) {
                *scope++ = '\0';
                if (!*scope || strlen(scope) >= sizeof(a->scope) || !name_valid(scope))
                        return refuse(ret_why, "what follows the % is not the name of an interface");
                strcpy(a->scope, scope);
        }
        if (inet_pton(AF_INET6, host, a->ip) != 1)
                return refuse(ret_why, "what stands in the brackets is not an IPv6 address");
        a->family = SOCKET_INET6;
        (void) inet_ntop(AF_INET6, a->ip, a->host, sizeof(a->host));
        return 0;
}

static int parse_host(const char *host, SocketAddress *a, const char **ret_why) {
        if (!*host || streq(host, "*"))
                return 0;
        if (inet_pton(AF_INET, streq(host, "localhost") ? "127.0.0.1" : host, a->ip) != 1)
                return refuse(ret_why, strchr(host, ':') ? "an IPv6 address stands in brackets: [::1]:8080"
                                                         : "the host must be an address in numbers: names are not looked up");
        a->family = SOCKET_INET;
        (void) inet_ntop(AF_INET, a->ip, a->host, sizeof(a->host));
        return 0;
}

int socket_address_parse(const char *text, SocketAddress *ret, const char **ret_why) {
        SocketAddress a = { .family = SOCKET_ANY };
        const char *colon = strrchr(text, ':');
        char host[80];
        size_t n;
        int r;

        if (*text == '/' || *text == '@') {
                r = parse_unix(text, &a, ret_why);
                if (r >= 0)
                        *ret = a;
                return r;
        }
        n = colon ? (size_t) (colon - text) : 0;
        if (n >= sizeof(host))
                return refuse(ret_why, "the host must be an address in numbers: names are not looked up");
        memcpy(host, text, n);
        host[n] = '\0';
        r = parse_port(colon ? colon + 1 : text, &a, ret_why);
        if (r < 0)
                return r;
        if (*host == '[' && host[n - 1] == ']') {
                host[n - 1] = '\0';
                r = parse_inet6(host + 1, &a, ret_why);
        } else
                r = parse_host(host, &a, ret_why);
        if (r >= 0)
                *ret = a;
        return r;
}

const char *socket_address_format(const SocketAddress *a, char buf[SOCKET_TEXT_MAX]) {
        switch (a->family) {
        case SOCKET_ANY: snprintf(buf, SOCKET_TEXT_MAX, ":%u", a->port); break;
        case SOCKET_INET: snprintf(buf, SOCKET_TEXT_MAX, "%s:%u", a->host, a->port); break;
        case SOCKET_INET6: snprintf(buf, SOCKET_TEXT_MAX, "[%s%s%s]:%u", a->host, *a->scope ? "%" : "", a->scope, a->port); break;
        case SOCKET_PATH: snprintf(buf, SOCKET_TEXT_MAX, "%s", a->path); break;
        case SOCKET_ABSTRACT: snprintf(buf, SOCKET_TEXT_MAX, "@%s", a->path); break;
        }
        return buf;
}

const char *socket_connect_host(const SocketAddress *a) {
        if (a->family == SOCKET_ANY || streq(a->host, "0.0.0.0"))
                return "127.0.0.1";
        return streq(a->host, "::") ? "::1" : a->host;
}

bool socket_loopback(const SocketAddress *a) {
        return socket_is_unix(a) || (a->family == SOCKET_INET && a->ip[0] == 127) || streq(a->host, "::1");
}
