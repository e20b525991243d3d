/* The method table, who may call, and the methods that need no file of their own. */
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "manager/api/api.h"
#include "manager/books/reexec.h"
#include "manager/link.h"
#include "manager/shutdown.h"

/* The interface's text is the file beside this one, taken in by the assembler so that it exists once. */
__asm__(".section .rodata\n"
        ".global api_description\n"
        "api_description:\n"
        ".incbin \"src/manager/io.kingly.Manager.varlink\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char api_description[];

int api_fail(VarlinkCall *call, const KlError *e, int r) {
        return e->id ? varlink_error_kl(call, e) : r;
}

int api_secrets(VarlinkCall *call, json_object *parameters, bool *ret, KlError *reterr) {
        int r = json_get_bool(parameters, "secrets", ret, reterr);

        if (r < 0 || !*ret || varlink_call_may_change(call))
                return r;
        kl_error_set(reterr, -EPERM, KL_E_PERMISSION, "secrets: user %u is not permitted to see them", (unsigned) varlink_call_uid(call));
        kl_error_hint(reterr, "you may look; only the owner of the daemon and root see secrets");
        return -EPERM;
}

void json_set(json_object *o, const char *key, json_object *value) {
        if (!o || json_object_object_add(o, key, value) < 0)
                json_object_put(value);
}

void json_push(json_object *array, json_object *value) {
        if (value && (!array || json_object_array_add(array, value) < 0))
                json_object_put(value);
}

void json_reverse(json_object *array) {
        size_t n = json_object_array_length(array);

        for (size_t k = 0; k < n / 2; k++) {
                json_object *a = json_object_get(json_object_array_get_idx(array, k)), *b = json_object_get(json_object_array_get_idx(array, n - 1 - k));

                (void) json_object_array_put_idx(array, k, b); /* there is room: neither fails */
                (void) json_object_array_put_idx(array, n - 1 - k, a);
        }
}

int api_reply(VarlinkCall *call, json_object *reply) {
        return reply ? varlink_reply(call, reply) : -ENOMEM;
}

json_object *json_text(const char *s) {
        return s ? json_object_new_string(s) : NULL;
}

json_object *json_u64(uint64_t v, uint64_t unknown) {
        return v == unknown ? NULL : json_object_new_int64((int64_t) MIN(v, (uint64_t) INT64_MAX));
}

static int api_ping(VarlinkCall *call, json_object *parameters, void *userdata) {
        return varlink_reply(call, NULL);
}

static int api_shutdown(VarlinkCall *call, json_object *parameters, void *userdata) {
        shutdown_begin(userdata, 0, call);
        return 0;
}

int api_reexec(VarlinkCall *call, json_object *parameters, void *userdata) {
        uint64_t within = 0, after = UINT64_MAX;
        _cleanup_error_ KlError e = {};
        int r = json_get_u64(parameters, "within_usec", &within, &e);

        if (r >= 0)
                r = json_get_u64(parameters, "after", &after, &e);
        if (r < 0)
                return api_fail(call, &e, r);
        return reexec_call(userdata, call, within, after > INT64_MAX ? -1 : (int64_t) after);
}

static const VarlinkEntry methods[] = {
        { "Ping", api_ping, false },       { "Status", api_status, false },   { "Apply", api_apply, true },
        { "Start", api_start, true },      { "Stop", api_stop, true },        { "Restart", api_restart, true },
        { "Reload", api_reload, true },
        { "Delete", api_delete, true },    { "List", api_list, false },       { "Describe", api_describe, false },
        { "Logs", api_logs, false },       { "Events", api_events, false },   { "Doctor", api_doctor, false },
        { "Signal", api_signal, true },    { "Send", api_send, true },    { "Reset", api_reset, true },      { "Environment", api_environment, true },
        { "FlushLogs", api_flush_logs, true }, { "ReopenLogs", api_reopen_logs, true },
        { "Profiles", api_profiles, false },
        { "Scale", api_scale, true },      { "Shutdown", api_shutdown, true },
        { "Reexec", api_reexec, true }, {},
};

const VarlinkInterface api_interface = { .name = "io.kingly.Manager", .description = api_description, .methods = methods };

/* The owner and root may do everything, the group `kingly` may look. Only the peer's primary group is in its credentials; supplementary
 * ones are looked up by its name's membership in the group database. */
int api_permission(void *userdata, uid_t uid, gid_t gid, pid_t pid) {
        struct group *g;

        if (uid == 0 || uid == geteuid())
                return 2;
        g = getgrnam("kingly");
        if (!g)
                return 0;
        if (g->gr_gid == gid)
                return 1;
        for (char **member = g->gr_mem; *member; member++) {
                struct passwd *pw = getpwnam(*member);
                if (pw && pw->pw_uid == uid)
                        return 1;
        }
        return 0;
}
