/* Must stay true: a line is searched as it is shown, without the colours that its writer gave it. */
#include "kingctl/log_filter.h"

#include <locale.h>
#include <syslog.h>

#include "kingctl/log_text.h"
#include "kingctl/reply.h"

static const char *const priorities[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

static int parse_priority(const char *word, int *ret, KlError *reterr) {
        for (int i = 0; i < (int) ARRAY_SIZE(priorities); i++)
                if (streq(word, priorities[i]) || (word[0] == '0' + i && !word[1])) {
                        *ret = i;
                        return 0;
                }
        kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--priority: \"%s\" is no priority", word);
        kl_error_hint(reterr, "emerg, alert, crit, err, warning, notice, info, debug, or 0 to 7");
        return -EINVAL;
}

static bool is_ascii(const char *s) {
        for (; *s; s++)
                if ((uint8_t) *s >= 0x80)
                        return false;
        return true;
}

static int compile(LogFilter *f, const Options *o, KlError *reterr) {
        char text[200];
        int error;

        /* Bytes are many times faster to search than characters, and the same where the pattern has but ASCII. */
        if (!is_ascii(o->grep))
                (void) setlocale(LC_CTYPE, "C.UTF-8");
        error = regcomp(&f->pattern, o->grep, REG_EXTENDED | REG_NEWLINE | REG_NOSUB | (o->ignore_case ? REG_ICASE : 0));
        if (error) {
                (void) regerror(error, &f->pattern, text, sizeof(text));
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--grep: %s: %s", o->grep, text);
        }
        f->by_text = true;
        f->invert = o->invert;
        return 0;
}

int log_filter_init(LogFilter *f, const Options *o, KlError *reterr) {
        int r = 0;

        *f = (LogFilter){ .stream = !o->stream ? -1 : streq(o->stream, "err"), .priority = -1 };
        if ((o->ignore_case || o->invert) && !o->grep)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "--%s: needs --grep", o->invert ? "invert" : "ignore-case");
        if (o->priority)
                r = parse_priority(o->priority, &f->priority, reterr);
        return r >= 0 && o->grep ? compile(f, o, reterr) : r;
}

void log_filter_done(LogFilter *f) {
        if (f->by_text)
                regfree(&f->pattern);
        f->by_text = false;
}

bool log_filter_open(const LogFilter *f) {
        return f->stream < 0 && f->priority < 0 && !f->by_text;
}

static bool matches(const LogFilter *f, json_object *entry) {
        const char *message = field_text(entry, "message");
        _cleanup_free_ char *plain = NULL;

        if (strchr(message, '\033')) {
                plain = strdup(message);
                if (plain)
                        message = log_text_uncolour(plain);
        }
        return (regexec(&f->pattern, message, 0, NULL, 0) == 0) != f->invert;
}

bool log_filter_wants(const LogFilter *f, json_object *entry) {
        bool error = streq(field_text(entry, "stream"), "err");

        if (f->stream >= 0 && f->stream != error)
                return false;
        if (f->priority >= 0 && field_number(entry, "priority", error ? LOG_WARNING : LOG_INFO) > f->priority)
                return false;
        return !f->by_text || matches(f, entry);
}
