/* Must stay true: any bytes may come; sums are bounded before they are used, nothing is remembered but the last of each kind. */
#include "model/sourcemap.h"

#include "base/text.h"

#define FIELDS 5                      /* generated column, source, line, column, name */
#define VALUE_MAX INT32_MAX

/* Five bits a digit, the least first, the sixth says that more follow; the lowest bit of the whole is the sign. */
static bool take_vlq(const char **p, const char *end, int64_t *ret) {
        uint64_t v = 0;
        int d = 32;

        for (unsigned shift = 0; d & 32; shift += 5) {
                d = *p < end && shift < 35 ? base64_digit(**p) : -1;
                if (d < 0)
                        return false;
                v |= (uint64_t) (d & 31) << shift;
                ++*p;
        }
        *ret = v & 1 ? -(int64_t) (v >> 1) : (int64_t) (v >> 1);
        return true;
}

/* One segment: 1, 4 or 5 numbers that are added to `at`. How many, or -EBADMSG. */
static int take_segment(const char **p, const char *end, int64_t at[FIELDS]) {
        int n = 0;

        for (; *p < end && **p != ',' && **p != ';'; n++) {
                int64_t v;

                if (n == FIELDS || !take_vlq(p, end, &v))
                        return -EBADMSG;
                at[n] += v;
                if (at[n] < 0 || at[n] > VALUE_MAX)
                        return -EBADMSG;
        }
        return n == 2 || n == 3 ? -EBADMSG : n;
}

int sourcemap_find(const char *mappings, size_t n, uint32_t line, uint32_t column, SourcePosition *ret) {
        const char *p = mappings, *end = p + n;
        int64_t at[FIELDS] = {};
        int found = 0;

        for (uint32_t l = 0; p < end && l <= line; p++) {
                int k = take_segment(&p, end, at);

                if (k < 0)
                        return k;
                /* A segment of one number says that what follows comes from nowhere. */
                if (l == line && k > 0 && at[0] <= (int64_t) column) {
                        found = k > 1;
                        *ret = (SourcePosition) { (uint32_t) at[1], (uint32_t) at[2], (uint32_t) at[3] };
                }
                if (p < end && *p == ';') {
                        at[0] = 0;
                        l++;
                }
        }
        return found;
}
