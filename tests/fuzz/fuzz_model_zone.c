/* A TZif file, which may come from anywhere TZDIR points to. Whatever is accepted answers for every time, and spans join. */
#include "model/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const int64_t times[] = { -100000000000, -1, 0, 1000000000, 1800000000, 4000000000, 100000000000 };
        Zone *z = NULL;

        if (zone_parse(data, size, &z) < 0)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                ZoneSpan s = zone_span(z, times[i]);

                if (s.begin > times[i] || s.end <= times[i])
                        abort();
        }
        zone_free(z);
        return 0;
}
