/* Any output of a service in the json format: each event is one line, which is a valid object and no longer than was promised. The first byte
 * says how small the chunks are. */
#include "logger/event.h"
#include "logger/json_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

static void check_line(const char *p, size_t n, bool cut) {
        static const char head[] = "\",\"stream\":\"out\"";
        size_t max = JSON_LINE_MAX(sizeof(head), n), size;
        char *to = malloc(max);

        require(to);
        size = json_line(to, "2026-01-02T03:04:05.000006Z", head, sizeof(head) - 1, cut, p, n);
        require(size <= max && memchr(to, '\n', size) == to + size - 1);
        require(json_object_valid(to, size - 1));
        free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *p = (const char *) data + 1;
        size_t max;
        bool pending;
        Event e;

        if (size == 0)
                return 0;
        max = 1 + data[0] * 8U;
        for (size--; event_next(p, size, max, EVENT_ALL, &e, &pending); p += e.eaten, size -= e.eaten) {
                require(e.eaten > 0 && e.eaten <= size && e.size <= e.eaten && e.size <= max);
                check_line(p, e.size, e.cut);
        }
        require(size == 0);
        return 0;
}
