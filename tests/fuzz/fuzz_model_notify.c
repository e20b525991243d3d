/* A datagram of sd_notify, which any process of the machine may send: what is read points into it, and is what the header says. */
#include "model/notify.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define CHECK(x) do { if (!(x)) abort(); } while (false)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1);
        NotifyMessage m;

        if (!text)
                return 0;
        memcpy(text, data, size);
        if (notify_parse(text, size, &m) < 0)
                return 0;
        CHECK(m.bad <= m.assignments && (m.bad > 0) == (m.first_bad[0] != '\0'));
        CHECK(!m.status || (m.status >= text && m.status <= text + size && utf8_valid(m.status, strlen(m.status))));
        CHECK(!m.bus_error || (m.bus_error >= text && strlen(m.bus_error) <= NOTIFY_NAME_MAX));
        CHECK(!m.varlink_error || (m.varlink_error >= text && strlen(m.varlink_error) <= NOTIFY_NAME_MAX));
        CHECK(m.main_pid >= 0 && m.error >= -1 && m.error <= 4095 && m.exit_status >= -1 && m.exit_status <= 255);
        CHECK(m.access >= -1 && m.access <= NOTIFY_ACCESS_ALL && !(m.ping && m.trigger));
        CHECK(!m.has_watchdog || m.watchdog != USEC_INFINITY);
        return 0;
}
