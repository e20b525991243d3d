/* kingctl: what a person types. */
#include "kingctl/ctl.h"

int main(int argc, char **argv) {
        return kingctl_run(argc, argv);
}
