/* Lines as Node writes them, lines as nobody should, and what is written to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/un.h>

#include "balance/node_message.h"

static NodeMessage parse(const char *line) {
        NodeMessage m;

        node_message_parse(line, strlen(line), &m);
        return m;
}

#define QUERY(rest) parse("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\"," rest ",\"seq\":3}")

static void queries(void **state) {
        NodeMessage m = QUERY("\"index\":0,\"data\":null,\"address\":null,\"port\":3000,\"addressType\":4,\"fd\":-1,\"flags\":0,\"backlog\":511");
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) &m.query.address;
        const struct sockaddr_in *four = (const struct sockaddr_in *) &m.query.address;
        const struct sockaddr_un *un = (const struct sockaddr_un *) &m.query.address;

        assert_int_equal(m.act, NODE_QUERY);
        assert_int_equal(m.seq, 3);
        assert_int_equal(m.query.error, 0);
        assert_int_equal(six->sin6_family, AF_INET6);
        assert_int_equal(ntohs(six->sin6_port), 3000);
        assert_int_equal(m.query.backlog, 511);
        assert_string_equal(m.query.data, "null");
        m = QUERY("\"index\":2,\"data\":{\"ticketKeys\":\"ab\"},\"address\":\"127.0.0.1\",\"port\":0,\"addressType\":4,\"fd\":null");
        assert_int_equal(four->sin_family, AF_INET);
        assert_int_equal(four->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        assert_int_equal(m.query.index, 2);
        assert_string_equal(m.query.data, "{\"ticketKeys\":\"ab\"}");
        m = QUERY("\"address\":\"::1\",\"port\":1,\"addressType\":6,\"flags\":1");
        assert_int_equal(m.query.error, 0);
        assert_true(m.query.v6only);
        m = QUERY("\"address\":\"/run/x.sock\",\"port\":-1,\"addressType\":-1");
        assert_int_equal(m.query.error, 0);
        assert_string_equal(un->sun_path, "/run/x.sock");
        m = QUERY("\"address\":\"\\u0000name\",\"port\":-1,\"addressType\":-1");
        assert_int_equal(m.query.address_size, offsetof(struct sockaddr_un, sun_path) + 5);
        m = QUERY("\"address\":\"0.0.0.0\",\"port\":53,\"addressType\":\"udp4\",\"fd\":-1,\"flags\":0");
        assert_int_equal(m.query.type, SOCK_DGRAM);
        assert_int_equal(four->sin_family, AF_INET);
}

static void queries_that_cannot_be(void **state) {
        char line[400], path[200];

        assert_int_equal(QUERY("\"fd\":3").query.error, ENOTSUP);
        assert_int_equal(QUERY("\"port\":70000,\"addressType\":4").query.error, EINVAL);
        assert_int_equal(QUERY("\"port\":80,\"addressType\":9").query.error, EINVAL);
        assert_int_equal(QUERY("\"port\":80,\"addressType\":4,\"address\":\"example.org\"").query.error, EINVAL);
        assert_int_equal(QUERY("\"port\":80,\"addressType\":6,\"address\":\"fe80::1%nowhere\"").query.error, EINVAL);
        assert_int_equal(QUERY("\"port\":-1,\"address\":\"/a\\u0000b\"").query.error, EINVAL);
        assert_int_equal(QUERY("\"port\":-1").query.error, EINVAL);
        memset(path, 'x', sizeof(path) - 1);
        path[0] = '/';
        path[sizeof(path) - 1] = '\0';
        snprintf(line, sizeof(line), "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"port\":-1,\"address\":\"%s\"}", path);
        assert_int_equal(parse(line).query.error, ENAMETOOLONG);
}

static void others(void **state) {
        NodeMessage m = parse("\"ready\"");

        assert_int_equal(m.act, NODE_WORD);
        assert_string_equal(m.word, "ready");
        m = parse("{\"cmd\":\"NODE_CLUSTER\",\"ack\":7,\"accepted\":true,\"seq\":9}");
        assert_int_equal(m.act, NODE_ACCEPTED);
        assert_int_equal(m.ack, 7);
        assert_true(m.accepted);
        assert_false(parse("{\"cmd\":\"NODE_CLUSTER\",\"ack\":7,\"accepted\":false,\"seq\":9}").accepted);
        assert_int_equal(parse("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"12\",\"seq\":9}").front, 12);
        assert_int_equal(parse("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"-12x\",\"seq\":9}").front, 0);
        assert_int_equal(parse("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"exitedAfterDisconnect\",\"seq\":9}").act, NODE_LEAVING);
        assert_int_equal(parse("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}").act, NODE_NOTHING);
        assert_int_equal(parse("{\"cmd\":\"NODE_HANDLE_ACK\"}").act, NODE_GOT);
        assert_int_equal(parse("{\"cmd\":\"NODE_HANDLE_NACK\"}").act, NODE_LOST);
        assert_int_equal(parse("{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":{}}").act, NODE_HANDLE);
        m = parse("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"rotate\",\"seq\":0}");
        assert_int_equal(m.act, NODE_UNKNOWN);
        assert_string_equal(m.word, "rotate");
}

static void nothing(void **state) {
        static const char *const lines[] = {
                "", "{", "}", "null", "1", "[\"NODE_\"]", "{\"type\":\"process:msg\",\"data\":{}}", "{\"cmd\":\"NODE_CLUSTER\"", "{\"cmd\":5,\"a\":\"NODE_\"}",
                "{\"cmd\":\"NODE_CLUSTER\"} {}", "{'cmd':'NODE_CLUSTER'}", "\"cut", "{\"cmd\":\"NODE_ELSE\"}",
                "{\"NODE_\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
        };

        for (size_t k = 0; k < sizeof(lines) / sizeof(*lines); k++)
                assert_int_equal(parse(lines[k]).act, NODE_NOTHING);
}

static void what_we_say(void **state) {
        struct sockaddr_storage a = { .ss_family = AF_INET6 };
        NodeOut out;

        ((struct sockaddr_in6 *) &a)->sin6_port = htons(3000);
        assert_true(node_message_reply(out, 3, 8, 12, 0, &a, false, "") > 0);
        assert_string_equal(out, "{\"cmd\":\"NODE_CLUSTER\",\"errno\":null,\"key\":\"12\",\"ack\":3,\"data\":null,"
                                 "\"sockname\":{\"address\":\"::\",\"family\":\"IPv6\",\"port\":3000},\"seq\":8}\n");
        assert_true(node_message_reply(out, 3, 8, 12, EADDRINUSE, &a, false, "{}") > 0);
        assert_string_equal(out, "{\"cmd\":\"NODE_CLUSTER\",\"errno\":-98,\"key\":\"12\",\"ack\":3,\"data\":{},\"seq\":8}\n");
        assert_true(node_message_reply(out, 3, 8, 12, 0, NULL, true, "null") > 0);
        assert_string_equal(out, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\",\"errno\":0,\"key\":\"12\",\"ack\":3,\"data\":null,\"seq\":8}}\n");
        assert_true(node_message_connection(out, 5, 1) > 0);
        assert_string_equal(out, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"1\",\"seq\":5}}\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(queries), cmocka_unit_test(queries_that_cannot_be), cmocka_unit_test(others), cmocka_unit_test(nothing), cmocka_unit_test(what_we_say),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
