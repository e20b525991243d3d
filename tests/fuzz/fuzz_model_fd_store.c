/* A message of sd_notify, as the fd store reads it: whatever it says, the name that comes of it is one. */
#include <stdlib.h>
#include <string.h>

#include "model/fd_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FdStoreOrder o;
        char *text;

        if (size > 4096)
                return 0;
        text = malloc(size + 1);
        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        fd_store_read(text, &o);
        if (!fd_store_name_valid(o.name) || (!o.named && strcmp(o.name, FD_STORE_NAME) != 0))
                abort();
        free(text);
        return 0;
}
