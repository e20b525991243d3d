/* The verb monit: a live view. One List and one Logs of the selected instance for each refresh; between them nothing but the keyboard wakes it.
 * Leaves the terminal as it found it, whatever ends it but SIGKILL. */
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "kingctl/monit_view.h"
#include "kingctl/output.h"
#include "kingctl/verbs.h"

#define REFRESH     USEC_PER_SEC
#define INPUT_MAX   40
#define KEY_ESCAPE  27

typedef struct Monit {
        Ctl *ctl;
        char **selectors;
        MonitRows rows;
        MonitScreen screen;
        json_object *log;
        char *log_label, *message, *isolation;
        char input[INPUT_MAX + 1];
        bool typing, quit;
        usec_t next;                   /* CLOCK_MONOTONIC, of the next refresh */
} Monit;

static volatile sig_atomic_t ended;

static void on_signal(int sig) {
        ended = sig;
}

static void say(Monit *m, const char *text) {
        free(m->message);
        m->message = text ? strdup(text) : NULL;
        m->screen.message = m->message;
}

/* What went wrong stands in the last line until something else is done; a connection that is gone is made again at the next refresh. */
static void say_error(Monit *m) {
        say(m, m->ctl->error.message ?: "the daemon does not answer");
        kl_error_done(&m->ctl->error);
        m->ctl->error = (KlError) {};
        m->ctl->client = varlink_client_free(m->ctl->client);
}

static int call(Monit *m, const char *method, json_object *parameters, json_object **ret) {
        int r = ctl_connect(m->ctl, CONNECT_ONLY);

        if (r >= 0)
                r = ctl_call(m->ctl, method, parameters, ret);
        else
                json_object_put(parameters);
        if (r < 0)
                say_error(m);
        return r;
}

/* ---- what is shown ---- */

static int fetch_log(Monit *m) {
        MonitRow *selected = monit_rows_selected(&m->rows);
        _cleanup_json_ json_object *p = NULL, *reply = NULL;

        json_object_put(m->log);
        m->screen.log = m->log = NULL;
        free(m->log_label);
        m->log_label = selected ? text_printf("%s  %s", selected->label, selected->status ?: "") : NULL;
        m->screen.log_label = m->log_label;
        if (!selected)
                return 0;
        p = ctl_selectors(m->ctl, (char *[]) { selected->key, NULL }, false);
        if (!p || json_add(p, "lines", json_object_new_int((int) monit_log_lines(&m->screen))) < 0)
                return -ENOMEM;
        if (call(m, "Logs", TAKE_PTR(p), &reply) < 0)
                return 0;
        m->screen.log = m->log = json_object_get(field_array(reply, "entries"));
        return 0;
}

static int refresh_all(Monit *m) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *instances;
        int r;

        m->next = usec_add(now_usec(CLOCK_MONOTONIC), REFRESH);
        if (call(m, "List", ctl_selectors(m->ctl, m->selectors, false), &reply) < 0)
                return 0;
        instances = field_array(reply, "instances");
        if (array_length(instances) > 0) {
                free(m->isolation);
                m->isolation = strdup(field_text(json_object_array_get_idx(instances, 0), "isolation"));
                m->screen.isolation = m->isolation ?: "";
        }
        r = monit_rows_update(&m->rows, instances);
        return r < 0 ? r : fetch_log(m);
}

/* ---- what is done ---- */

static int order(Monit *m, const char *method, const char *extra, const char *value, const char *done) {
        MonitRow *selected = monit_rows_selected(&m->rows);
        _cleanup_json_ json_object *reply = NULL;
        _cleanup_free_ char *text = NULL;
        json_object *p;

        if (!selected)
                return 0;
        p = ctl_selectors(m->ctl, (char *[]) { selected->key, NULL }, false);
        if (!p || json_add(p, "wait", json_object_new_boolean(false)) < 0 || (extra && json_add_string(p, extra, value) < 0)) {
                json_object_put(p);
                return -ENOMEM;
        }
        text = text_printf(" %s: %s", selected->label, done);
        if (call(m, method, p, &reply) >= 0) {
                say(m, text);
                m->next = usec_add(now_usec(CLOCK_MONOTONIC), 100 * USEC_PER_MSEC);
        }
        return 0;
}

typedef struct Command {
        int key;
        const char *method, *extra, *value, *done;
} Command;

static const Command commands[] = {
        { 's', "Start", NULL, NULL, "started" },        { 'x', "Stop", NULL, NULL, "stopping" },
        { 'r', "Restart", NULL, NULL, "restarting" },   { 'R', "Reset", NULL, NULL, "counters reset" },
        { 'e', "Reload", NULL, NULL, "reloading" },
        { '+', "Scale", "instances", "+1", "one more" }, { '-', "Scale", "instances", "-1", "one less" },
};

static const struct {
        int key, by;
} moves[] = {
        { KEY_UP, -1 }, { 'k', -1 }, { KEY_DOWN, 1 }, { 'j', 1 }, { KEY_PPAGE, -10 }, { KEY_NPAGE, 10 }, { KEY_HOME, -100000 }, { KEY_END, 100000 },
};

static int type(Monit *m, int key) {
        size_t n = strlen(m->input);

        if (key == KEY_ESCAPE)
                m->input[0] = '\0';
        else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n > 0)
                m->input[n - 1] = '\0';
        else if (key >= ' ' && key < 127 && n < INPUT_MAX) {
                m->input[n] = (char) key;
                m->input[n + 1] = '\0';
        }
        m->typing = key != KEY_ESCAPE && key != '\n' && key != KEY_ENTER;
        m->screen.input = m->typing ? m->input : NULL;
        return monit_rows_filter(&m->rows, m->input) < 0 ? -ENOMEM : fetch_log(m);
}

static int press_other(Monit *m, int key) {
        MonitMode was = m->screen.mode;

        switch (key) {
        case 'q':
                m->quit = true;
                return 0;
        case 'o':
                monit_rows_order(&m->rows, (m->rows.order + 1) % _ORDER_MAX);
                return 0;
        case '/':
                m->typing = true;
                m->screen.input = m->input;
                return 0;
        case '?':
        case 'h':
                m->screen.mode = was == MODE_HELP ? MODE_BOTH : MODE_HELP;
                return 0;
        case 'l':
        case '\n':
                m->screen.mode = was == MODE_LOG ? MODE_BOTH : MODE_LOG;
                return fetch_log(m);
        case KEY_ESCAPE:
                m->screen.mode = MODE_BOTH;
                m->input[0] = '\0';
                return monit_rows_filter(&m->rows, NULL);
        case KEY_RESIZE:
                clear();
                return fetch_log(m);
        default:
                return 0;
        }
}

static int press(Monit *m, int key) {
        if (key != KEY_RESIZE)
                say(m, NULL);
        if (m->typing && key != KEY_RESIZE)
                return type(m, key);
        for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
                if (moves[i].key == key) {
                        monit_rows_move(&m->rows, moves[i].by);
                        return fetch_log(m);
                }
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (commands[i].key == key)
                        return order(m, commands[i].method, commands[i].extra, commands[i].value, commands[i].done);
        return press_other(m, key);
}

/* ---- the loop ---- */

static int wait_for_input(const Monit *m) {
        struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
        usec_t now = now_usec(CLOCK_MONOTONIC);

        if (poll(&p, 1, now >= m->next ? 0 : (int) ((m->next - now) / USEC_PER_MSEC) + 1) < 0)
                return errno == EINTR ? 0 : -errno;
        /* A terminal that hung up is no terminal any more. */
        return p.revents & (POLLHUP | POLLERR | POLLNVAL) ? -EIO : 0;
}

static int loop(Monit *m) {
        int r = refresh_all(m), key;

        while (r >= 0 && !m->quit && !ended) {
                monit_draw(&m->screen);
                r = wait_for_input(m);
                while (r >= 0 && (key = getch()) != ERR)
                        r = press(m, key);
                if (r >= 0 && now_usec(CLOCK_MONOTONIC) >= m->next)
                        r = refresh_all(m);
        }
        return r;
}

static void catch_signals(void) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        struct sigaction a = { .sa_handler = on_signal };

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                (void) sigaction(signals[i], &a, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
}

int verb_monit(Ctl *ctl, char **args) {
        Monit m = { .ctl = ctl, .selectors = args, .screen = { .isolation = "" } };
        int r;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
                r = ctl_usage(ctl, "monit: needs a terminal");
                kl_error_hint(&ctl->error, "kingctl list -o json tells the same to programs");
                return r;
        }
        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r < 0)
                return r;
        m.screen.rows = &m.rows;
        if (!monit_open(&m.screen, !ctl->options.no_color && !getenv("NO_COLOR"))) {
                r = kl_error_set(&ctl->error, -ENOTTY, KL_E_FAILED, "monit: the terminal \"%s\" is not known", getenv("TERM") ?: "");
                kl_error_hint(&ctl->error, "set TERM to what it is, such as xterm or vt100");
                return r;
        }
        catch_signals();
        r = loop(&m);
        monit_close();
        monit_rows_done(&m.rows);
        json_object_put(m.log);
        free(m.log_label);
        free(m.message);
        free(m.isolation);
        return r == -ENOMEM ? ctl_oom(ctl) : r == -EIO ? 1 : r < 0 ? r : ended ? 128 + ended : 0;
}
