/* Sources: lib/net.js of Node (what a server that names no address means), bind(2), ipv6(7), setfsuid(2). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "linux/process.h"
#include "linux/socket_holder.h"
#include "manager/balance/cluster.h"
#include "manager/spawn/spawn_env.h"

#define BACKLOG 511                    /* Node's own */
#define UNPRIVILEGED_PORT 1024
#define UNPRIVILEGED_PORT_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"

static uint16_t port_of(const struct sockaddr_storage *a) {
        return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) a)->sin6_port : ((const struct sockaddr_in *) a)->sin_port);
}

bool cluster_any_port(const BalanceListen *p) {
        return p->address.ss_family != AF_UNIX && port_of(&p->address) == 0;
}

static bool is_all(const struct sockaddr_storage *a) {
        return a->ss_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *) a)->sin6_addr) != 0 :
               ((const struct sockaddr_in *) a)->sin_addr.s_addr == INADDR_ANY;
}

static const char *unix_text(const struct sockaddr_storage *a, uint32_t size, char buf[128]) {
        const struct sockaddr_un *un = (const struct sockaddr_un *) a;
        int n = (int) (size - offsetof(struct sockaddr_un, sun_path));

        if (un->sun_path[0] == '\0')
                snprintf(buf, 128, "@%.*s", n - 1, un->sun_path + 1);
        else
                snprintf(buf, 128, "%.*s", n, un->sun_path);
        return buf;
}

const char *cluster_address_text(const struct sockaddr_storage *a, uint32_t size, bool v6only, char buf[128]) {
        char host[INET6_ADDRSTRLEN] = "";

        if (a->ss_family == AF_UNIX)
                return unix_text(a, size, buf);
        if (a->ss_family == AF_INET6)
                (void) inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) a)->sin6_addr, host, sizeof host);
        else
                (void) inet_ntop(AF_INET, &((const struct sockaddr_in *) a)->sin_addr, host, sizeof host);
        if (a->ss_family == AF_INET6 && is_all(a) && !v6only)
                snprintf(buf, 128, ":%u", port_of(a));
        else
                snprintf(buf, 128, a->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port_of(a));
        return buf;
}

/* ---- rights ---- */

static bool has_capability(const ServiceSpec *s, const Identity *id) {
        if (!s->capabilities_set)
                return !id->set || id->uid == 0;
        STRV_FOREACH(c, s->capabilities)
                if (strcasecmp(*c, "CAP_NET_BIND_SERVICE") == 0)
                        return true;
        return false;
}

/* We may more than it: a port below the limit is for those who may have it. */
static int check_port(const BalanceListen *p, const ServiceSpec *s, const Identity *id, const char *where, KlError *reterr) {
        uint64_t first = UNPRIVILEGED_PORT;
        char text[16];

        if (p->address.ss_family == AF_UNIX || port_of(&p->address) == 0)
                return 0;
        if (read_file_into(AT_FDCWD, UNPRIVILEGED_PORT_FILE, text, sizeof text) > 0) {
                text[strcspn(text, "\n")] = '\0';
                (void) parse_u64(text, &first);
        }
        if (port_of(&p->address) >= first || has_capability(s, id))
                return 0;
        (void) kl_error_set(reterr, -EACCES, KL_E_FAILED, "cannot listen on %s: a user such as %s may not", where, id->set ? id->name : "this one");
        kl_error_hint(reterr, "ports below %" PRIu64 " are for root: add `capabilities: [CAP_NET_BIND_SERVICE]`, or choose a higher one", first);
        return -EACCES;
}

/* Files are made, and removed, as by the user of the service. */
static void become(const Identity *id, bool begin) {
        if (!id->set)
                return;
        (void) setfsgid(begin ? id->gid : getegid());
        (void) setfsuid(begin ? id->uid : geteuid());
}

bool cluster_readable(const char *path, const Identity *id) {
        _cleanup_fd_ int fd = -EBADF;

        become(id, true);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        become(id, false);
        return fd >= 0;
}

/* ---- opening ---- */

static bool is_kingly(void *userdata, pid_t pid) {
        ProcessStat stat;

        return process_stat(pid, &stat) >= 0 && strncmp(stat.comm, "kingd", 5) == 0;
}

static int cannot(int r, const BalanceListen *p, const char *where, KlError *reterr) {
        ProcessStat stat = {};
        pid_t pid;

        if (r != -EADDRINUSE || socket_holder((int) p->type, (const struct sockaddr *) &p->address, p->address_size, is_kingly, NULL, &pid) < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on %s: %s", where, strerror(-r));
        (void) process_stat(pid, &stat);
        return kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on %s: %.16s, pid %d, does already", where, *stat.comm ? stat.comm : "a process", pid);
}

static bool is_path(const BalanceListen *p) {
        return p->address.ss_family == AF_UNIX && ((const struct sockaddr_un *) &p->address)->sun_path[0] == '/';
}

/* A file that a dead socket left. */
static void clear_way(const BalanceListen *p) {
        _cleanup_fd_ int fd = socket(AF_UNIX, (int) p->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const char *path = ((const struct sockaddr_un *) &p->address)->sun_path;
        struct stat st;

        if (fd >= 0 && lstat(path, &st) >= 0 && S_ISSOCK(st.st_mode) && connect(fd, (const struct sockaddr *) &p->address, p->address_size) < 0 && errno == ECONNREFUSED)
                (void) unlink(path);
}

static int prepare(int fd, const BalanceListen *p) {
        int on = 1, v6only = (p->flags & LISTEN_V6ONLY) != 0;

        if (p->address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0)
                return -errno;
        if (p->address.ss_family != AF_UNIX && p->type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
                return -errno;
        return 0;
}

static int open_as(const BalanceListen *p, const ServiceSpec *spec, const Identity *id) {
        _cleanup_fd_ int fd = socket(p->address.ss_family, (int) p->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t mask;
        int r = fd < 0 ? -errno : prepare(fd, p);

        if (r < 0)
                return r;
        mask = umask(spec->umask != UINT32_MAX ? (mode_t) spec->umask : 022);
        become(id, true);
        if (is_path(p))
                clear_way(p);
        r = bind(fd, (const struct sockaddr *) &p->address, p->address_size) < 0 ? -errno : 0;
        become(id, false);
        umask(mask);
        if (r >= 0 && p->type == SOCK_STREAM && listen(fd, p->backlog > 0 ? p->backlog : BACKLOG) < 0)
                r = -errno;
        return r < 0 ? r : TAKE_FD(fd);
}

/* Without IPv6, all addresses are those of IPv4. */
static bool other_family(const BalanceListen *p, int r, BalanceListen *ret) {
        struct sockaddr_in *in = (struct sockaddr_in *) &ret->address;

        if ((r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL) || p->address.ss_family != AF_INET6 || !is_all(&p->address) || (p->flags & LISTEN_V6ONLY))
                return false;
        *ret = *p;
        memset(&ret->address, 0, sizeof ret->address);
        *in = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(port_of(&p->address)) };
        ret->address_size = sizeof *in;
        return true;
}

int cluster_open(const BalanceListen *p, const ServiceSpec *spec, KlError *reterr) {
        char where[128];
        BalanceListen four;
        Identity id;
        int r = identity_resolve(spec, &id, reterr);

        (void) cluster_address_text(&p->address, p->address_size, p->flags & LISTEN_V6ONLY, where);
        if (r < 0 || (r = check_port(p, spec, &id, where, reterr)) < 0)
                return r;
        r = open_as(p, spec, &id);
        if (r < 0 && other_family(p, r, &four))
                r = open_as(&four, spec, &id);
        return r < 0 ? cannot(r, p, where, reterr) : r;
}
