/* Only segments that were never written are dropped: read-only ones straight from their files, so that nothing can be lost. */
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"
#include "linux/thrift.h"

#define SEGMENTS_MAX 16

/* The headers are read before anything is dropped: they stand in the first page of what they describe, which would come back with fifteen others. */
static int drop_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE), base = info->dlpi_addr;
        ElfW(Phdr) headers[SEGMENTS_MAX];
        size_t n = MIN((size_t) info->dlpi_phnum, ARRAY_SIZE(headers));

        memcpy(headers, info->dlpi_phdr, n * sizeof *headers);
        for (size_t k = 0; k < n; k++) {
                const ElfW(Phdr) *p = headers + k;
                uintptr_t begin = (base + p->p_vaddr) & ~(page - 1), end = (base + p->p_vaddr + p->p_memsz) & ~(page - 1);

                if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && end > begin)
                        (void) madvise((void *) begin, end - begin, MADV_DONTNEED);
        }
        return 0;
}

void thrift_give_back(void) {
        (void) malloc_trim(0);
        (void) dl_iterate_phdr(drop_object, NULL);
}
