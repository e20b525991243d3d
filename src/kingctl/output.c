/* Owns the last step to the terminal. What must stay true: no byte that a service, a file or the daemon chose reaches a terminal as a
 * control character. */
#include <sys/ioctl.h>
#include <time.h>

#include "base/text.h"
#include "kingctl/output.h"

bool colour_wanted(FILE *f, bool no_color) {
        const char *never = getenv("NO_COLOR"), *term = getenv("TERM");

        return !no_color && !(never && *never) && term && !streq(term, "dumb") && isatty(fileno(f));
}

unsigned terminal_width(FILE *f) {
        const char *columns = getenv("COLUMNS");
        struct winsize w;
        uint64_t n;

        if (!isatty(fileno(f)))
                return 0;
        if (ioctl(fileno(f), TIOCGWINSZ, &w) >= 0 && w.ws_col > 0)
                return w.ws_col;
        return columns && parse_u64(columns, &n) >= 0 && n < 10000 ? (unsigned) n : 80;
}

const char *colour_begin(bool on, Colour c) {
        static const char *const sequences[_COLOUR_MAX] = {
                [COLOUR_NONE] = "",           [COLOUR_RED] = "\033[31m",  [COLOUR_GREEN] = "\033[32m",
                [COLOUR_YELLOW] = "\033[33m", [COLOUR_BLUE] = "\033[34m", [COLOUR_MAGENTA] = "\033[35m",
                [COLOUR_CYAN] = "\033[36m",   [COLOUR_DIM] = "\033[2m",   [COLOUR_BOLD] = "\033[1m",
        };

        return on ? sequences[c] : "";
}

const char *colour_end(bool on) {
        return on ? "\033[0m" : "";
}

Colour state_colour(const char *state) {
        static const struct {
                const char *state;
                Colour colour;
        } colours[] = {
                { "running", COLOUR_GREEN },  { "starting", COLOUR_YELLOW }, { "reloading", COLOUR_YELLOW }, { "stopping", COLOUR_YELLOW },
                { "waiting", COLOUR_YELLOW }, { "failed", COLOUR_RED },      { "stopped", COLOUR_DIM },
        };

        for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
                if (streq(colours[i].state, state))
                        return colours[i].colour;
        return COLOUR_NONE;
}

Colour name_colour(const char *name) {
        static const Colour palette[] = { COLOUR_CYAN, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_MAGENTA, COLOUR_BLUE };
        uint32_t h = 2166136261u;

        for (; *name; name++)
                h = (h ^ (uint8_t) *name) * 16777619u;
        return palette[h % ARRAY_SIZE(palette)];
}

void print_text(FILE *f, const char *s) {
        _cleanup_free_ char *e = text_escape(s, strlen(s));

        fputs(e ? e : "?", f);
}

void print_coloured(FILE *f, bool on, Colour c, const char *s) {
        on = on && c != COLOUR_NONE;
        fputs(colour_begin(on, c), f);
        print_text(f, s);
        fputs(colour_end(on), f);
}

void paragraph_break(Paragraph *p, bool another) {
        fputc('\n', p->f);
        p->column = another ? p->indent : 0;
        p->blanks = 0;
        fprintf(p->f, "%*s", (int) p->column, "");
}

/* Word by word, each with the blanks before it, which may be those of an earlier piece: a line's end stands in their place. */
void paragraph_add(Paragraph *p, Colour c, const char *text) {
        _cleanup_free_ char *escaped = text_escape(text, strlen(text));
        bool colour = p->colour && c != COLOUR_NONE;
        char *rest = escaped, *word;

        fputs(colour_begin(colour, c), p->f);
        while ((word = strsep(&rest, " "))) {
                size_t columns = utf8_columns(word);

                if (p->width > 0 && p->blanks > 0 && columns > 0 && p->column > p->indent && p->column + p->blanks + columns > p->width)
                        paragraph_break(p, true);
                if (columns > 0) {
                        fprintf(p->f, "%*s%s", (int) p->blanks, "", word);
                        p->column += p->blanks + columns;
                        p->blanks = 0;
                }
                p->blanks += rest != NULL;
        }
        fputs(colour_end(colour), p->f);
}

/* JSON has C0 controls escaped already; DEL and C1 (U+0080 to U+009F, C2 80 to C2 9F) stand as they are and only inside strings, where an
 * escape means the same. */
static void print_json_text(const char *s) {
        for (; *s; s++) {
                if (*s == 0x7f)
                        fputs("\\u007f", stdout);
                else if ((uint8_t) s[0] == 0xc2 && (uint8_t) s[1] >= 0x80 && (uint8_t) s[1] < 0xa0)
                        printf("\\u%04x", (uint8_t) * ++s);
                else
                        fputc(*s, stdout);
        }
}

static void print_document(json_object *o, int flags) {
        const char *s = json_object_to_json_string_ext(o, flags | JSON_C_TO_STRING_NOSLASHESCAPE);

        print_json_text(s ? s : "null");
        fputc('\n', stdout);
}

void print_json_line(json_object *o, bool newline) {
        const char *s = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

        print_json_text(s ? s : "null");
        if (newline)
                fputc('\n', stdout);
}

void print_json(int format, json_object *o) {
        if (format != OUTPUT_JSONL)
                print_document(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
        else if (!json_object_is_type(o, json_type_array))
                print_document(o, JSON_C_TO_STRING_PLAIN);
        else
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        print_document(json_object_array_get_idx(o, i), JSON_C_TO_STRING_PLAIN);
}

const char *format_local_time(char buf[FORMAT_MAX], usec_t realtime) {
        time_t t = (time_t) (realtime / USEC_PER_SEC);
        struct tm tm;
        size_t n;

        if (realtime == USEC_INFINITY || !localtime_r(&t, &tm))
                return strcpy(buf, "-");
        n = strftime(buf, FORMAT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
        snprintf(buf + n, FORMAT_MAX - n, ".%03u", (unsigned) (realtime % USEC_PER_SEC / USEC_PER_MSEC));
        return buf;
}

const char *format_ago(char buf[FORMAT_MAX], usec_t realtime) {
        usec_t now = now_usec(CLOCK_REALTIME), t = now > realtime ? now - realtime : 0;

        /* Below a minute tenths are noise. */
        return t < USEC_PER_SEC ? strcpy(buf, "0s") : format_span(buf, t - t % USEC_PER_SEC, false);
}

const char *format_due(char buf[FORMAT_MAX], usec_t realtime) {
        usec_t now = now_usec(CLOCK_REALTIME), left = realtime > now ? realtime - now : 0;
        time_t t = (time_t) (realtime / USEC_PER_SEC), today = (time_t) (now / USEC_PER_SEC);
        char span[FORMAT_MAX], at[20];
        struct tm then, tm;

        format_span(span, left < USEC_PER_SEC ? 0 : left - left % USEC_PER_SEC, false);
        if (left < USEC_PER_MINUTE || !localtime_r(&t, &then) || !localtime_r(&today, &tm)) {
                snprintf(buf, FORMAT_MAX, "in %.30s", left < USEC_PER_SEC ? "0s" : span);
                return buf;
        }
        strftime(at, sizeof(at), left > 6 * USEC_PER_DAY ? "%Y-%m-%d" : then.tm_mday == tm.tm_mday ? "%H:%M" : "%a %H:%M", &then);
        snprintf(buf, FORMAT_MAX, "in %.30s, %s", span, at);
        return buf;
}

const char *plural(int64_t n, const char *one, const char *many) {
        return n == 1 ? one : many;
}
