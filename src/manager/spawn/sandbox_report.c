/* What this machine permits, for doctor. */
#include <fcntl.h>

#include "base/fd.h"
#include "base/text.h"
#include "manager/spawn/sandbox_private.h"
#include "sandbox/sandbox.h"

int sandbox_ask(Manager *m, VarlinkCall *call, int (*answer)(Manager *m, VarlinkCall *call)) {
        Sandbox *s = sandbox_of(m);
        int r = s ? sandbox_find_out(s) : -ENOMEM;

        if (r == 0) {
                s->answer = answer;
                return call_list_add(&s->calls, call);
        }
        return answer(m, call);
}

/* Settings that keep user namespaces from those who have no other right, the first that is found. */
static const char *setting_in_the_way(void) {
        static const struct { const char *path; char value; const char *text; } table[] = {
                { "/proc/sys/user/max_user_namespaces", '0', "user.max_user_namespaces is 0" },
                { "/proc/sys/kernel/unprivileged_userns_clone", '0', "kernel.unprivileged_userns_clone is 0" },
                { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1', "kernel.apparmor_restrict_unprivileged_userns is 1" },
        };

        for (size_t k = 0; k < ARRAY_SIZE(table); k++) {
                char text[16];

                if (read_file_into(AT_FDCWD, table[k].path, text, sizeof text) >= 1 && text[0] == table[k].value)
                        return table[k].text;
        }
        return NULL;
}

static const char *by_means(Sandbox *s) {
        const char *setting = s->means == MEANS_NONE ? setting_in_the_way() : NULL;

        if (s->means == MEANS_OWN_RIGHT)
                return "enforced, by namespaces";
        if (s->means == MEANS_USER_NAMESPACE)
                return "enforced, by namespaces within a user namespace";
        free(s->lines_why);
        s->lines_why = text_printf("namespaces are refused, %s%s%s", s->why ?: "", setting ? "; " : "", setting ?: "");
        return s->lines_why ?: "namespaces are refused";
}

const SandboxSupport *sandbox_support(Manager *m, size_t *ret_n) {
        static const char *const keys[] = { "sandbox.read_only", "sandbox.hidden", "sandbox.private_tmp", "sandbox.private_devices", "sandbox.network" };
        Sandbox *s = sandbox_of(m);
        bool namespaces, landlock = sandbox_landlock_version() > 0, filter = sandbox_filter_supported(NULL) >= 0;
        const char *how;
        size_t n = 0;

        *ret_n = 0;
        if (!s)
                return NULL;
        namespaces = s->means == MEANS_OWN_RIGHT || s->means == MEANS_USER_NAMESPACE;
        how = by_means(s);
        s->lines[n++] = (SandboxSupport) { "sandbox.system", namespaces || landlock, namespaces || !landlock ? how : "enforced, by Landlock" };
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
                s->lines[n++] = (SandboxSupport) { keys[k], namespaces, how };
        s->lines[n++] = (SandboxSupport) { "sandbox.syscalls", filter, filter ? "enforced, by seccomp" : "the kernel has no filter of system calls" };
        *ret_n = n;
        return s->lines;
}
