/* PM2's list: a table in boxes of fixed widths, as wide as the terminal lets it be, and the mini-list. */
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"
#include "kingctl/table.h"

/* ---- cells ---- */

static const char *user_of(Pm2 *p, const Pm2Process *i, char buf[64]) {
        const char *user = field_text(field_object(i->service, "spec"), "user");
        _cleanup_free_ char *path = NULL;
        struct passwd *pw = NULL;
        struct stat st;

        if (*user)
                return user;
        if (socket_path(&p->ctl->options, &path, NULL) >= 0 && stat(path, &st) >= 0)
                pw = getpwuid(st.st_uid);
        snprintf(buf, 64, "%s", pw ? pw->pw_name : "");
        return buf;
}

/* One unit, and the next one from two of it on. */
static void format_uptime(char buf[32], const Pm2Process *i) {
        static const struct {
                unsigned seconds;
                char unit;
        } units[] = { { 31536000, 'Y' }, { 2592000, 'M' }, { 86400, 'D' }, { 3600, 'h' }, { 60, 'm' } };
        usec_t now = now_usec(CLOCK_REALTIME), seconds = i->view.since < now ? (now - i->view.since) / USEC_PER_SEC : 0;

        if (!streq(i->status, "online")) {
                strcpy(buf, "0");
                return;
        }
        for (size_t k = 0; k < ARRAY_SIZE(units); k++)
                if (seconds / units[k].seconds > 1) {
                        snprintf(buf, 32, "%llu%c", (unsigned long long) (seconds / units[k].seconds), units[k].unit);
                        return;
                }
        snprintf(buf, 32, "%llus", (unsigned long long) seconds);
}

static void format_memory(char buf[32], int64_t bytes) {
        static const char *const units[] = { "kb", "mb", "gb", "tb" };
        double n = (double) MAX(bytes, (int64_t) 0);
        int unit = -1;

        while (n >= 1024 && unit < 3) {
                n /= 1024;
                unit++;
        }
        if (unit < 0)
                snprintf(buf, 32, "%.0fb", n);
        else
                snprintf(buf, 32, "%.1f%s", n, units[unit]);
}

static Colour status_colour(const char *status) {
        return streq(status, "online") ? COLOUR_GREEN : streq(status, "launching") ? COLOUR_BLUE : COLOUR_RED;
}

typedef enum Column { ID, NAME, NAMESPACE, VERSION, MODE, PID, UPTIME, RESTARTS, STATUS, CPU, MEMORY, USER, WATCHING, _COLUMNS } Column;

typedef struct Row {
        char *cells[_COLUMNS];
        Colour status;
} Row;

static void row_done(Row *r) {
        for (size_t i = 0; i < _COLUMNS; i++)
                free(r->cells[i]);
}

static int make_row(Pm2 *p, const Pm2Process *i, Row *r) {
        json_object *watch = field_array(field_object(field_object(i->service, "spec"), "watch"), "paths");
        char uptime[32], memory[32], percent[32], user[64];
        _cleanup_free_ char *version = pm2_version_of(i);

        format_uptime(uptime, i);
        format_memory(memory, i->view.memory);
        *r = (Row) { .status = status_colour(i->status),
                     .cells = { [ID] = text_printf("%" PRIi64, i->id), [NAME] = strdup(i->view.name), [NAMESPACE] = strdup(i->view.ns),
                                [VERSION] = strdup(version ?: "N/A"), [MODE] = strndup(pm2_mode(i->service), strcspn(pm2_mode(i->service), "_")), [PID] = text_printf("%" PRIi64, i->view.pid),
                                [UPTIME] = strdup(uptime), [RESTARTS] = text_printf("%" PRIi64, i->view.restarts), [STATUS] = strdup(i->status),
                                [CPU] = text_printf("%s%%", pm2_percent(i, percent)), [MEMORY] = strdup(memory),
                                [USER] = strdup(user_of(p, i, user)), [WATCHING] = strdup(array_length(watch) > 0 ? "enabled" : "disabled") } };
        for (size_t k = 0; k < _COLUMNS; k++)
                if (!r->cells[k])
                        return -ENOMEM;
        return 0;
}

/* ---- boxes ---- */

static void print_rule(const unsigned *widths, size_t n, const char *left, const char *middle, const char *right) {
        for (size_t i = 0; i < n; i++) {
                fputs(i == 0 ? left : middle, stdout);
                for (unsigned k = 0; k < widths[i]; k++)
                        fputs("\u2500", stdout);
        }
        puts(right);
}

/* A cell between blanks; width is that between the rules. */
static void print_cell(const char *text, unsigned width, bool colour, Colour c) {
        _cleanup_free_ char *escaped = text_escape(text, strlen(text)), *cut = escaped ? text_ellipsize(escaped, width - 2) : NULL;
        size_t used = cut ? utf8_columns(cut) : 0;

        printf("\u2502 %s%s%s%*s", colour_begin(colour && c != COLOUR_NONE, c), cut ?: "", colour_end(colour && c != COLOUR_NONE),
               (int) (width - 1 - MIN(used, (size_t) width - 2)), "");
}

typedef struct Layout {
        Column columns[_COLUMNS];
        unsigned widths[_COLUMNS];
        size_t n;
} Layout;

static unsigned total_width(const Layout *l) {
        unsigned n = 1;

        for (size_t i = 0; i < l->n; i++)
                n += l->widths[i] + 1;
        return n;
}

static Layout make_layout(const Column *columns, size_t n, unsigned id, unsigned name) {
        static const unsigned widths[_COLUMNS] = { [NAMESPACE] = 13, [VERSION] = 9, [MODE] = 9, [PID] = 10, [UPTIME] = 8, [RESTARTS] = 6, [STATUS] = 11,
                                                   [CPU] = 10, [MEMORY] = 10, [USER] = 10, [WATCHING] = 10 };
        Layout l = { .n = n };

        for (size_t i = 0; i < n; i++) {
                l.columns[i] = columns[i];
                l.widths[i] = columns[i] == ID ? id : columns[i] == NAME ? name : widths[columns[i]];
        }
        return l;
}

/* The widest that fits the terminal; without one, all. */
static Layout choose_layout(const Pm2List *l) {
        static const Column all[] = { ID, NAME, NAMESPACE, VERSION, MODE, PID, UPTIME, RESTARTS, STATUS, CPU, MEMORY, USER, WATCHING },
                            condensed[] = { ID, NAME, MODE, RESTARTS, STATUS, CPU, MEMORY }, mini[] = { ID, NAME, STATUS, CPU, MEMORY };
        unsigned terminal = terminal_width(stdout) ?: 300, id = 4, name = l->n > 0 ? 0 : 11;
        Layout layout;

        for (size_t i = 0; i < l->n; i++) {
                id = MAX(id, 2 + (unsigned) snprintf(NULL, 0, "%" PRIi64, l->items[i].id));
                unsigned columns = (unsigned) utf8_columns(l->items[i].view.name) + 5;

                name = MAX(name, columns);
        }
        name = MIN(name, 40u);
        layout = make_layout(all, ARRAY_SIZE(all), id, name);
        if (total_width(&layout) > terminal)
                layout = make_layout(condensed, ARRAY_SIZE(condensed), id, MIN(name, 20u));
        if (total_width(&layout) > terminal)
                layout = make_layout(mini, ARRAY_SIZE(mini), id, MIN(name, 16u));
        return layout;
}

static int print_table(Pm2 *p, const Pm2List *l) {
        static const char *const titles[_COLUMNS] = { "id",     "name",   "namespace", "version", "mode", "pid",     "uptime",
                                                      "\u21ba", "status", "cpu",       "mem",     "user", "watching" };
        Layout layout = choose_layout(l);
        bool c = p->ctl->colour;

        print_rule(layout.widths, layout.n, "\u250c", "\u252c", "\u2510");
        for (size_t i = 0; i < layout.n; i++)
                print_cell(titles[layout.columns[i]], layout.widths[i], c, COLOUR_BOLD);
        puts("\u2502");
        if (l->n > 0)
                print_rule(layout.widths, layout.n, "\u251c", "\u253c", "\u2524");
        for (size_t i = 0; i < l->n; i++) {
                _cleanup_(row_done) Row row = {};

                if (make_row(p, l->items + i, &row) < 0)
                        return ctl_oom(p->ctl);
                for (size_t k = 0; k < layout.n; k++)
                        print_cell(row.cells[layout.columns[k]], layout.widths[k], c,
                                   layout.columns[k] == STATUS ? row.status : layout.columns[k] == ID ? COLOUR_BOLD : COLOUR_NONE);
                puts("\u2502");
        }
        print_rule(layout.widths, layout.n, "\u2514", "\u2534", "\u2518");
        return 0;
}

static int print_mini(Pm2 *p, const Pm2List *l) {
        static const struct {
                const char *title;
                Column column;
        } lines[] = { { "namespace", NAMESPACE }, { "version", VERSION }, { "pid", PID },       { "pm2 id", ID },           { "status", STATUS },
                      { "mode", MODE },           { "restarted", RESTARTS }, { "uptime", UPTIME }, { "memory usage", MEMORY }, { "watching", WATCHING } };

        for (size_t i = 0; i < l->n; i++) {
                _cleanup_(row_done) Row row = {};

                if (make_row(p, l->items + i, &row) < 0)
                        return ctl_oom(p->ctl);
                printf("+--- %s\n", row.cells[NAME]);
                for (size_t k = 0; k < ARRAY_SIZE(lines); k++)
                        printf("%s : %s\n", lines[k].title, row.cells[lines[k].column]);
                printf("error log : %s\n\n", pm2_log_path(l->items + i));
        }
        return 0;
}

/* ---- order ---- */

typedef struct Order {
        const char *field;
        bool down;
} Order;

static int compare_fields(const Pm2Process *a, const Pm2Process *b, const char *f) {
        if (streq(f, "id"))
                return (a->id > b->id) - (a->id < b->id);
        if (streq(f, "pid"))
                return (a->view.pid > b->view.pid) - (a->view.pid < b->view.pid);
        if (streq(f, "memory"))
                return (a->view.memory > b->view.memory) - (a->view.memory < b->view.memory);
        if (streq(f, "cpu"))
                return (a->view.cpu > b->view.cpu) - (a->view.cpu < b->view.cpu);
        if (streq(f, "uptime"))
                return (a->view.since > b->view.since) - (a->view.since < b->view.since);
        if (streq(f, "namespace"))
                return strcmp(a->view.ns, b->view.ns);
        return strcmp(streq(f, "status") ? a->status : a->view.name, streq(f, "status") ? b->status : b->view.name);
}

static int compare(const void *a, const void *b, void *order) {
        const Pm2Process *x = a, *y = b;
        const Order *o = order;
        int c = compare_fields(x, y, o->field);

        if (c == 0)
                return (x->id > y->id) - (x->id < y->id);
        return o->down ? -c : c;
}

static int sort_list(Pm2 *p, Pm2List *l) {
        static const char *const fields[] = { "name", "namespace", "pid", "id", "cpu", "memory", "uptime", "status" };
        const char *wanted = pm2_option(p, "sort") ?: "name";
        size_t n = strcspn(wanted, ":");

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (strlen(fields[i]) == n && strncmp(fields[i], wanted, n) == 0) {
                        qsort_r(l->items, l->n, sizeof(Pm2Process), compare, &(Order) { fields[i], streq(wanted + n, ":desc") });
                        return 0;
                }
        return pm2_fail(p, "--sort: %s is none of name, namespace, pid, id, cpu, memory, uptime, status", wanted);
}

int pm2_show_list(Pm2 *p) {
        _cleanup_pm2_list_ Pm2List l = {};
        int r;

        if (pm2_given(p, "silent"))
                return 0;
        r = pm2_list_fetch(p, &l);
        if (r >= 0)
                r = sort_list(p, &l);
        if (r != 0)
                return r;
        return pm2_given(p, "mini-list") ? print_mini(p, &l) : print_table(p, &l);
}

int pm2_ls(Pm2 *p) {
        json_object_object_del(p->set, "silent");
        return pm2_show_list(p);
}
