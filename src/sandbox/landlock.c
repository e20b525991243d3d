/* Landlock takes no mount and no privilege: it can say where a process may write, not that a directory is another one. Source:
 * Documentation/userspace-api/landlock.rst, whose versions are those below. */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/strv.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

int sandbox_landlock_version(void) {
        long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        return v < 0 ? -errno : (int) v;
}

#define ON_FILES (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define ON_DIRECTORIES                                                                                                                     \
        (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
         LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |   \
         LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)

/* All kinds of writing that this version knows. */
static uint64_t writing(int version) {
        uint64_t access = ON_FILES | ON_DIRECTORIES;

        if (version < 2)
                access &= ~LANDLOCK_ACCESS_FS_REFER;
        if (version < 3)
                access &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
        return access;
}

static int permit(int ruleset, uint64_t access, const char *path) {
        bool optional = *path == '-';
        _cleanup_fd_ int fd = open(path + optional, O_PATH | O_CLOEXEC);
        struct landlock_path_beneath_attr a = { .allowed_access = access, .parent_fd = fd };
        struct stat st;

        if (fd < 0)
                return optional && errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                a.allowed_access &= ON_FILES;
        return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0 ? -errno : 0;
}

int sandbox_ruleset(const ServiceSpec *s, KlError *reterr) {
        static char *const interfaces[] = { (char *) "-/dev", (char *) "-/proc", (char *) "-/sys", NULL };
        int version = sandbox_landlock_version();
        struct landlock_ruleset_attr a = { .handled_access_fs = writing(version) };
        _cleanup_fd_ int fd = version < 0 ? version : (int) syscall(SYS_landlock_create_ruleset, &a, sizeof(a.handled_access_fs), 0);
        char *const *lists[] = { interfaces, s->sandbox.writable };

        if (fd < 0)
                return kl_error_set(reterr, version < 0 ? version : -errno, KL_E_FAILED, "sandbox.system: no Landlock: %s",
                                    strerror(version < 0 ? -version : errno));
        for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
                STRV_FOREACH(path, lists[k]) {
                        int r = permit(fd, a.handled_access_fs, *path);

                        if (r < 0)
                                return kl_error_set(reterr, r, KL_E_INVALID, "sandbox.writable: %s: %s", *path, strerror(-r));
                }
        return TAKE_FD(fd);
}
