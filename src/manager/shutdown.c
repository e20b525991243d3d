/* Must stay true: the goal that the operator set is not changed by a shutdown; what ran runs again at the next start. */
#include <stdio.h>

#include "base/log.h"
#include "manager/apply.h"
#include "manager/books/books.h"
#include "manager/books/reexec.h"
#include "manager/events.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/life/service.h"
#include "manager/link.h"
#include "manager/shutdown.h"
#include "manager/upward.h"

/* To systemd a failure, for which it starts us again (Restart=on-failure): EX_TEMPFAIL of sysexits.h. */
#define EXIT_TO_BE_STARTED_AGAIN 75

#define SHUTDOWN_HELD "shutdown-"

static void finish(Manager *m) {
        /* From here on there is no daemon for whoever comes: not one that accepts and then hangs up. But where another one follows, it gets the
         * descriptors of both from the keeper's vault, and who comes meanwhile waits for it. */
        if (m->shutdown != SHUTDOWN_LEAVE) {
                (void) unlink(m->places.socket);
                (void) unlink(m->places.pid_file);
        }
        call_list_answer(&m->shutdown_calls);
        /* The loop ends; manager_free() flushes the books and then tells the keeper to go. */
        m->goodbye = true;
        (void) sd_event_exit(m->event, m->exit_status);
}

static bool all_down(const Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                if (!service_settled(m->order[k]))
                        return false;
        return control_settled(m);
}

void shutdown_advance(Manager *m) {
        if (m->shutdown == SHUTDOWN_STOP_ALL && all_down(m))
                finish(m);
}

/* The keeper remembers it by a descriptor's name, of whatever: should we die before it is done, the next manager goes on. */
static void remember_shutdown(Manager *m, int status) {
        char name[32];

        snprintf(name, sizeof name, SHUTDOWN_HELD "%d", status);
        (void) link_hold(m->link, name, m->notify.fd);
}

void shutdown_resume(Manager *m) {
        const char *status = link_held_suffix(m->link, SHUTDOWN_HELD);

        if (status)
                shutdown_begin(m, atoi(status), NULL);
}

void shutdown_begin(Manager *m, int status, VarlinkCall *call) {
        if (m->shutdown == SHUTDOWN_NO) {
                remember_shutdown(m, status);
                m->shutdown = SHUTDOWN_STOP_ALL;
                m->exit_status = status;
                event_emit(m, NULL, NULL, EVENT_SHUTDOWN, "stopping all services");
                upward_stopping(m);
                for (size_t k = 0; k < m->n_order; k++)
                        for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                                m->order[k]->instances[n]->stop_deferred = true;
                                books_mark_instance(m->order[k]->instances[n]);      /* those that rest begin anew next time */
                        }
        }
        if (call)
                (void) call_list_add(&m->shutdown_calls, call);    /* else it sees the connection end, which says the same */
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
}

/* Services run on, in their own scopes or cgroups; the next daemon adopts them. It knows nothing of those that are being deleted. */
static void shutdown_leave(Manager *m) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; m->order[k]->deleting && n < m->order[k]->n_instances; n++)
                        if (m->order[k]->instances[n]->cell)
                                (void) cell_kill(m->order[k]->instances[n]->cell);
        m->shutdown = SHUTDOWN_LEAVE;
        event_emit(m, NULL, NULL, EVENT_SHUTDOWN, "restarting; services run on");
        upward_stopping(m);
        finish(m);
}

void shutdown_give_up(Manager *m, int status, bool goodbye) {
        m->exit_status = status;
        m->goodbye = goodbye;
        (void) sd_event_exit(m->event, status);
}

/* SIGTERM: under systemd the queued job tells stop from restart; a bare SIGTERM there is answered by leaving, since systemd starts us
 * again. Without systemd it means stop. */
static void on_terminate(Manager *m) {
        int r;

        if (m->shutdown != SHUTDOWN_NO)
                return;
        r = link_is_init(m->link) ? 0 : upward_restarting(m);
        if (r > 0)
                shutdown_leave(m);
        else if (r == -ENOENT && getenv("NOTIFY_SOCKET") && getenv("INVOCATION_ID")) {
                m->exit_status = EXIT_TO_BE_STARTED_AGAIN;
                shutdown_leave(m);
        } else
                shutdown_begin(m, 0, NULL);
}

static void forward(Manager *m, int sig) {
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t n = 0; n < m->order[k]->n_instances; n++) {
                        Instance *i = m->order[k]->instances[n];

                        if (m->order[k]->spec->essential && i->lc.main_alive && i->child)
                                (void) link_signal(m->link, i->run, sig, WIRE_TO_MAIN);
                }
}

void shutdown_signal(Manager *m, int sig) {
        log_info("received %s", signal_name(sig));
        switch (sig) {
        case SIGTERM: case SIGINT: case SIGQUIT:
                on_terminate(m);
                break;
        case SIGHUP:
                if (m->shutdown == SHUTDOWN_NO) {
                        apply_reload(m);
                        (void) reexec_ask(m, 0, true);
                }
                break;
        default:
                if (link_is_init(m->link))
                        forward(m, sig);
                break;
        }
}
