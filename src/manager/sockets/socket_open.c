/* Must stay true: a file is touched only through a descriptor that was seen to be a socket, and removed only when nobody answers behind it; what
 * cannot be bound is told with who has it. Sources: systemd.socket(5), unix(7), tcp(7), ip(7). */
#include "manager/sockets/socket_open.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "linux/process.h"
#include "linux/socket_holder.h"

typedef union Name {
        struct sockaddr a;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
} Name;

static int kernel_type(SocketType t) {
        return t == SOCKET_TCP || t == SOCKET_STREAM ? SOCK_STREAM : t == SOCKET_SEQPACKET ? SOCK_SEQPACKET : SOCK_DGRAM;
}

static socklen_t unix_name(const SocketAddress *a, struct sockaddr_un *un) {
        size_t n = strlen(a->path), at = a->family == SOCKET_ABSTRACT;

        *un = (struct sockaddr_un) { .sun_family = AF_UNIX };
        memcpy(un->sun_path + at, a->path, MIN(n, sizeof(un->sun_path) - at));
        return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + at + n + (at == 0));
}

static int inet6_name(const SocketAddress *a, struct sockaddr_in6 *in6) {
        *in6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
        memcpy(&in6->sin6_addr, a->ip, sizeof(in6->sin6_addr));
        if (*a->scope && !(in6->sin6_scope_id = if_nametoindex(a->scope)))
                return -ENODEV;
        return sizeof(*in6);
}

int socket_sockaddr(const SocketAddress *a, bool ipv6, void *ret, socklen_t *ret_size) {
        Name *n = ret;
        int r = sizeof(n->in);

        if (socket_is_unix(a))
                r = (int) unix_name(a, &n->un);
        else if (a->family == SOCKET_INET6 || (a->family == SOCKET_ANY && ipv6))
                r = inet6_name(a, &n->in6);
        else {
                n->in = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(a->port) };
                memcpy(&n->in.sin_addr, a->ip, sizeof(n->in.sin_addr));
        }
        *ret_size = r < 0 ? 0 : (socklen_t) r;
        return MIN(r, 0);
}

/* ---- what went wrong, in words ---- */

/* Kingly's own programs hold the sockets of services; who uses them is another. */
static bool is_kingly(void *userdata, pid_t pid) {
        ProcessStat stat;

        return process_stat(pid, &stat) >= 0 && strncmp(stat.comm, "kingd", 5) == 0;
}

static int in_use(int r, const SocketSpec *s, int type, const Name *n, socklen_t size, KlError *reterr) {
        ProcessStat stat = {};
        pid_t pid;

        if (socket_holder(type, &n->a, size, is_kingly, NULL, &pid) < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on %s: somebody else does already", s->listen);
        (void) process_stat(pid, &stat);
        (void) kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on %s: %.16s, pid %d, does already", s->listen, *stat.comm ? stat.comm : "a process",
                            pid);
        kl_error_hint(reterr, "stop it, or give this service another address in sockets");
        return r;
}

static int cannot_bind(int r, const SocketSpec *s, int type, const Name *n, socklen_t size, KlError *reterr) {
        if (r == -EADDRINUSE)
                return in_use(r, s, type, n, size, reterr);
        (void) kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on %s: %s", s->listen, strerror(-r));
        if (r == -EACCES && n->a.sa_family != AF_UNIX)
                kl_error_hint(reterr, "ports below net.ipv4.ip_unprivileged_port_start (1024) are for root: run kingd as root, or choose a higher one");
        else if (r == -EADDRNOTAVAIL)
                kl_error_hint(reterr, "no interface of this machine has that address; `freebind: true` listens on it all the same");
        else if (r == -EACCES || r == -EROFS)
                kl_error_hint(reterr, "kingd needs to write to the directory of the socket");
        return r;
}

static int cannot(int r, const SocketSpec *s, const char *what, KlError *reterr) {
        return kl_error_set(reterr, r, KL_E_FAILED, "cannot %s of %s: %s", what, s->listen, strerror(-r));
}

/* ---- the file of a unix socket ---- */

/* The file, if it is a socket: a descriptor that nobody can exchange any more. */
static int open_file(const char *path, struct stat *ret) {
        _cleanup_fd_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (fstat(fd, ret) < 0)
                return -errno;
        return S_ISSOCK(ret->st_mode) ? TAKE_FD(fd) : -ENOTSOCK;
}

/* Whether anybody is behind it: what refuses has lost its process. */
static bool answers(const Name *n, socklen_t size, int type) {
        _cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        return fd < 0 || connect(fd, &n->a, size) >= 0 || errno != ECONNREFUSED;
}

static int clear_way(const SocketSpec *s, const SocketAddress *a, const Name *n, socklen_t size, int type, KlError *reterr) {
        struct stat st;
        int fd = open_file(a->path, &st);

        if (fd == -ENOENT)
                return 0;
        fd_close(fd);
        if (fd < 0) {
                (void) kl_error_set(reterr, fd, KL_E_FAILED, "cannot listen on %s: %s", s->listen,
                                    fd == -ENOTSOCK ? "a file that is no socket stands there" : strerror(-fd));
                kl_error_hint(reterr, "move it away; Kingly removes only sockets that nobody has open");
                return fd;
        }
        if (answers(n, size, type))
                return in_use(-EADDRINUSE, s, type, n, size, reterr);
        return unlink(a->path) < 0 && errno != ENOENT ? cannot(-errno, s, "remove the dead file", reterr) : 0;
}

static int make_parents(const SocketSpec *s, const SocketAddress *a, KlError *reterr) {
        const char *slash = strrchr(a->path, '/');
        _cleanup_free_ char *parent = strndup(a->path, (size_t) (slash - a->path));
        int r;

        if (!parent)
                return -ENOMEM;
        r = *parent ? mkdir_parents(parent, 0755) : 0;
        return r < 0 ? cannot(r, s, "make the directory", reterr) : 0;
}

/* Of the entry where it says so; both are looked up as those of a service are. */
static int file_owner(const SocketSpec *s, const Identity *id, Identity *ret, KlError *reterr) {
        ServiceSpec owner = { .user = s->user, .group = s->group };
        int r;

        *ret = *id;
        if (!s->user && !s->group)
                return 0;
        r = identity_resolve(&owner, ret, reterr);
        if (r >= 0 && !s->user)
                ret->uid = id->set ? id->uid : geteuid();
        return r;
}

static int tune_file(const SocketSpec *s, const SocketAddress *a, const Identity *id, KlError *reterr) {
        _cleanup_fd_ int fd = -EBADF;
        char path[64];
        Identity owner;
        struct stat st;
        int r = file_owner(s, id, &owner, reterr);

        if (r < 0)
                return r;
        fd = open_file(a->path, &st);
        if (fd < 0)
                return cannot(fd, s, "open the file", reterr);
        if (owner.set && (owner.uid != st.st_uid || owner.gid != st.st_gid) && fchownat(fd, "", owner.uid, owner.gid, AT_EMPTY_PATH) < 0)
                return cannot(-errno, s, "change the owner", reterr);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if ((st.st_mode & 07777) != s->mode && chmod(path, s->mode) < 0)
                return cannot(-errno, s, "change the mode", reterr);
        return 0;
}

int socket_file(const SocketSpec *s, SocketFile *ret) {
        SocketAddress a;
        struct stat st;

        *ret = (SocketFile) {};
        if (socket_address_parse(s->listen, &a, NULL) < 0 || a.family != SOCKET_PATH)
                return 0;
        /* Without a descriptor: there may be none left, and the file would stay behind for want of it. */
        if (lstat(a.path, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode))
                return -ENOTSOCK;
        *ret = (SocketFile) { .device = st.st_dev, .inode = st.st_ino };
        return 0;
}

void socket_unlink(const SocketSpec *s, const SocketFile *file) {
        SocketFile now;

        if (file->inode != 0 && socket_file(s, &now) >= 0 && now.inode == file->inode && now.device == file->device)
                (void) unlink(s->listen);
}

/* ---- opening ---- */

static int set_option(int fd, int level, int option, bool on) {
        int v = on;

        return setsockopt(fd, level, option, &v, sizeof(v)) < 0 ? -errno : 0;
}

static int set_before_bind(int fd, const SocketSpec *s, const SocketAddress *a, int family) {
        SocketType t = socket_type(s, a);
        int r = 0;

        if (family == AF_INET6)
                r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, a->family == SOCKET_INET6);
        /* So that a port can be had again while connections of the last life linger. For udp the same word would let two of us have it. */
        if (r >= 0 && t == SOCKET_TCP)
                r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, true);
        if (r >= 0 && s->reuseport)
                r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, true);
        if (r >= 0 && s->freebind)
                r = set_option(fd, IPPROTO_IP, IP_FREEBIND, true);
        return r;
}

static int bind_to(int fd, const Name *n, socklen_t size) {
        mode_t mask = umask(0777); /* opened up when the owner is right */
        int r = bind(fd, &n->a, size) < 0 ? -errno : 0;

        umask(mask);
        return r;
}

static int open_as(const SocketSpec *s, const SocketAddress *a, bool ipv6, KlError *reterr) {
        int type = kernel_type(socket_type(s, a)), r;
        _cleanup_fd_ int fd = -EBADF;
        Name n = {};
        socklen_t size;

        r = socket_sockaddr(a, ipv6, &n, &size);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot listen on %s: there is no interface %s", s->listen, a->scope);
        if (a->family == SOCKET_PATH && ((r = make_parents(s, a, reterr)) < 0 || (r = clear_way(s, a, &n, size, type, reterr)) < 0))
                return r;
        fd = socket(n.a.sa_family, type | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return ipv6 && errno == EAFNOSUPPORT ? -EAFNOSUPPORT : cannot_bind(-errno, s, type, &n, size, reterr);
        r = set_before_bind(fd, s, a, n.a.sa_family);
        if (r >= 0)
                r = bind_to(fd, &n, size);
        if (r >= 0 && socket_type_accepts(socket_type(s, a)) && listen(fd, (int) s->backlog) < 0)
                r = -errno;
        if (r == -EADDRNOTAVAIL && ipv6)
                return r;
        return r < 0 ? cannot_bind(r, s, type, &n, size, reterr) : TAKE_FD(fd);
}

int socket_tune(int fd, const SocketSpec *s, const Identity *id, KlError *reterr) {
        SocketAddress a;
        SocketType t;
        int r = socket_address_parse(s->listen, &a, NULL);

        if (r < 0)
                return r;
        t = socket_type(s, &a);
        if (t == SOCKET_TCP && ((r = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, s->keepalive)) < 0 ||
                                (r = set_option(fd, IPPROTO_TCP, TCP_NODELAY, s->nodelay)) < 0))
                return cannot(r, s, "set the options", reterr);
        if (socket_type_accepts(t) && listen(fd, (int) s->backlog) < 0)
                return cannot(-errno, s, "change the backlog", reterr);
        return a.family == SOCKET_PATH ? tune_file(s, &a, id, reterr) : 0;
}

int socket_open(const SocketSpec *s, const Identity *id, KlError *reterr) {
        _cleanup_fd_ int fd = -EBADF;
        SocketFile file;
        SocketAddress a;
        int r = socket_address_parse(s->listen, &a, NULL);

        if (r < 0)
                return r;
        fd = open_as(s, &a, a.family == SOCKET_ANY, reterr);
        if (fd < 0 && a.family == SOCKET_ANY && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
                fd = open_as(s, &a, false, reterr);
        if (fd < 0)
                return fd;
        r = socket_file(s, &file);
        if (r >= 0)
                r = socket_tune(fd, s, id, reterr);
        if (r >= 0)
                return TAKE_FD(fd);
        socket_unlink(s, &file);
        return r;
}
