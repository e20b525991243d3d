/* The readers of cgroup and pressure files, on contents that no kernel would write: the input is a memory file, which they open by its name
 * below /proc/self/fd. */
#include <stdio.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "linux/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_fd_ int fd = memfd_create("input", MFD_CLOEXEC);
        uint64_t a;
        char name[16];
        uint32_t psi;

        if (fd < 0 || fd_write_all(fd, data, size) < 0)
                return 0;
        snprintf(name, sizeof(name), "%i", fd);
        (void) cgroup_read_u64("/proc/self/fd", name, &a);
        (void) cgroup_read_key("/proc/self/fd", name, "populated", &a);
        (void) cgroup_read_key("/proc/self/fd", name, "usage_usec", &a);
        (void) cgroup_controllers("/proc/self/fd", name);
        (void) psi_some_avg10("/proc/self/fd", name, &psi);
        return 0;
}
