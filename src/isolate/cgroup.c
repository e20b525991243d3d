/* Kind `cgroup`: a directory for every run below our own cgroup, BASE/kingly-HOME/ns-NAMESPACE/SERVICE-INSTANCE-GENERATION.
 *
 * What must stay true: children are born in their directory (CLONE_INTO_CGROUP), so that nothing is ever moved; the names of directories
 * cannot be those of the kernel's files, because those have no "ns-" in front and no "-N-N" behind. */
#include "isolate/cgroup_base.h"

#include <limits.h>

#include "base/strv.h"
#include "base/text.h"

typedef struct CgroupIsolate {
        Isolate isolate;
        CgroupBase base;
        char **namespaces;        /* directories made and prepared in this life */
} CgroupIsolate;

static CgroupIsolate *cgroup_isolate(Isolate *i) {
        return (CgroupIsolate *) i;
}

static int cgroup_try(Isolate *i, KlError *reterr) {
        CgroupIsolate *ci = cgroup_isolate(i);
        unsigned have;
        int r;

        r = cgroup_base_open(&ci->base, i, reterr);
        if (r < 0)
                return r;
        r = cgroup_base_enable(&ci->base);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot set up controllers in %s: %s", ci->base.root, strerror(-r));
        have = i->controllers;
        r = isolate_note(i, "cgroup: in force below %s; controllers:%s%s%s%s%s", ci->base.root, have & CGROUP_CPU ? " cpu" : "",
                         have & CGROUP_MEMORY ? " memory" : "", have & CGROUP_IO ? " io" : "", have & CGROUP_PIDS ? " pids" : "", have ? "" : " none");
        return r < 0 ? kl_error_set(reterr, r, KL_E_NO_MEMORY, "out of memory") : 0;
}

static void cgroup_destroy(Isolate *i) {
        CgroupIsolate *ci = cgroup_isolate(i);

        cgroup_base_done(&ci->base);
        ci->namespaces = strv_free(ci->namespaces);
}

/* The directory of a namespace, made and prepared once in our life: one left by an earlier life may lack a controller. */
static int namespace_open(CgroupIsolate *ci, const char *ns, char **ret, KlError *reterr) {
        _cleanup_free_ char *dir = text_printf("%s/ns-%s", ci->base.root, ns);
        int r;

        if (!dir)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        if (!strv_contains(ci->namespaces, dir)) {
                r = cgroup_make(dir);
                if (r >= 0 || r == -EEXIST)
                        r = ci->isolate.controllers ? cgroup_enable(dir, ci->isolate.controllers) : 0;
                if (r >= 0)
                        r = strv_append(&ci->namespaces, dir);
                if (r < 0)
                        return kl_error_set(reterr, r, KL_E_FAILED, "cannot make cgroup %s: %s", dir, strerror(-r));
        }
        *ret = TAKE_PTR(dir);
        return 0;
}

static int cgroup_kind_new(Cell *c, const CellName *name, const ServiceSpec *spec, KlError *reterr) {
        _cleanup_free_ char *dir = NULL, *path = NULL;
        int r;

        r = namespace_open(cgroup_isolate(c->isolate), name->ns, &dir, reterr);
        if (r < 0)
                return r;
        path = text_printf("%s/%s-%u-%" PRIu64, dir, name->service, name->instance, name->generation);
        if (!path)
                return kl_error_set(reterr, -ENOMEM, KL_E_NO_MEMORY, "out of memory");
        r = cgroup_make(path);
        if (r == -EEXIST && cgroup_populated(path) == 0)
                r = 0;
        if (r >= 0)
                r = cgroup_cell_open(c, path);
        if (r < 0)
                return kl_error_set(reterr, r, KL_E_FAILED, "cannot make cgroup %s: %s", path, r == -EEXIST ? "it has processes already" : strerror(-r));
        c->where = c->cgroup;
        r = limits_write(c->isolate, c->where, spec, false, reterr);
        if (r < 0)
                (void) rmdir(c->where);
        return r;
}

static int cgroup_kind_adopt(Cell *c, const CellName *name, const char *where) {
        _cleanup_free_ char *ours = text_printf("/kingly-%s/ns-", c->isolate->home_id);
        int r;

        if (!ours)
                return -ENOMEM;
        /* The base may have been another one in the former life; the tree below it is ours by its name. */
        if (!startswith(where, c->isolate->mount) || !strstr(where, ours) || strstr(where, "/../"))
                return -ENOENT;
        r = cgroup_cell_open(c, where);
        c->where = c->cgroup;
        return r == -ENODEV || r == -ENOTDIR ? -ENOENT : r;
}

/* BASE/kingly-HOME/ns-NAMESPACE/CELL, in which it may have made cgroups of its own. */
static int cgroup_kind_locate(const Isolate *i, pid_t pid, const char *invocation_id, char **ret) {
        _cleanup_free_ char *ours = text_printf("/kingly-%s/ns-", i->home_id), *path = NULL;
        char *end;
        int r;

        r = ours ? process_cgroup(pid, &path) : -ENOMEM;
        if (r < 0)
                return r;
        end = strstr(path, ours);
        end = end ? strchr(end + strlen(ours), '/') : NULL;
        if (!end)
                return -ENOENT;
        *strchrnul(end + 1, '/') = '\0';
        *ret = text_printf("%s%s", i->mount, path);
        return *ret ? 0 : -ENOMEM;
}

/* Born in place. */
static int cgroup_kind_place(Cell *c, const PidRef *main, const char *invocation_id) {
        return 0;
}

static int cgroup_kind_clean(Cell *c) {
        cgroup_cell_close(c);
        return cgroup_remove(c->cgroup);
}

static int cgroup_kind_apply(Cell *c, const ServiceSpec *spec, KlError *reterr) {
        return limits_write(c->isolate, c->cgroup, spec, true, reterr);
}

const IsolateVTable isolate_cgroup_vtable = {
        .kind = ISOLATE_CGROUP,
        .window = UINT_MAX,
        .isolate_size = sizeof(CgroupIsolate),
        .cell_size = sizeof(Cell),
        .try = cgroup_try,
        .destroy = cgroup_destroy,
        .cell_new = cgroup_kind_new,
        .cell_adopt = cgroup_kind_adopt,
        .locate = cgroup_kind_locate,
        .cell_place = cgroup_kind_place,
        .cell_signal = cgroup_cell_signal,
        .cell_kill = cgroup_cell_kill,
        .cell_populated = cgroup_cell_populated,
        .cell_watch_empty = cgroup_cell_watch_empty,
        .cell_clean = cgroup_kind_clean,
        .cell_apply = cgroup_kind_apply,
        .locate_pid = cgroup_locate_pid,
        .cell_holds = cgroup_cell_holds,
        .cell_pids = cgroup_cell_pids,
        .cell_usage = cgroup_cell_usage,
};
