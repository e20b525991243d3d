/* Hooks and reloads elsewhere. systemd has them nearly as they are; engines of containers run what is inside of the image after the start and before the
 * stop. Whatever else there is, is named. */
#include "export/exporter.h"

/* ---- systemd ---- */

/* A dash in front: a failure of it changes nothing, as here. */
static const struct { const char *key, *name; HookKind hook; } unit_names[] = {
        { "hooks.pre_start", "ExecStartPre=", HOOK_PRE_START }, { "hooks.post_start", "ExecStartPost=-", HOOK_POST_START },
        { "hooks.pre_stop", "ExecStop=-", HOOK_PRE_STOP },      { "hooks.post_stop", "ExecStopPost=-", HOOK_POST_STOP },
        { "hooks.on_exit", "ExecStopPost=-", HOOK_ON_EXIT },    { "reload.command", "ExecReload=", HOOK_RELOAD },
};

static int unit_hook(Exporter *x, const SpecKey *k) {
        for (size_t i = 0; i < ARRAY_SIZE(unit_names); i++)
                if (streq(unit_names[i].key, k->path) && spec_hook(x->spec, unit_names[i].hook))
                        return unit_words(x, SECTION_SERVICE, unit_names[i].name, spec_hook(x->spec, unit_names[i].hook));
        return 0;
}

static int unit_on_failure(Exporter *x, const SpecKey *k) {
        return export_note(x, "hooks.on_failure: make a unit of it, and name that in OnFailure=");
}

static int unit_reload(Exporter *x, const SpecKey *k) {
        _cleanup_free_ char *name = NULL;
        int r;

        if (x->spec->reload.by != RELOAD_BY_SIGNAL)
                return x->spec->reload.by == RELOAD_BY_COMMAND ? 0 : export_note_key(x, k);
        r = spec_scalar_format(spec_key_find("reload.signal"), x->spec, &name);
        return r < 0 ? r : buffer_printf(&x->sections[SECTION_SERVICE], "ExecReload=/bin/kill -s %s $MAINPID\n", startswith(name, "SIG") ?: name);
}

static int unit_reload_signal(Exporter *x, const SpecKey *k) {
        return x->spec->reload.by == RELOAD_BY_SIGNAL ? 0 : export_note_key(x, k);
}

const ExportRow unit_hook_rows[] = {
        { "hooks.pre_start", NULL, unit_hook },   { "hooks.post_start", NULL, unit_hook }, { "hooks.pre_stop", NULL, unit_hook },
        { "hooks.post_stop", NULL, unit_hook },   { "hooks.on_exit", NULL, unit_hook },    { "hooks.on_failure", NULL, unit_on_failure },
        { "reload.by", NULL, unit_reload },       { "reload.signal", NULL, unit_reload_signal }, { "reload.command", NULL, unit_hook },
        {},
};

/* ---- Kubernetes ---- */

/* Of the container (v1.Lifecycle); a postStart that fails kills it there. */
static int kubernetes_hook(Exporter *x, const SpecKey *k) {
        bool start = streq(k->path, "hooks.post_start");
        int r = export_set(x->container, start ? "lifecycle.postStart.exec.command" : "lifecycle.preStop.exec.command",
                           export_strv(spec_hook(x->spec, start ? HOOK_POST_START : HOOK_PRE_STOP)));

        if (r >= 0 && start)
                r = export_note(x, "hooks.post_start: if it fails, Kubernetes ends the container");
        return r;
}

static int in_grace(Exporter *x, const SpecKey *k) {
        return export_note(x, "hooks.timeout: the time of a preStop is part of the grace period, which is stop.timeout");
}

const ExportRow kubernetes_hook_rows[] = {
        { "hooks.post_start", NULL, kubernetes_hook }, { "hooks.pre_stop", NULL, kubernetes_hook }, { "hooks.timeout", NULL, in_grace }, {},
};
