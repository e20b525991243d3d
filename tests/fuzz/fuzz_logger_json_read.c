/* Any bytes as a json line, and any bytes as a message that becomes one: the first ends, the second comes back. Cursors too. */
#include "logger/json_line.h"
#include "logger/json_read.h"
#include "logger/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

static void read_line(const uint8_t *data, size_t size) {
        _cleanup_free_ char *line = malloc(size + 1);
        LogRecord r;

        if (!line)
                return;
        memcpy(line, data, size);
        if (json_line_parse(line, size, &r))
                require(r.message >= line && r.message + r.size <= line + size && r.level >= 0 && r.level <= 8);
        else
                require(memcmp(line, data, size) == 0);
}

static void write_line(const char *message, size_t size) {
        size_t head_size, n, skipped;
        _cleanup_free_ char *head = json_line_head(1, "web", "default", 0, 1, NULL, &head_size), *line = malloc(JSON_LINE_MAX(head_size, size));
        char stamp[LINE_STAMP_SIZE];
        LogRecord r = {};

        if (!head || !line)
                return;
        line_stamp(stamp, 1767323045000006ULL);
        n = json_line(line, stamp, head, head_size, false, message, size);
        require(json_line_parse(line, n - 1, &r));
        skipped = r.level > 0 ? 3 : 0;
        require(r.size + skipped == size && memcmp(r.message, message + skipped, r.size) == 0);
}

static void read_position(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        char buf[LOG_POSITION_MAX];
        LogPosition p;

        if (text && log_position_parse(text, &p) >= 0)
                require(streq(log_position_format(buf, &p), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        read_line(data, size);
        write_line((const char *) data, MIN(size, (size_t) JSON_MESSAGE_MAX));
        read_position(data, size);
        return 0;
}
