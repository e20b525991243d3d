#include "manager/life/reload.h"

#include "base/text.h"
#include "manager/life/hooks.h"
#include "manager/life/instance.h"

/* One that speaks sd_notify is told without having been asked for it in its file, unless that would end it. */
static bool has_way(const Instance *i) {
        const ServiceSpec *s = i->service->spec;

        if (s->reload.by == RELOAD_BY_SIGNAL || s->reload.by == RELOAD_BY_COMMAND)
                return true;
        return s->type == SERVICE_SIMPLE && s->ready_by == READY_NOTIFY && i->main.pid > 0 && process_catches(i->main.pid, s->reload.signal) > 0;
}

/* A signal to one that says nothing about it: that it was sent is all that can be known. */
static bool answers(const ServiceSpec *s) {
        return s->reload.by == RELOAD_BY_COMMAND || s->ready_by == READY_NOTIFY;
}

void reload_order(Instance *i) {
        if (has_way(i) && lifecycle_heeds(&i->lc, EV_RELOAD))
                instance_event(i, EV_RELOAD);
}

static char *why_not(const Instance *i) {
        const ServiceSpec *s = i->service->spec;
        char span[FORMAT_MAX];

        if (i->lc.state != LC_RUNNING && i->lc.state != LC_RELOADING)
                return strdup("is not running");
        if (!has_way(i))
                return strdup("has no way to reload: set reload.by to signal, command or rolling, or restart it");
        if (i->lc.reload_end == RELOAD_TIMEOUT)
                return text_printf("did not reload within %s", format_span(span, s->reload.timeout, false));
        return text_printf("reload.command failed: %s", hooks_failure(i, HOOK_RELOAD) ?: "its outcome is not known");
}

int reload_judge(const Instance *i, char **ret_error) {
        const ServiceSpec *s = i->service->spec;

        if (i->lc.state == LC_RELOADING)
                return 0;
        if (i->lc.state == LC_RUNNING && has_way(i) && (!answers(s) || i->lc.reload_end == RELOAD_OK))
                return 1;
        *ret_error = why_not(i);
        return -1;
}
