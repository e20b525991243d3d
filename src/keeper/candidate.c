/* Must stay true: nothing is changed, nothing is waited for; what is found wanting here is found before anything was touched. */
#include "keeper/candidate.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/helpers.h"
#include "keeper/table.h"

#define TABLE_FD (WIRE_FD + 1)
#define EXIT_USAGE 2

static bool is_wire(int fd) {
        socklen_t size = sizeof(int);
        int type;

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) >= 0 && type == SOCK_SEQPACKET;
}

static int look(void) {
        Helper manager;
        Table table;
        int r;

        r = table_view(TABLE_FD, &table);
        if (r < 0)
                return r;
        table_unview(&table);
        r = helper_init(&manager, "kingd-manager", NULL);
        helper_done(&manager);
        return r;
}

int candidate_run(void) {
        WireCandidate p = { .h = { WIRE_CANDIDATE, sizeof(p) }, .wire_version = WIRE_VERSION, .table_version = TABLE_VERSION };

        if (!is_wire(WIRE_FD)) {
                log_error("--check-upgrade is for a kingd that asks another one");
                return EXIT_USAGE;
        }
        snprintf(p.version, sizeof(p.version), "%s", KINGLY_VERSION);
        p.error = -look();
        return fd_send(WIRE_FD, &p, sizeof(p), NULL, 0) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
