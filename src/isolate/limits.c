/* A specification as cgroup v2 files. Source: Documentation/admin-guide/cgroup-v2.rst, sections "CPU/Memory/IO/PID Interface Files".
 *
 * What must stay true: a key is either written or was denied in the support table; an unset key resets its file only in a living cell (a new
 * cgroup has the kernel's defaults already, and a thousand starts should not pay for writing them). */
#include "isolate/isolate_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/text.h"

/* memory.high before memory.max: when both are lowered, reclaim begins before the hard limit kills. */
const LimitFile limit_files[] = {
        { "limits.memory_high", CGROUP_MEMORY, "memory.high" },
        { "limits.memory_max", CGROUP_MEMORY, "memory.max" },
        { "limits.swap_max", CGROUP_MEMORY, "memory.swap.max" },
        { "limits.cpu", CGROUP_CPU, "cpu.max" },
        { "limits.tasks", CGROUP_PIDS, "pids.max" },
        { "priority.cpu_weight", CGROUP_CPU, "cpu.weight" },
        { "priority.io_weight", CGROUP_IO, "io.weight" },
        { "limits.io_read_bandwidth", CGROUP_IO, "io.max" },
        { "limits.io_write_bandwidth", CGROUP_IO, "io.max" },
        { "limits.io_read_iops", CGROUP_IO, "io.max" },
        { "limits.io_write_iops", CGROUP_IO, "io.max" },
        {},
};

#define CPU_PERIOD_USEC 100000u
#define WEIGHT_DEFAULT 100u

typedef enum ValueForm { FORM_BYTES, FORM_MEMORY_HIGH, FORM_CPU, FORM_WEIGHT, FORM_IO_WEIGHT } ValueForm;

/* The keys whose file takes one value. */
static const struct {
        const char *key;
        ValueForm form;
        size_t offset;
} value_keys[] = {
        { "limits.memory_high", FORM_MEMORY_HIGH, 0 },
        { "limits.memory_max", FORM_BYTES, offsetof(ServiceSpec, limits.memory_max) },
        { "limits.swap_max", FORM_BYTES, offsetof(ServiceSpec, limits.swap_max) },
        { "limits.cpu", FORM_CPU, offsetof(ServiceSpec, limits.cpu) },
        { "limits.tasks", FORM_BYTES, offsetof(ServiceSpec, limits.tasks) },
        { "priority.cpu_weight", FORM_WEIGHT, offsetof(ServiceSpec, priority.cpu_weight) },
        { "priority.io_weight", FORM_IO_WEIGHT, offsetof(ServiceSpec, priority.io_weight) },
};

#define VALUE_MAX 64

/* Writes the value as its file wants it; false: unset, and buf holds what resets it. */
static bool value_format(ValueForm form, const ServiceSpec *spec, size_t offset, char buf[VALUE_MAX]) {
        const void *field = (const char *) spec + offset;
        bool bytes = form == FORM_BYTES || form == FORM_MEMORY_HIGH;
        uint64_t v = form == FORM_MEMORY_HIGH ? spec_memory_high(spec) : bytes ? *(const uint64_t *) field : *(const uint32_t *) field;
        bool set = bytes ? v != LIMIT_UNSET : v != 0;

        switch (form) {
        case FORM_BYTES:
        case FORM_MEMORY_HIGH:
                if (set)
                        snprintf(buf, VALUE_MAX, "%" PRIu64, v);
                else
                        strcpy(buf, "max");
                break;
        case FORM_CPU:
                if (set)
                        snprintf(buf, VALUE_MAX, "%" PRIu64 " %u", v * (CPU_PERIOD_USEC / 100), CPU_PERIOD_USEC);
                else
                        snprintf(buf, VALUE_MAX, "max %u", CPU_PERIOD_USEC);
                break;
        case FORM_WEIGHT:
        case FORM_IO_WEIGHT:
                snprintf(buf, VALUE_MAX, "%s%" PRIu64, form == FORM_IO_WEIGHT ? "default " : "", set ? v : WEIGHT_DEFAULT);
                break;
        }
        return set;
}

static const char *file_of(const char *key) {
        for (const LimitFile *f = limit_files; f->key; f++)
                if (streq(f->key, key))
                        return f->file;
        return NULL;
}

static int write_error(KlError *reterr, int r, const char *key, const char *dir, const char *file, const char *value) {
        return kl_error_set(reterr, r, r == -EACCES || r == -EPERM ? KL_E_PERMISSION : KL_E_FAILED, "%s: cannot write \"%s\" to %s/%s: %s",
                            key, value, dir, file, strerror(-r));
}

static int write_values(const Isolate *i, const char *dir, const ServiceSpec *spec, bool live, KlError *reterr) {
        char value[VALUE_MAX];
        int r;

        for (size_t k = 0; k < ARRAY_SIZE(value_keys); k++) {
                const char *key = value_keys[k].key;
                bool set = value_format(value_keys[k].form, spec, value_keys[k].offset, value);

                if ((!set && !live) || !support_has(i, key))
                        continue;
                r = cgroup_write(dir, file_of(key), value);
                if (r < 0)
                        return write_error(reterr, r, key, dir, file_of(key), value);
        }
        return 0;
}

/* ---- io.max: one line a device, gathered from four lists ---- */

enum { IO_RBPS, IO_WBPS, IO_RIOPS, IO_WIOPS, _IO_MAX };
typedef struct DeviceLine { dev_t device; uint64_t value[_IO_MAX]; } DeviceLine;
typedef struct DeviceLines { DeviceLine *items; size_t n; } DeviceLines;

static void device_lines_done(DeviceLines *l) {
        free(l->items);
}

/* The device number of the whole disk when `d` is a partition of it: limits work on the queue, which the disk owns. */
static dev_t whole_disk(dev_t d) {
        char path[64], text[32];
        unsigned maj, min;

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(d), minor(d));
        if (access(path, F_OK) < 0)
                return d;
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(d), minor(d));
        if (read_file_into(AT_FDCWD, path, text, sizeof(text)) < 0 || sscanf(text, "%u:%u", &maj, &min) != 2)
                return d;
        return makedev(maj, min);
}

int limit_device(const char *path, dev_t *ret) {
        char sys[64];
        struct stat st;
        dev_t d;

        if (stat(path, &st) < 0)
                return -errno;
        d = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
        snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u", major(d), minor(d));
        if (major(d) == 0 || access(sys, F_OK) < 0)
                return -ENODEV;
        *ret = whole_disk(d);
        return 0;
}

static int device_line_for(DeviceLines *l, dev_t d, DeviceLine **ret) {
        DeviceLine *items;

        for (size_t k = 0; k < l->n; k++)
                if (l->items[k].device == d) {
                        *ret = l->items + k;
                        return 0;
                }
        items = realloc(l->items, (l->n + 1) * sizeof(DeviceLine));
        if (!items)
                return -ENOMEM;
        l->items = items;
        l->items[l->n] = (DeviceLine) { .device = d, .value = { LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET } };
        *ret = l->items + l->n++;
        return 0;
}

static int gather_list(DeviceLines *l, const char *key, const DeviceLimitList *from, unsigned which, KlError *reterr) {
        int r;

        for (size_t k = 0; k < from->n; k++) {
                const char *path = from->items[k].path;
                DeviceLine *line;
                dev_t d = 0;

                r = limit_device(path, &d);
                if (r == -ENODEV)
                        return kl_error_set(reterr, r, KL_E_INVALID, "%s: there is no block device behind %s", key, path);
                if (r < 0)
                        return kl_error_set(reterr, r, KL_E_INVALID, "%s: %s: %s", key, path, strerror(-r));
                r = device_line_for(l, d, &line);
                if (r < 0)
                        return kl_error_set(reterr, r, KL_E_NO_MEMORY, "out of memory");
                line->value[which] = from->items[k].value;
        }
        return 0;
}

static void device_line_format(const DeviceLine *line, char *buf, size_t size) {
        static const char *const names[_IO_MAX] = { "rbps", "wbps", "riops", "wiops" };
        size_t used = (size_t) snprintf(buf, size, "%u:%u", major(line->device), minor(line->device));

        for (unsigned k = 0; k < _IO_MAX; k++)
                if (line->value[k] == LIMIT_UNSET)
                        used += (size_t) snprintf(buf + used, size - used, " %s=max", names[k]);
                else
                        used += (size_t) snprintf(buf + used, size - used, " %s=%" PRIu64, names[k], line->value[k]);
}

/* Devices that have a limit in the file but none in the specification any more join the lines, all "max". */
static int gather_former(DeviceLines *l, const char *dir) {
        _cleanup_free_ char *path = path_join(dir, "io.max"), *text = NULL;
        DeviceLine *line;
        int r;

        if (!path)
                return -ENOMEM;
        r = read_file_at(AT_FDCWD, path, 64 * 1024, &text, NULL);
        if (r < 0)
                return r;
        for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
                unsigned maj, min;

                if (sscanf(p, "%u:%u ", &maj, &min) != 2)
                        continue;
                r = device_line_for(l, makedev(maj, min), &line);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_devices(const Isolate *i, const char *dir, const ServiceSpec *spec, bool live, KlError *reterr) {
        const struct { const char *key; const DeviceLimitList *list; } lists[_IO_MAX] = {
                [IO_RBPS] = { "limits.io_read_bandwidth", &spec->limits.io_read_bandwidth },
                [IO_WBPS] = { "limits.io_write_bandwidth", &spec->limits.io_write_bandwidth },
                [IO_RIOPS] = { "limits.io_read_iops", &spec->limits.io_read_iops },
                [IO_WIOPS] = { "limits.io_write_iops", &spec->limits.io_write_iops },
        };
        _cleanup_(device_lines_done) DeviceLines lines = {};
        char text[160];
        int r;

        if (!support_has(i, lists[IO_RBPS].key))
                return 0;
        for (unsigned k = 0; k < _IO_MAX; k++) {
                r = gather_list(&lines, lists[k].key, lists[k].list, k, reterr);
                if (r < 0)
                        return r;
        }
        if (live) {
                r = gather_former(&lines, dir);
                if (r < 0)
                        return kl_error_set(reterr, r, KL_E_FAILED, "cannot read %s/io.max: %s", dir, strerror(-r));
        }
        for (size_t k = 0; k < lines.n; k++) {
                device_line_format(lines.items + k, text, sizeof(text));
                r = cgroup_write(dir, "io.max", text);
                if (r < 0)
                        return write_error(reterr, r, "limits.io", dir, "io.max", text);
        }
        return 0;
}

int limits_write(const Isolate *i, const char *dir, const ServiceSpec *spec, bool live, KlError *reterr) {
        int r;

        r = write_values(i, dir, spec, live, reterr);
        return r < 0 ? r : write_devices(i, dir, spec, live, reterr);
}
