/* What another kingd leaves: a list of descriptors, or a table. The first byte says which; of a table the header and the entries are the input, as far
 * as it goes. What is let through must be walkable. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "keeper/heirlooms.h"
#include "keeper/table.h"

#define TABLE_MAX (4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int memory(const uint8_t *data, size_t size) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC);

        if (fd < 0 || fd_write_all(fd, data, size) < 0)
                abort();
        return fd;
}

static void try_list(const uint8_t *data, size_t size) {
        char text[16];
        Held *items;
        size_t n;

        snprintf(text, sizeof(text), "%i", memory(data, size));
        (void) setenv("KINGLY_HEIRLOOMS", text, true);
        if (heirlooms_from_environment(&items, &n) != 1)
                abort();
        for (size_t i = 0; i < n; i++)
                if (strlen(items[i].name) >= sizeof(items[i].name) || items[i].fd <= STDERR_FILENO)
                        abort();
        free(items);
}

static uint64_t walk(const Table *t) {
        uint8_t log[WIRE_LOG_MAX];
        uint64_t sum = 0;
        const Child *c;

        for (uint32_t i = 0; (c = table_next(t, &i));) {
                const Child *found = table_by_run(t, c->run);

                if (!table_makes_sense(c) || !found || found->run != c->run || (c->process.pid > 0 && !table_by_pid(t, c->process.pid)))
                        abort();
                table_log(t, c, log);
                for (uint32_t k = 0; k < c->log_size; k++)
                        sum += log[k];
                sum += c->acknowledged + c->exec_near + c->failed;
        }
        return sum;
}

static void try_table(const uint8_t *data, size_t size) {
        int fd = memory(data, size);
        Table t;

        if (ftruncate(fd, TABLE_MAX) < 0)
                abort();
        (void) table_is_ours(fd);
        if (table_view(fd, &t) >= 0)
                table_unview(&t);
        if (table_adopt(fd, &t) < 0) {
                fd_close(fd);
                return;
        }
        (void) walk(&t);
        table_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        log_set_level(LOG_EMERG);
        if (size > 0)
                (data[0] & 1 ? try_table : try_list)(data + 1, size - 1);
        return 0;
}
