/* Must stay true: the logger goes on with the same open file, which it only ever appends to, so that emptying it needs no word with it; it is
 * told nevertheless, to count from there. */
#include "manager/logs/log_flush.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "logger/chain.h"
#include "manager/life/instance.h"
#include "manager/life/service.h"
#include "manager/spawn/spawn.h"

#define PASSES_MAX 3                  /* a rotation in between may give a file that was passed over another number */

static int empty(const char *path) {
        _cleanup_fd_ int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EOPNOTSUPP;
        return ftruncate(fd, 0) < 0 ? -errno : 0;
}

/* How many were removed, or -errno. */
static int remove_aside(const char *directory, const char *base) {
        DIR *d = opendir(directory);
        struct dirent *e;
        int n = 0, r = 0;

        if (!d)
                return errno == ENOENT ? 0 : -errno;
        while (r >= 0 && (e = readdir(d))) {
                ChainForm form;

                if (!startswith(e->d_name, base) || chain_number(e->d_name, strlen(base), &form) <= 0)
                        continue;
                r = unlinkat(dirfd(d), e->d_name, 0) < 0 && errno != ENOENT ? -errno : 0;
                n++;
        }
        closedir(d);
        return r < 0 ? r : n;
}

int log_flush(const Instance *i, char **ret_error) {
        _cleanup_free_ char *path = NULL;
        char *base;
        int r;

        if (i->service->spec->log.to == LOG_TO_NONE || i->service->spec->log.to == LOG_TO_INHERIT || (i->run ? i->journal : spawn_to_journal(i))) {
                *ret_error = strdup("its log is in no file; the journal is emptied with journalctl --vacuum-time");
                return -EOPNOTSUPP;
        }
        path = spawn_log_path(i);
        if (!path)
                return -ENOMEM;
        r = empty(path);
        if (r < 0)
                return r;
        base = strrchr(path, '/');
        *base++ = '\0';
        for (unsigned pass = 0; pass < PASSES_MAX && (r = remove_aside(path, base)) > 0; pass++)
                ;
        return MIN(r, 0);
}
