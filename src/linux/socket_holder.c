/* One reader for the tables in /proc/net, which differ in their columns only. The kernel lists listening sockets before the others, so that the
 * search for one does not read the table of a million connections. */
#include "linux/socket_holder.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/span.h"
#include "linux/socket_diag.h"

/* Of include/net/tcp_states.h; a bound UDP socket is in the state CLOSE. */
enum { STATE_ESTABLISHED = 1, STATE_FIN_WAIT1 = 4, STATE_FIN_WAIT2 = 5, STATE_TIME_WAIT = 6, STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8, STATE_LISTEN = 10 };
/* Column St of /proc/net/unix (enum socket_state), and its flag. */
enum { UNIX_UNCONNECTED = 1, UNIX_CONNECTED = 3, UNIX_ACCEPTING = 0x10000 };

typedef struct Entry {
        unsigned port, state, flags;
        unsigned long inode;
        const char *path;             /* unix: with @ for abstract; NULL: unbound */
} Entry;

/* Whether to go on. */
typedef bool (*EntryFn)(void *userdata, const Entry *e);

static bool parse_inet(char *line, Entry *e) {
        /* sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode */
        return sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", &e->port, &e->state, &e->inode) == 3;
}

static bool parse_unix(char *line, Entry *e) {
        int at = 0;

        /* address: references protocol flags type st inode path */
        if (sscanf(line, "%*[0-9A-Fa-f]: %*x %*x %x %*x %x %lu%n", &e->flags, &e->state, &e->inode, &at) != 3)
                return false;
        line[strcspn(line, "\n")] = '\0';
        e->path = line[at] == ' ' ? line + at + 1 : NULL;
        return true;
}

static int each_entry(const char *file, bool (*parse)(char *line, Entry *e), EntryFn fn, void *userdata) {
        FILE *f = fopen(file, "re");
        char line[512];

        if (!f)
                return -errno;
        while (fgets(line, sizeof(line), f)) {
                Entry e = {};

                if (parse(line, &e) && !fn(userdata, &e))
                        break;
        }
        fclose(f);
        return 0;
}

/* ---- what is looked for ---- */

typedef struct Wanted {
        unsigned port;
        char path[sizeof(((struct sockaddr_un *) 0)->sun_path) + 1];
        bool listening;               /* tcp */
        unsigned long inodes[16];
        size_t n;
        bool connected;
} Wanted;

static void want(Wanted *w, const struct sockaddr *a, socklen_t size) {
        const struct sockaddr_un *un = (const void *) a;
        size_t n = size - offsetof(struct sockaddr_un, sun_path);

        if (a->sa_family == AF_INET)
                w->port = ntohs(((const struct sockaddr_in *) (const void *) a)->sin_port);
        else if (a->sa_family == AF_INET6)
                w->port = ntohs(((const struct sockaddr_in6 *) (const void *) a)->sin6_port);
        else if (a->sa_family == AF_UNIX && n > 0 && n < sizeof(w->path)) {
                memcpy(w->path, un->sun_path, n);
                if (w->path[0] == '\0')
                        w->path[0] = '@';
        }
}

static bool take_inode(Wanted *w, unsigned long inode) {
        if (inode != 0 && w->n < ARRAY_SIZE(w->inodes))
                w->inodes[w->n++] = inode;
        return w->n < ARRAY_SIZE(w->inodes);
}

static bool bound_inet(void *userdata, const Entry *e) {
        Wanted *w = userdata;

        if (w->listening && e->state != STATE_LISTEN)
                return false;
        return e->port != w->port || take_inode(w, e->inode);
}

static bool bound_unix(void *userdata, const Entry *e) {
        Wanted *w = userdata;
        bool holds = e->state == UNIX_UNCONNECTED || (e->flags & UNIX_ACCEPTING);

        return !e->path || !holds || !streq(e->path, w->path) || take_inode(w, e->inode);
}

#define OPEN_STATES (1U << STATE_ESTABLISHED | 1U << STATE_FIN_WAIT1 | 1U << STATE_FIN_WAIT2 | 1U << STATE_CLOSE_WAIT)

static bool connected_inet(void *userdata, const Entry *e) {
        Wanted *w = userdata;

        w->connected = e->port == w->port && e->inode != 0 && e->state < 32 && (OPEN_STATES >> e->state & 1);
        return !w->connected;
}

static bool connected_unix(void *userdata, const Entry *e) {
        Wanted *w = userdata;

        w->connected = e->path && streq(e->path, w->path) && e->state == UNIX_CONNECTED;
        return !w->connected;
}

/* ---- who has it open ---- */

static bool has_open(pid_t pid, const Wanted *w) {
        char path[64];
        struct dirent *e;
        bool found = false;
        DIR *d;

        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        d = opendir(path);
        while (d && !found && (e = readdir(d))) {
                char target[64];
                unsigned long inode;
                ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

                if (n <= 0)
                        continue;
                target[n] = '\0';
                if (sscanf(target, "socket:[%lu]", &inode) != 1)
                        continue;
                for (size_t i = 0; i < w->n; i++)
                        found = found || w->inodes[i] == inode;
        }
        if (d)
                closedir(d);
        return found;
}

static int find_process(const Wanted *w, bool (*skip)(void *userdata, pid_t pid), void *userdata, pid_t *ret) {
        DIR *d = w->n > 0 ? opendir("/proc") : NULL;
        struct dirent *e;
        int r = -ENOENT;

        while (d && r < 0 && (e = readdir(d))) {
                uint64_t pid;

                if (parse_u64(e->d_name, &pid) < 0 || (skip && skip(userdata, (pid_t) pid)) || !has_open((pid_t) pid, w))
                        continue;
                *ret = (pid_t) pid;
                r = 0;
        }
        if (d)
                closedir(d);
        return r;
}

static int read_tables(int type, sa_family_t family, EntryFn inet, EntryFn local, Wanted *w) {
        int r;

        if (family == AF_UNIX)
                return each_entry("/proc/net/unix", parse_unix, local, w);
        r = each_entry(type == SOCK_STREAM ? "/proc/net/tcp" : "/proc/net/udp", parse_inet, inet, w);
        if (w->connected)
                return r;
        /* Without IPv6 there is no such file. */
        (void) each_entry(type == SOCK_STREAM ? "/proc/net/tcp6" : "/proc/net/udp6", parse_inet, inet, w);
        return r;
}

int socket_holder(int type, const struct sockaddr *a, socklen_t size, bool (*skip)(void *userdata, pid_t pid), void *userdata, pid_t *ret) {
        Wanted w = { .listening = type == SOCK_STREAM };
        int r;

        want(&w, a, size);
        r = read_tables(type, a->sa_family, bound_inet, bound_unix, &w);
        return r < 0 ? r : find_process(&w, skip, userdata, ret);
}

/* Without IPv6 nobody answers for it, which is not asked where IPv4 is unanswered. */
static int connected_by_diag(const Wanted *w) {
        int r = socket_diag_any(AF_INET, w->port, OPEN_STATES), r6 = r == 0 ? socket_diag_any(AF_INET6, w->port, OPEN_STATES) : 0;

        return r != 0 ? r : r6 > 0;
}

int socket_connected(const struct sockaddr *a, socklen_t size) {
        Wanted w = {};
        int r;

        want(&w, a, size);
        r = a->sa_family == AF_UNIX ? -EOPNOTSUPP : connected_by_diag(&w);
        if (r >= 0)
                return r;
        r = read_tables(SOCK_STREAM, a->sa_family, connected_inet, connected_unix, &w);
        return r < 0 ? r : w.connected;
}
