/* A kingd that says it could follow and then cannot: it ends before anything of it has begun. */
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void fall(void) {
        if (getenv("KINGLY_HEIRLOOMS"))
                _exit(9);
}
