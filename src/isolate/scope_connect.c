/* Where systemd is reached: at the socket of its manager, or over the bus. Owns that choice.
 *
 * The socket comes first. A call over the bus makes systemd ask the bus who calls, and follow the caller there for as long as the job lasts;
 * on its own socket the kernel has told it, and no third program has a part in each start, nor has to be alive.
 *
 * What must stay true: only a socket that root, or the user whose manager it is, listens on is believed; whoever names a bus
 * (DBUS_SYSTEM_BUS_ADDRESS, sd_bus_open_system(3)) gets that one. Source: unix(7), SO_PEERCRED. */
#include <sys/socket.h>

#include "base/log.h"
#include "base/text.h"
#include "isolate/scope.h"

/* systemd listens anew a moment after it has executed itself: six seconds, as scope_bus.c tries. */
#define SOCKET_ATTEMPTS 7

const char *scope_connection_name(const ScopeIsolate *si) {
        static const char *const names[][2] = { { "system bus", "user bus" }, { "system manager's socket", "user manager's socket" } };

        return names[si->direct][si->isolate.options.user];
}

static int socket_address(bool user, char **ret) {
        const char *directory = user ? getenv("XDG_RUNTIME_DIR") : "/run";

        if (!directory || (!user && getenv("DBUS_SYSTEM_BUS_ADDRESS")))
                return -ENOENT;
        *ret = text_printf("unix:path=%s/systemd/private", directory);
        return *ret ? 0 : -ENOMEM;
}

static int check_listener(sd_bus *bus) {
        socklen_t size = sizeof(struct ucred);
        struct ucred peer;
        int fd = sd_bus_get_fd(bus);

        if (fd < 0)
                return fd;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int open_socket(bool user, sd_bus **ret) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *address = NULL;
        int r;

        r = socket_address(user, &address);
        if (r >= 0)
                r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_description(bus, "scopes");
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = check_listener(bus);
        if (r >= 0)
                *ret = TAKE_PTR(bus);
        return r < 0 ? r : 0;
}

int scope_connect(ScopeIsolate *si) {
        bool user = si->isolate.options.user;
        int r;

        r = si->bus_only ? -EPERM : open_socket(user, &si->bus);
        if (r >= 0)
                si->direct = true;
        else if (!si->direct || si->attempt >= SOCKET_ATTEMPTS) {
                log_errno(LOG_DEBUG, r, "systemd's own socket is not to be had, taking the bus");
                si->direct = false;
                r = (user ? sd_bus_open_user_with_description : sd_bus_open_system_with_description)(&si->bus, "scopes");
        }
        if (r < 0)
                return r;
        log_debug("systemd is reached over the %s", scope_connection_name(si));
        return sd_bus_set_exit_on_disconnect(si->bus, false);
}
