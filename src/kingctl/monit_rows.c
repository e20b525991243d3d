/* See monit_rows.h. What must stay true: a row lives as long as its instance is told, so that its history and the selection stay with it. */
#include "kingctl/monit_rows.h"

#include "base/text.h"

static const char *const order_names[] = {
        [ORDER_NAME] = "name", [ORDER_CPU] = "cpu", [ORDER_MEMORY] = "memory", [ORDER_RESTARTS] = "restarts", [ORDER_UPTIME] = "uptime",
};

const char *monit_order_name(MonitOrder o) {
        return order_names[o];
}

static MonitRow *row_free(MonitRow *r) {
        if (!r)
                return NULL;
        free(r->key);
        free(r->label);
        free(r->name);
        free(r->ns);
        free(r->state);
        free(r->status);
        free(r);
        return NULL;
}

void monit_rows_done(MonitRows *m) {
        for (size_t i = 0; i < m->n; i++)
                row_free(m->rows[i]);
        free(m->rows);
        free(m->filter);
        free(m->selected);
        *m = (MonitRows) {};
}

static MonitRow *find(const MonitRows *m, const char *key) {
        for (size_t i = 0; key && i < m->n; i++)
                if (streq(m->rows[i]->key, key))
                        return m->rows[i];
        return NULL;
}

static MonitRow *add(MonitRows *m, const char *key, const InstanceView *v) {
        MonitRow **rows = reallocarray(m->rows, m->n + 1, sizeof(MonitRow *)), *r;

        if (!rows)
                return NULL;
        m->rows = rows;
        r = calloc(1, sizeof(MonitRow));
        if (!r)
                return NULL;
        r->key = strdup(key);
        r->name = strdup(v->name);
        r->ns = strdup(v->ns);
        r->instance = v->instance;
        if (!r->key || !r->name || !r->ns)
                return row_free(r);
        return rows[m->n++] = r;
}

static int replace(char **field, const char *text) {
        char *copy;

        if (*field && streq(*field, text))
                return 0;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int refresh(MonitRow *r, const InstanceView *v, const Census *census) {
        _cleanup_free_ char *label = instance_name(NULL, v->name, v->instance, census_instances(census, v->ns, v->name) < 2);

        if (!label || replace(&r->label, label) < 0 || replace(&r->state, v->state) < 0 || replace(&r->status, v->status) < 0)
                return -ENOMEM;
        r->pid = v->pid;
        r->restarts = v->restarts;
        r->memory = v->memory;
        r->tasks = v->tasks;
        r->since = v->since;
        r->cpu = v->cpu;
        r->ready = v->ready;
        r->present = true;
        r->newest = (r->newest + 1) % MONIT_HISTORY;
        r->history[r->newest] = v->cpu < 0 ? 0 : v->cpu > 255 ? 255 : (uint8_t) (v->cpu + 0.5);
        r->samples = MIN(r->samples + 1, (unsigned) MONIT_HISTORY);
        return 0;
}

/* ---- order and filter ---- */

static int sign(double a, double b) {
        return (a > b) - (a < b);
}

static int compare_by(const MonitRow *a, const MonitRow *b, MonitOrder o) {
        switch (o) {
        case ORDER_CPU:
                return sign(b->cpu, a->cpu);
        case ORDER_MEMORY:
                return sign((double) b->memory, (double) a->memory);
        case ORDER_RESTARTS:
                return sign((double) b->restarts, (double) a->restarts);
        case ORDER_UPTIME:
                return sign((double) b->since, (double) a->since);
        default:
                return 0;
        }
}

static int compare(const void *x, const void *y, void *order) {
        const MonitRow *a = *(MonitRow *const *) x, *b = *(MonitRow *const *) y;
        int r = strcmp(a->ns, b->ns);

        if (r == 0)
                r = compare_by(a, b, *(MonitOrder *) order);
        if (r == 0)
                r = strcmp(a->name, b->name);
        return r ?: sign((double) a->instance, (double) b->instance);
}

static bool passes(const MonitRows *m, const MonitRow *r) {
        return !m->filter || strstr(r->label, m->filter) || strstr(r->ns, m->filter) || strstr(r->state, m->filter);
}

/* What is selected must be seen: if it is not, what stands where it stood is. */
static void settle(MonitRows *m, size_t position) {
        MonitRow *r = find(m, m->selected);

        if (r && r->shown)
                return;
        free(m->selected);
        m->selected = NULL;
        for (size_t i = 0; i < m->n; i++)
                if (m->rows[i]->shown) {
                        r = m->rows[i];
                        if (position-- == 0)
                                break;
                }
        if (r && r->shown)
                m->selected = strdup(r->key);
}

static void arrange(MonitRows *m, size_t position) {
        if (m->n > 0)
                qsort_r(m->rows, m->n, sizeof(MonitRow *), compare, &m->order);
        for (size_t i = 0; i < m->n; i++)
                m->rows[i]->shown = passes(m, m->rows[i]);
        settle(m, position);
}

static void drop_absent(MonitRows *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->n; i++)
                if (m->rows[i]->present)
                        m->rows[n++] = m->rows[i];
                else {
                        if (m->selected && streq(m->selected, m->rows[i]->key)) {
                                free(m->selected);
                                m->selected = NULL;
                        }
                        row_free(m->rows[i]);
                }
        m->n = n;
}

int monit_rows_update(MonitRows *m, json_object *instances) {
        _cleanup_(census_freep) Census *census = census_new(instances);
        size_t position = monit_rows_position(m);
        int r = census ? 0 : -ENOMEM;

        for (size_t i = 0; i < m->n; i++)
                m->rows[i]->present = false;
        m->n_running = m->n_wrong = 0;
        for (size_t i = 0; i < array_length(instances) && r >= 0; i++) {
                InstanceView v = instance_view(json_object_array_get_idx(instances, i));
                _cleanup_free_ char *key = instance_name(v.ns, v.name, v.instance, false);
                MonitRow *row = key ? find(m, key) ?: add(m, key, &v) : NULL;

                r = row ? refresh(row, &v, census) : -ENOMEM;
                m->n_running += streq(v.state, "running");
                m->n_wrong += state_wrong(&v);
        }
        if (r < 0)
                return r;
        m->n_namespaces = census_namespaces(census);
        drop_absent(m);
        arrange(m, position);
        return 0;
}

int monit_rows_filter(MonitRows *m, const char *text) {
        char *copy = text && *text ? strdup(text) : NULL;

        if (text && *text && !copy)
                return -ENOMEM;
        free(m->filter);
        m->filter = copy;
        arrange(m, 0);
        return 0;
}

void monit_rows_order(MonitRows *m, MonitOrder o) {
        m->order = o;
        arrange(m, 0);
}

/* ---- selection ---- */

MonitRow *monit_rows_selected(const MonitRows *m) {
        MonitRow *r = find(m, m->selected);

        return r && r->shown ? r : NULL;
}

size_t monit_rows_shown(const MonitRows *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->n; i++)
                n += m->rows[i]->shown;
        return n;
}

size_t monit_rows_position(const MonitRows *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->n; i++) {
                if (m->selected && streq(m->rows[i]->key, m->selected))
                        return n;
                n += m->rows[i]->shown;
        }
        return 0;
}

void monit_rows_move(MonitRows *m, int by) {
        size_t shown = monit_rows_shown(m), position = monit_rows_position(m);

        if (shown == 0)
                return;
        if (by < 0)
                position -= MIN((size_t) -by, position);
        else
                position = MIN(position + (size_t) by, shown - 1);
        free(m->selected);
        m->selected = NULL;
        settle(m, position);
}

/* ---- sparkline ---- */

void monit_sparkline(const MonitRow *r, unsigned columns, bool unicode, char *buf) {
        static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
        static const char *const letters[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
        unsigned n = MIN(columns, r->samples), top = 10;

        for (unsigned i = 0; i < n; i++)
                top = MAX(top, (unsigned) r->history[(r->newest + MONIT_HISTORY - i) % MONIT_HISTORY]);
        for (unsigned i = 0; i < columns - n; i++)
                *buf++ = ' ';
        for (unsigned i = n; i > 0; i--) {
                unsigned value = r->history[(r->newest + MONIT_HISTORY - (i - 1)) % MONIT_HISTORY], level = (value * 8 + top / 2) / top;

                /* What is not nothing is seen. */
                buf = stpcpy(buf, (unicode ? blocks : letters)[value > 0 ? MAX(level, 1u) : 0]);
        }
        *buf = '\0';
}
