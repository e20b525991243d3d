/* kingd-probe KEY=VALUE…: one try of an http probe over TLS. It says in one line what was answered, and ends with 0, with 1 when that is no success, or with 2
 * when it was asked in vain. Started by the manager, beside the service, as the command of an exec probe is. */
#include <signal.h>
#include <stdio.h>

#include "base/text.h"
#include "probe/command.h"
#include "probe/tls.h"

#define EXIT_USAGE 2
#define TEXT_MAX 256

int main(int argc, char **argv) {
        _cleanup_(probe_spec_freep) ProbeSpec *p = NULL;
        _cleanup_error_ KlError e = {};
        _cleanup_free_ char *shown = NULL;
        char text[TEXT_MAX] = "";
        bool passed;
        int r;

        if (argc == 2 && streq(argv[1], "--version")) {
                printf(PROBE_PROGRAM " %s\n", KINGLY_VERSION);
                return EXIT_SUCCESS;
        }
        r = probe_command_parse(argv + 1, getenv(PROBE_HEADERS_ENV), &p, &e);
        if (r < 0) {
                fprintf(stderr, PROBE_PROGRAM ": %s\n", e.message ?: strerror(-r));
                return EXIT_USAGE;
        }
        (void) signal(SIGPIPE, SIG_IGN);
        passed = tls_ask(p, text, sizeof text);
        shown = text_escape(text, strlen(text));
        puts(shown ?: "");
        return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
