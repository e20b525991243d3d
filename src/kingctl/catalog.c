/* The message catalogue of our events (https://systemd.io/CATALOG/): what `journalctl -x` tells of them. */
#include <stdio.h>

#include "kingctl/verbs.h"
#include "model/event_kind.h"

#define WIDTH 79

/* Folded at blanks. */
static void print_folded(const char *s) {
        while (*s) {
                size_t n = strlen(s), end = n;

                if (n > WIDTH)
                        for (end = WIDTH; end > 1 && s[end] != ' ';)
                                end--;
                printf("%.*s\n", (int) end, s);
                s += end + (s[end] == ' ');
        }
}

int verb_catalog(Ctl *ctl, char **args) {
        puts("# What the events of Kingly mean, for journalctl -x. Made from the table of kinds; see systemd's journalctl(1), --update-catalog.");
        for (EventKind k = 0; k < _EVENT_KIND_MAX; k++) {
                const EventInfo *e = event_info(k);

                printf("\n-- %s\nSubject: %s\nDefined-By: Kingly\nDocumentation: man:kingctl(1)\n\n", e->id, e->subject);
                print_folded(e->text);
        }
        return 0;
}
