/* See monit_view.h. Everything that a service chose (names it set, lines it wrote) is escaped before it is drawn; ncurses sends only what
 * changed, so nothing flickers. */
#include "kingctl/monit_view.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <time.h>

#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/table.h"

#define ROWS_MIN   5           /* lines for rows that the log leaves, where there are so many */
#define SPARK_WIDE 100         /* columns of a terminal from which on the sparkline has room */

static const char *const help[] = {
        "up, down, k, j      select", "page up, page down  ten at once", "home, end           the first, the last", "",
        "s   start           r   restart", "x   stop            R   reset counters", "+   one more        -   one less (instances)", "e   reload", "",
        "o   next order: name, cpu, memory, restarts, uptime", "/   filter by a part of name, namespace or state; enter ends, escape clears",
        "l   the log alone, or both", "q   quit", NULL,
};

bool monit_open(MonitScreen *s, bool colour) {
        if (!setlocale(LC_CTYPE, "") || !streq(nl_langinfo(CODESET), "UTF-8"))
                (void) setlocale(LC_CTYPE, "C.UTF-8");
        s->unicode = streq(nl_langinfo(CODESET), "UTF-8");
        if (!newterm(NULL, stdout, stdin))
                return false;
        cbreak();
        noecho();
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        set_escdelay(50);
        curs_set(0);
        s->colour = colour && has_colors();
        if (s->colour) {
                start_color();
                use_default_colors();
                for (short c = COLOR_RED; c <= COLOR_CYAN; c++)
                        init_pair(c, c, -1);
        }
        return true;
}

void monit_close(void) {
        endwin();
}

static attr_t attribute(const MonitScreen *s, Colour c) {
        static const attr_t pairs[] = {
                [COLOUR_RED] = COLOR_RED, [COLOUR_GREEN] = COLOR_GREEN, [COLOUR_YELLOW] = COLOR_YELLOW, [COLOUR_BLUE] = COLOR_BLUE,
                [COLOUR_MAGENTA] = COLOR_MAGENTA, [COLOUR_CYAN] = COLOR_CYAN,
        };

        if (c == COLOUR_DIM)
                return A_DIM;
        if (c == COLOUR_BOLD)
                return A_BOLD;
        return s->colour && c < (Colour) ARRAY_SIZE(pairs) && pairs[c] ? COLOR_PAIR(pairs[c]) : 0;
}

/* A text cut to its columns, the rest of them blank. */
static void put(int y, int x, int width, attr_t a, const char *text) {
        _cleanup_free_ char *clean = text_escape(text, strlen(text)), *cut = NULL;

        if (width <= 0 || x >= COLS)
                return;
        width = MIN(width, COLS - x);
        cut = clean ? text_ellipsize(clean, (size_t) width) : NULL;
        attron(a);
        mvhline(y, x, ' ', width);
        if (cut)
                mvaddstr(y, x, cut);
        attroff(a);
}

/* ---- the rows ---- */

typedef struct Column {
        const char *title;
        int width;             /* 0: what is left */
        bool right, spark;
} Column;

static const Column columns[] = {
        { "NAME", 0, false, false },   { "PID", 8, true, false },  { "STATE", 10, false, false }, { "UPTIME", 9, true, false },
        { "RESTARTS", 9, true, false }, { "CPU", 8, true, false },  { "MEM", 8, true, false },     { "", 24, false, true },
};

static int name_width(bool spark) {
        int used = 0;

        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
                used += columns[i].width > 0 && (spark || !columns[i].spark) ? columns[i].width + 1 : 0;
        return MAX(COLS - used - 1, 8);
}

static void put_cell(int y, int *x, const Column *c, int width, attr_t a, const char *text) {
        int room = (int) utf8_columns(text);

        if (c->right && room < width) {
                put(y, *x, width - room, a, "");
                put(y, *x + width - room, room + 1, a, text);
        } else
                put(y, *x, width + 1, a, text);
        *x += width + 1;
}

static void cell_text(const MonitScreen *s, const MonitRow *r, size_t column, char *buf, size_t size) {
        char format[FORMAT_MAX];

        *buf = '\0';
        switch (column) {
        case 1:
                if (r->pid > 0)
                        snprintf(buf, size, "%" PRIi64, r->pid);
                break;
        case 2:
                snprintf(buf, size, "%s", streq(r->state, "running") && !r->ready ? "not ready" : r->state);
                break;
        case 3:
                snprintf(buf, size, "%s", state_lives(r->state) && r->since > 0 ? format_ago(format, r->since) : "");
                break;
        case 4:
                snprintf(buf, size, "%" PRIi64, r->restarts);
                break;
        case 5:
                if (r->cpu >= 0)
                        snprintf(buf, size, "%.1f%%", r->cpu);
                break;
        case 6:
                if (r->memory >= 0)
                        snprintf(buf, size, "%s", format_size(format, (uint64_t) r->memory, false));
                break;
        case 7:
                monit_sparkline(r, 24, s->unicode, buf);
                break;
        }
}

static void draw_row(const MonitScreen *s, int y, const MonitRow *r, bool selected) {
        bool spark = COLS >= SPARK_WIDE;
        char buf[128];
        int x = 0;

        for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
                attr_t a = i == 2 ? attribute(s, state_colour(r->state)) : i == 4 && r->restarts > 0 ? attribute(s, COLOUR_YELLOW) : 0;

                if (columns[i].spark && !spark)
                        continue;
                if (i == 0)
                        snprintf(buf, sizeof buf, "%s%s", s->rows->n_namespaces > 1 ? "  " : "", r->label);
                else
                        cell_text(s, r, i, buf, sizeof buf);
                put_cell(y, &x, columns + i, columns[i].width ?: name_width(spark), a | (selected ? A_REVERSE : 0), buf);
        }
        put(y, x, COLS - x, selected ? A_REVERSE : 0, "");
}

static void draw_titles(int y) {
        bool spark = COLS >= SPARK_WIDE;
        int x = 0;

        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
                if (!columns[i].spark || spark)
                        put_cell(y, &x, columns + i, columns[i].width ?: name_width(spark), A_BOLD, columns[i].title);
        put(y, x, COLS - x, 0, "");
}

/* Lines that the shown rows up to `row` take, with a line for each namespace that begins. */
static size_t line_of(const MonitRows *m, size_t row) {
        const char *ns = "";
        size_t line = 0, at = 0;

        for (size_t i = 0; i < m->n; i++) {
                if (!m->rows[i]->shown)
                        continue;
                if (m->n_namespaces > 1 && !streq(ns, m->rows[i]->ns))
                        line++;
                ns = m->rows[i]->ns;
                if (at++ == row)
                        return line;
                line++;
        }
        return line;
}

static void draw_rows(MonitScreen *s, int from, int height) {
        const MonitRows *m = s->rows;
        size_t selected = line_of(m, monit_rows_position(m)), line = 0;
        const char *ns = "";
        int y = 0;

        if (selected < s->top + (m->n_namespaces > 1))
                s->top = selected - MIN(selected, (size_t) (m->n_namespaces > 1));
        if (selected >= s->top + (size_t) height)
                s->top = selected - (size_t) height + 1;
        for (size_t i = 0; i < m->n; i++) {
                const MonitRow *r = m->rows[i];

                if (!r->shown)
                        continue;
                if (m->n_namespaces > 1 && !streq(ns, r->ns) && line++ >= s->top && y < height)
                        put(from + y++, 0, COLS, attribute(s, COLOUR_CYAN), r->ns);
                ns = r->ns;
                if (line++ >= s->top && y < height)
                        draw_row(s, from + y++, r, m->selected && streq(m->selected, r->key));
        }
        for (; y < height; y++)
                put(from + y, 0, COLS, 0, "");
}

/* ---- the log ---- */

static void draw_entry(const MonitScreen *s, int y, json_object *entry) {
        int64_t time = field_number(entry, "time_usec", -1);
        bool error = streq(field_text(entry, "stream"), "err");
        char buf[FORMAT_MAX];
        int x = 0;

        if (time >= 0 && COLS > 40) {
                const char *clock = format_local_time(buf, (usec_t) time);

                put(y, 0, 13, A_DIM, clock + MIN(strlen(clock), (size_t) 11));
                x = 13;
        }
        put(y, x, COLS - x, error ? attribute(s, COLOUR_RED) : 0, field_text(entry, "message"));
}

static void draw_log(const MonitScreen *s, int from, int height) {
        size_t n = array_length(s->log), skip = n > (size_t) height ? n - (size_t) height : 0;
        int y = 0;

        for (size_t i = skip; i < n; i++)
                draw_entry(s, from + y++, json_object_array_get_idx(s->log, i));
        for (; y < height; y++)
                put(from + y, 0, COLS, 0, "");
}

/* ---- the whole ---- */

static int rows_height(const MonitScreen *s) {
        int room = LINES - 4, wanted = (int) line_of(s->rows, SIZE_MAX), least = MIN(room, ROWS_MIN), most = MAX(room / 2, least);

        return s->mode == MODE_BOTH ? MIN(wanted, most) : 0;
}

unsigned monit_log_lines(const MonitScreen *s) {
        int n = s->mode == MODE_LOG ? LINES - 3 : LINES - 4 - rows_height(s);

        return (unsigned) MAX(n, 1);
}

static void draw_head(const MonitScreen *s) {
        const MonitRows *m = s->rows;
        time_t now = time(NULL);
        struct tm tm;
        char text[256], clock[16] = "";

        if (localtime_r(&now, &tm))
                strftime(clock, sizeof clock, "%H:%M:%S", &tm);
        snprintf(text, sizeof text, " kingly  %zu instances, %zu running%s  by %s%s%s%s", m->n, m->n_running, m->n_wrong > 0 ? "" : ", all well",
                 monit_order_name(m->order), m->filter ? "  filter: " : "", m->filter ?: "", *s->isolation ? "" : "");
        put(0, 0, COLS, A_REVERSE, text);
        if (m->n_wrong > 0) {
                snprintf(text, sizeof text, " %zu wrong ", m->n_wrong);
                put(0, MAX(COLS - 32, 0), (int) strlen(text), A_REVERSE | A_BOLD | attribute(s, COLOUR_RED), text);
        }
        snprintf(text, sizeof text, "%s %s ", s->isolation, clock);
        put(0, MAX(COLS - 20, 0), 20, A_REVERSE, text);
}

static void draw_foot(const MonitScreen *s) {
        _cleanup_free_ char *prompt = s->input ? text_printf("/%s_", s->input) : NULL;

        put(LINES - 1, 0, COLS, s->message && !s->input ? A_BOLD : A_DIM,
            prompt ?: s->message ?: " q quit  s start  x stop  r restart  e reload  + - scale  o order  / filter  ? help");
}

static void draw_help(void) {
        int y = 2;

        for (int i = 1; i < LINES - 1; i++)
                put(i, 0, COLS, 0, "");
        for (size_t i = 0; help[i] && y < LINES - 1; i++, y++)
                put(y, 2, COLS - 2, 0, help[i]);
}

void monit_draw(MonitScreen *s) {
        int height = rows_height(s), y = 1;
        char title[200];

        draw_head(s);
        if (s->mode == MODE_HELP)
                draw_help();
        else {
                if (s->mode == MODE_BOTH) {
                        draw_titles(y++);
                        draw_rows(s, y, height);
                        y += height;
                }
                snprintf(title, sizeof title, "%s %s ", s->unicode ? "──" : "--", s->log_label ?: "no service");
                put(y++, 0, COLS, attribute(s, COLOUR_CYAN), title);
                draw_log(s, y, MAX(LINES - 1 - y, 0));
        }
        draw_foot(s);
        refresh();
}
