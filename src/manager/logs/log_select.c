/* What a stream of logs is made of: parameters, selection, sources; those too that only come while somebody follows. */
#include "base/strv.h"
#include "base/text.h"
#include "manager/api/api.h"
#include "manager/api/params.h"
#include "manager/logs/collector.h"
#include "manager/logs/log_stream.h"

#define LINES_DEFAULT 20
#define END_GRACE USEC_PER_SEC          /* the journal says when it heard of a line */

static int parse_arguments(LogStream *s, json_object *p, KlError *reterr) {
        const char *stream = NULL;
        LogStart *a = &s->start;
        bool follow = false;
        int r;

        a->lines = LINES_DEFAULT;
        if ((r = json_get_u64(p, "lines", &a->lines, reterr)) < 0 || (r = json_get_u64(p, "since_usec", &a->since, reterr)) < 0 ||
            (r = json_get_u64(p, "until_usec", &a->until, reterr)) < 0 || (r = json_get_array(p, "after", &a->after, reterr)) < 0 ||
            (r = json_get_bool(p, "follow", &follow, reterr)) < 0 || (r = json_get_string(p, "stream", &stream, reterr)) < 0 ||
            (r = json_get_strv(p, "contains", &s->contains, reterr)) < 0 || (r = json_get_bool(p, "fold", &s->fold, reterr)) < 0)
                return r;
        s->follow = follow && varlink_call_more(s->call);
        s->end = s->follow ? 0 : now_usec(CLOCK_REALTIME) + END_GRACE;
        s->stream = !stream ? -1 : streq(stream, "out") ? 0 : streq(stream, "err") ? 1 : -2;
        if (s->stream == -2)
                return kl_error_set(reterr, -EINVAL, KL_E_INVALID, "stream: neither out nor err: %s", stream);
        return 0;
}

static LogSource *source_of(const LogStream *s, const Instance *i) {
        for (size_t k = 0; k < s->n; k++)
                if (log_source_serves(s->sources[k], i))
                        return s->sources[k];
        return NULL;
}

void log_stream_tell(LogStream *s, const char *text) {
        for (size_t k = 0; s->notices && k < json_object_array_length(s->notices); k++)
                if (streq(json_object_get_string(json_object_array_get_idx(s->notices, k)), text))
                        return;
        if (s->notices || (s->notices = json_object_new_array()))
                json_push(s->notices, json_object_new_string(text));
}

/* Why a service that was asked for by name shows nothing. Once, however many instances of it were named. */
static void explain_absent(LogStream *s, const Service *service) {
        const Service *collector = service->spec->log.to == LOG_TO_EXEC ? collector_of(service) : NULL;
        const char *name = service->spec->name;
        _cleanup_free_ char *text = NULL;

        if (service->spec->log.to == LOG_TO_NONE)
                text = text_printf("%s: log.to is none: its output is kept nowhere", name);
        else if (service->spec->log.to == LOG_TO_INHERIT)
                text = text_printf("%s: its output is that of kingd itself", name);
        else if (collector)
                text = text_printf("%s: its output goes to the collector %s", name, collector->spec->name);
        if (text)
                log_stream_tell(s, text);
}

static int announce(LogStream *s, const Instance *i) {
        if (!s->origins && !(s->origins = json_object_new_array()))
                return -ENOMEM;
        json_push(s->origins, log_origin_json(i));
        return 1;
}

/* 1 when it is new here. */
static int add_source(LogStream *s, const Instance *i, const LogStart *start) {
        LogSource **list, *known = source_of(s, i);
        int to = i->service->spec->log.to, r;

        if (to == LOG_TO_NONE || to == LOG_TO_EXEC || to == LOG_TO_INHERIT || (known && log_source_wants(known, i->index)))
                return 0;
        if (known) {
                r = log_source_want(known, i->index);
                return r < 0 ? r : announce(s, i);
        }
        list = reallocarray(s->sources, s->n + 1, sizeof(LogSource *));
        if (!list)
                return -ENOMEM;
        s->sources = list;
        r = log_source_open(i, start, s->sources + s->n);
        if (r < 0)
                return r;
        s->n++;
        if (s->follow && (r = log_stream_watch(s, s->sources[s->n - 1])) < 0)
                return r;
        return announce(s, i);
}

static int add_selected(LogStream *s, char *const *selectors, bool named, KlError *reterr) {
        _cleanup_selection_ Selection selection = {};
        int r = selection_resolve(s->manager, selectors, s->ns, &selection, reterr);

        for (size_t k = 0; r >= 0 && k < selection.n; k++) {
                const Service *service = selection.items[k]->service;
                const char *key = service->key;

                r = add_source(s, selection.items[k], &s->start);
                if (r == -EINVAL && s->start.after)
                        return kl_error_set(reterr, r, KL_E_INVALID, "after: not a cursor of %s", key);
                if (r < 0)
                        return kl_error_set(reterr, r, KL_E_FAILED, "cannot read the log of %s: %s", key, strerror(-r));
                if (named)
                        explain_absent(s, service);
        }
        return MIN(r, 0);
}

int log_stream_select(LogStream *s, json_object *parameters, KlError *reterr) {
        _cleanup_strv_ char **selectors = NULL;
        int r;

        if ((r = parse_arguments(s, parameters, reterr)) < 0 || (r = params_selectors(parameters, &selectors, &s->ns, reterr)) < 0)
                return r;
        s->selectors = calloc(strv_length(selectors) + 1, sizeof(Selector));
        if (!s->selectors)
                return -ENOMEM;
        for (char **text = selectors; text && *text; text++) {
                Selector *one = s->selectors + s->n_selectors;

                r = selector_parse(*text, s->ns, one, reterr);
                if (r < 0)
                        return r;
                s->n_selectors++;
                r = add_selected(s, (char *[]) { *text, NULL }, !one->pattern && !one->everything, reterr);
                /* Who follows a pattern may wait for the first that matches. */
                if (r == -ENOENT && s->follow && (one->pattern || one->everything))
                        kl_error_done(reterr);
                else if (r < 0)
                        return r;
        }
        s->start.after = NULL; /* borrowed from the parameters */
        return s->n_selectors > 0 ? 0 : add_selected(s, NULL, false, reterr);
}

static bool selected(const LogStream *s, const Instance *i) {
        const ServiceSpec *spec = i->service->spec;

        for (size_t k = 0; k < s->n_selectors; k++) {
                const Selector *one = s->selectors + k;

                if (selector_matches(one, spec->ns, spec->name) && (one->instance < 0 || one->instance == i->index))
                        return true;
        }
        return s->n_selectors == 0 && (!s->ns || streq(s->ns, spec->ns));
}

void log_stream_join(LogStream *s, const Instance *i) {
        const LogStart now = {};

        if (s->follow && selected(s, i) && add_source(s, i, &now) > 0)
                (void) sd_event_source_set_enabled(s->turn, SD_EVENT_ON);
}
