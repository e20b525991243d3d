#include "manager/reload.h"

#include "base/text.h"
#include "manager/instance.h"

static bool has_way(const ServiceSpec *s) {
        return s->reload.by == RELOAD_BY_SIGNAL || s->reload.by == RELOAD_BY_COMMAND || (s->type == SERVICE_SIMPLE && s->ready_by == READY_NOTIFY);
}

/* A signal to one that says nothing about it: that it was sent is all that can be known. */
static bool answers(const ServiceSpec *s) {
        return s->reload.by == RELOAD_BY_COMMAND || s->ready_by == READY_NOTIFY;
}

void reload_order(Instance *i) {
        if (has_way(i->service->spec) && lifecycle_heeds(&i->lc, EV_RELOAD))
                instance_event(i, EV_RELOAD);
}

static char *why_not(const Instance *i) {
        const ServiceSpec *s = i->service->spec;
        char span[FORMAT_MAX];

        if (!has_way(s))
                return strdup("has no way to reload: set reload.by to signal, command or rolling, or restart it");
        if (i->lc.state != LC_RUNNING)
                return strdup("is not running");
        if (i->lc.reload_end == RELOAD_TIMEOUT)
                return text_printf("did not reload within %s", format_span(span, s->reload.timeout, false));
        return strdup("could not reload: reload.command failed");
}

int reload_judge(const Instance *i, char **ret_error) {
        const ServiceSpec *s = i->service->spec;

        if (has_way(s) && i->lc.state == LC_RELOADING)
                return 0;
        if (has_way(s) && i->lc.state == LC_RUNNING && (!answers(s) || i->lc.reload_end == RELOAD_OK))
                return 1;
        *ret_error = why_not(i);
        return -1;
}
