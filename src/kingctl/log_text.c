/* Must stay true: nothing that a service wrote reaches a terminal as a control character, whatever it is mixed with. */
#include "kingctl/log_text.h"

#include "base/text.h"

/* The length of such a sequence at s, or 0. */
static size_t colour_sequence(const char *s) {
        size_t n;

        if (s[0] != '\033' || s[1] != '[')
                return 0;
        n = 2 + strspn(s + 2, "0123456789;:");
        return s[n] == 'm' ? n + 1 : 0;
}

char *log_text_uncolour(char *s) {
        char *to = s;

        for (const char *from = s; *from;) {
                size_t n = colour_sequence(from);

                if (n == 0)
                        *to++ = *from;
                from += n ? n : 1;
        }
        *to = '\0';
        return s;
}

static void print_line(FILE *f, const char *line, size_t n) {
        _cleanup_free_ char *plain = NULL, *shown = NULL;

        n -= n > 0 && line[n - 1] == '\r';
        plain = strndup(line, n);
        if (plain)
                (void) log_text_uncolour(plain);
        shown = plain ? text_escape(plain, strlen(plain)) : NULL;
        fputs(shown ? shown : "?", f);
}

void log_text_print(FILE *f, const char *message, unsigned indent) {
        for (;;) {
                const char *newline = strchrnul(message, '\n');

                print_line(f, message, (size_t) (newline - message));
                if (!*newline)
                        return;
                fprintf(f, "\n%*s", (int) indent, "");
                message = newline + 1;
        }
}
