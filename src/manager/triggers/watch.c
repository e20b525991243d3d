/* See watch.h. What must stay true: a service that nobody wants up is left alone whatever changes; reading a large tree never holds up the loop. */
#include "base/strv.h"
#include "base/text.h"
#include "linux/tree.h"
#include "manager/events.h"
#include "manager/life/instance.h"
#include "manager/life/rolling.h"
#include "manager/life/service.h"
#include "manager/triggers/watch.h"
#include "model/ignore.h"

#define SCAN_BUDGET   64       /* directories read before others have their turn */
#define HEARD_INTERVAL (100 * USEC_PER_MSEC)  /* in which so many reads of changes are made: files that are written without end hold up nobody */
#define HEARD_MAX     20
#define NAMES         3        /* told with the event */
#define DEBOUNCE_MOST 10       /* a tree that never rests is acted upon after this many times the debounce */

typedef struct WatchedPath {
        Watch *watch;
        char *path;
        Tree *tree;            /* NULL: could not be watched */
        sd_event_source *io, *scan;
} WatchedPath;

struct Watch {
        Service *service;
        char **ignore;         /* the defaults, then the service's own */
        WatchedPath *paths;
        size_t n;
        sd_event_source *timer;
        usec_t first;          /* CLOCK_MONOTONIC, of the first change not acted upon; 0: none */
        char *names[NAMES];    /* of what changed */
        size_t n_names;
        unsigned more;         /* changes of others */
};

static void path_close(WatchedPath *p) {
        p->io = sd_event_source_disable_unref(p->io);
        p->scan = sd_event_source_disable_unref(p->scan);
        p->tree = tree_free(p->tree);
}

static void forget_changes(Watch *w) {
        for (size_t i = 0; i < w->n_names; i++)
                free(w->names[i]);
        w->n_names = w->more = 0;
        w->first = 0;
}

Watch *watch_free(Watch *w) {
        if (!w)
                return NULL;
        for (size_t i = 0; i < w->n; i++) {
                path_close(w->paths + i);
                free(w->paths[i].path);
        }
        sd_event_source_disable_unref(w->timer);
        forget_changes(w);
        strv_free(w->ignore);
        free(w->paths);
        free(w);
        return NULL;
}

/* ---- acting ---- */

static void remember(Watch *w, const char *path) {
        char *name;

        for (size_t i = 0; i < w->n_names; i++)
                if (streq(w->names[i], path))
                        return;
        name = w->n_names < NAMES ? strdup(*path ? path : "more than could be told") : NULL;
        if (name)
                w->names[w->n_names++] = name;
        else
                w->more++;
}

/* "a.js, b.js and 3 more"; malloc'ed. */
static char *changes_text(const Watch *w) {
        Buffer b = {};
        int r = buffer_printf(&b, "%s", "");

        for (size_t i = 0; i < w->n_names && r >= 0; i++)
                r = buffer_printf(&b, "%s%s", i > 0 ? ", " : "", w->names[i]);
        if (r >= 0 && w->more > 0)
                r = buffer_printf(&b, " and %u more", w->more);
        return b.data;
}

static void act(Watch *w) {
        _cleanup_free_ char *changes = changes_text(w);
        Service *s = w->service;
        int sig = s->spec->watch.signal;

        if (!s->wanted || s->deleting || s->manager->shutdown != SHUTDOWN_NO)
                return;
        if (!sig)
                (void) rolling_cancel(s, "watched files changed meanwhile");
        for (size_t k = 0; k < s->n_instances; k++) {
                Instance *i = s->instances[k];

                if (i->removing || !i->lc.wanted || (sig && !i->lc.main_alive))
                        continue;
                event_emit(s->manager, i, NULL, EVENT_CHANGED, "%s changed: %s", changes ?: "files",
                           sig ? signal_name(sig) : "restarting");
                if (sig)
                        (void) instance_signal(i, sig, STOP_MAIN);
                else
                        instance_order(i, EV_RESTART);
        }
}

static int on_quiet(sd_event_source *source, uint64_t usec, void *userdata) {
        Watch *w = userdata;

        act(w);
        forget_changes(w);
        return 0;
}

static int arm(Watch *w, usec_t at) {
        int r;

        if (w->timer) {
                r = sd_event_source_set_time(w->timer, at);
                return r < 0 ? r : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
        }
        r = sd_event_add_time(w->service->manager->event, &w->timer, CLOCK_MONOTONIC, at, USEC_PER_MSEC, on_quiet, w);
        return r < 0 ? r : sd_event_source_set_priority(w->timer, PRIORITY_TIMER);
}

static void on_changed(void *userdata, const char *path) {
        WatchedPath *p = userdata;
        Watch *w = p->watch;
        usec_t now = now_usec(CLOCK_MONOTONIC), debounce = w->service->spec->watch.debounce;

        if (w->first == 0)
                w->first = now;
        remember(w, path);
        if (arm(w, MIN(usec_add(now, debounce), usec_add(w->first, DEBOUNCE_MOST * debounce))) < 0)
                manager_problem(w->service->manager, "%s: out of memory: changes of its files go unnoticed", w->service->key);
}

static bool on_ignore(void *userdata, const char *path, bool directory) {
        const WatchedPath *p = userdata;

        return ignore_match(p->watch->ignore, path, directory);
}

/* ---- watching ---- */

/* Told with the events of the service; tried again at its next start. */
static void complain(WatchedPath *p, int r) {
        const Service *s = p->watch->service;
        const char *why = r == -ENOSPC ? "too many directories: raise the sysctl fs.inotify.max_user_watches, or ignore some" :
                          r == -EMFILE ? "too many watched paths: raise the sysctl fs.inotify.max_user_instances" : strerror(-r);

        if (s->n_instances > 0)
                event_emit(s->manager, s->instances[0], NULL, EVENT_UNWATCHED, "cannot watch %s: %s", p->path, why);
}

static int on_scan(sd_event_source *source, void *userdata) {
        WatchedPath *p = userdata;
        int r = tree_scan(p->tree, SCAN_BUDGET);

        if (r < 0)
                complain(p, r);
        if (r <= 0)
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        WatchedPath *p = userdata;
        int r = tree_process(p->tree);

        if (r > 0)
                (void) sd_event_source_set_enabled(p->scan, SD_EVENT_ON);
        if (r >= 0)
                return 0;
        complain(p, r == -EIDRM ? -ENOENT : r);
        path_close(p);
        return 0;
}

static int path_open(WatchedPath *p) {
        TreeCallbacks callbacks = { .ignore = on_ignore, .changed = on_changed, .userdata = p };
        sd_event *event = p->watch->service->manager->event;
        int r = tree_new(p->path, &callbacks, &p->tree);

        if (r >= 0)
                r = sd_event_add_io(event, &p->io, tree_fd(p->tree), EPOLLIN, on_event, p);
        if (r >= 0)
                r = sd_event_source_set_priority(p->io, PRIORITY_API);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(p->io, HEARD_INTERVAL, HEARD_MAX);
        if (r >= 0)
                r = sd_event_add_defer(event, &p->scan, on_scan, p);
        if (r >= 0)
                r = sd_event_source_set_priority(p->scan, PRIORITY_API);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->scan, SD_EVENT_ON);
        if (r < 0)
                path_close(p);
        return r;
}

static int take_patterns(Watch *w, char *const *own) {
        static const char *const defaults[] = { ".git", "node_modules" };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(defaults) && r >= 0; i++)
                r = strv_append(&w->ignore, defaults[i]);
        for (; own && *own && r >= 0; own++)
                r = strv_append(&w->ignore, *own);
        return r;
}

static int watch_new(Service *s, Watch **ret) {
        size_t n = strv_length(s->spec->watch.paths);
        Watch *w = calloc(1, sizeof(Watch));
        int r;

        if (!w)
                return -ENOMEM;
        *w = (Watch) { .service = s, .paths = calloc(n, sizeof(WatchedPath)) };
        r = w->paths ? take_patterns(w, s->spec->watch.ignore) : -ENOMEM;
        for (size_t i = 0; i < n && r >= 0; i++) {
                WatchedPath *p = w->paths + w->n++;

                *p = (WatchedPath) { .watch = w, .path = strdup(s->spec->watch.paths[i]) };
                r = p->path ? 0 : -ENOMEM;
        }
        if (r < 0) {
                watch_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

/* What is watched is what the spec says. */
static bool fits(const Watch *w, const ServiceSpec *s) {
        const size_t defaults = 2;

        if (!w || strv_length(s->watch.paths) != w->n || !strv_equal(w->ignore + defaults, s->watch.ignore))
                return w == NULL && strv_length(s->watch.paths) == 0;
        for (size_t i = 0; i < w->n; i++)
                if (!streq(w->paths[i].path, s->watch.paths[i]))
                        return false;
        return true;
}

static void open_missing(Watch *w) {
        for (size_t i = 0; i < w->n; i++) {
                int r = w->paths[i].tree ? 0 : path_open(w->paths + i);

                if (r < 0)
                        complain(w->paths + i, r);
        }
}

void watch_begin(Service *s) {
        Watch *w = s->watch;

        if (!w)
                return;
        open_missing(w);
        for (size_t i = 0; i < w->n; i++)
                if (w->paths[i].tree)
                        (void) on_event(w->paths[i].io, -EBADF, 0, w->paths + i);
        forget_changes(w);
        (void) (w->timer ? sd_event_source_set_enabled(w->timer, SD_EVENT_OFF) : 0);
}

void watch_update(Service *s) {
        int r = 0;

        if (fits(s->watch, s->spec))
                return;
        s->watch = watch_free(s->watch);
        if (strv_length(s->spec->watch.paths) > 0)
                r = watch_new(s, &s->watch);
        if (r < 0)
                manager_problem(s->manager, "%s: out of memory: its files are not watched", s->key);
        if (s->watch)
                open_missing(s->watch);
}
