/* Only segments that were never written are dropped: read-only ones straight from their files, so that nothing can be lost. */
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"
#include "manager/thrift.h"

static int drop_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);

        for (size_t k = 0; k < info->dlpi_phnum; k++) {
                const ElfW(Phdr) *p = info->dlpi_phdr + k;
                uintptr_t begin = (info->dlpi_addr + p->p_vaddr) & ~(page - 1),
                        end = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);

                if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && end > begin)
                        (void) madvise((void *) begin, end - begin, MADV_DONTNEED);
        }
        return 0;
}

void thrift_give_back(void) {
        (void) malloc_trim(0);
        (void) dl_iterate_phdr(drop_object, NULL);
}
