/* Rotation by renaming. Must stay true: the first free number ends the shifting, so that a rotation which was cut short (it leaves one
 * gap) costs no further file, and a file is only ever renamed to a number that is free or to the oldest one, which is due to go. */
#include "logger/rotate.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

typedef char Name[PATH_MAX];

static int name_of(Name to, const char *path, uint32_t number) {
        int n = number == 0 ? snprintf(to, PATH_MAX, "%s", path) : snprintf(to, PATH_MAX, "%s.%" PRIu32, path, number);

        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static bool taken(const char *path, uint32_t number) {
        struct stat st;
        Name name;

        return name_of(name, path, number) >= 0 && lstat(name, &st) >= 0;
}

static int shift(const char *path, uint32_t number) {
        Name from, to;
        int r;

        r = name_of(from, path, number);
        if (r >= 0)
                r = name_of(to, path, number + 1);
        if (r < 0)
                return r;
        return rename(from, to) < 0 ? -errno : 0;
}

/* A smaller `keep` than before leaves files behind that no shifting would ever reach. */
static void remove_beyond(const char *path, uint32_t keep) {
        Name name;

        for (uint32_t i = keep + 1; i != 0 && name_of(name, path, i) >= 0; i++)
                if (unlink(name) < 0)
                        break;
}

int log_rotate(const char *path, uint32_t keep) {
        uint32_t room = 1;
        int r;

        while (room < keep && taken(path, room))
                room++;
        while (room-- > 0) {
                r = shift(path, room);
                if (r < 0 && r != -ENOENT) /* somebody else took it away: then its place is free */
                        return r;
        }
        remove_beyond(path, keep);
        return 0;
}
