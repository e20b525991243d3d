/* See zone.h. Must stay true: the file is a stranger's, so every count is checked against what is there; changes ascend. */
#include "model/zone.h"

#include "model/zone_rule.h"

typedef struct ZoneChange {
        int64_t at;
        int32_t to;              /* seconds east of UTC from then on */
} ZoneChange;

struct Zone {
        int32_t first;           /* before the first change */
        bool has_rule;           /* after the last one */
        ZoneRule rule;
        size_t n;
        ZoneChange changes[];
};

/* ---- dates ---- */

static bool leap_year(int64_t y) {
        return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

unsigned days_of_month(int64_t year, unsigned month) {
        static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        return days[month - 1] + (month == 2 && leap_year(year));
}

/* Years begin in March here, so that a leap day is the last of its year; 400 of them have 146,097 days. */
int64_t days_from_date(int64_t year, unsigned month, unsigned day) {
        int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
        int64_t of_year = (153 * ((int64_t) month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
        int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
        int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

        *ret_day = (unsigned) (of_year - (153 * m + 2) / 5 + 1);
        *ret_month = (unsigned) (m < 10 ? m + 3 : m - 9);
        *ret_year = era * 400 + y + (*ret_month <= 2);
}

/* ---- TZif ---- */

typedef struct Block {
        const uint8_t *data;
        size_t n_times, n_types, n_chars, n_leaps, n_std, n_ut;
        size_t time_size;        /* 4 bytes in version 1, 8 behind it */
} Block;

#define HEADER_SIZE 44

static uint32_t read_u32(const uint8_t *p) {
        return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static int64_t read_time(const uint8_t *p, size_t size) {
        return size == 4 ? (int32_t) read_u32(p) : (int64_t) ((uint64_t) read_u32(p) << 32 | read_u32(p + 4));
}

static size_t block_size(const Block *b) {
        return b->n_times * (b->time_size + 1) + b->n_types * 6 + b->n_chars + b->n_leaps * (b->time_size + 4) + b->n_std + b->n_ut;
}

/* The block behind the header at `data`; what is left behind it. */
static int read_block(const uint8_t *data, size_t size, size_t time_size, Block *ret, size_t *ret_left) {
        Block b = { .data = data + HEADER_SIZE, .time_size = time_size };
        size_t *const counts[] = { &b.n_ut, &b.n_std, &b.n_leaps, &b.n_times, &b.n_types, &b.n_chars };

        if (size < HEADER_SIZE || memcmp(data, "TZif", 4) != 0)
                return -EBADMSG;
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                *counts[i] = read_u32(data + 20 + 4 * i);
                if (*counts[i] > ZONE_FILE_MAX)
                        return -EBADMSG;
        }
        if (block_size(&b) > size - HEADER_SIZE || b.n_types == 0)
                return -EBADMSG;
        *ret = b;
        *ret_left = size - HEADER_SIZE - block_size(&b);
        return 0;
}

static int fill(Zone *z, const Block *b) {
        const uint8_t *index = b->data + b->n_times * b->time_size, *types = index + b->n_times;

        z->first = (int32_t) read_u32(types);
        for (size_t i = 0; i < b->n_times; i++) {
                ZoneChange c = { .at = read_time(b->data + i * b->time_size, b->time_size) };

                if (index[i] >= b->n_types || (i > 0 && c.at <= z->changes[i - 1].at))
                        return -EBADMSG;
                c.to = (int32_t) read_u32(types + 6 * index[i]);
                z->changes[z->n++] = c;
        }
        return 0;
}

/* More than a day and an hour apart from UTC is nobody: it would only make sums overflow. */
static bool sane(const Zone *z) {
        const int32_t most = 25 * 3600 + 3600;
        bool ok = z->first >= -most && z->first <= most;

        for (size_t i = 0; i < z->n; i++)
                ok = ok && z->changes[i].to >= -most && z->changes[i].to <= most;
        return ok;
}

/* "\nRULE\n" behind the last block; empty where the list is all there is to know. */
static int read_rule(Zone *z, const uint8_t *p, size_t size) {
        const uint8_t *end = size > 1 && *p == '\n' ? memchr(p + 1, '\n', size - 1) : NULL;

        if (!end)
                return -EBADMSG;
        z->has_rule = end > p + 1;
        return z->has_rule ? zone_rule_parse((const char *) p + 1, (size_t) (end - p - 1), &z->rule) : 0;
}

int zone_parse(const void *data, size_t size, Zone **ret) {
        _cleanup_(zone_freep) Zone *z = NULL;
        const uint8_t *p = data;
        size_t left;
        bool modern;
        Block b;
        int r;

        r = size > ZONE_FILE_MAX ? -EBADMSG : read_block(p, size, 4, &b, &left);
        if (r < 0)
                return r;
        modern = p[4] >= '2';
        if (modern && (r = read_block(p + size - left, left, 8, &b, &left)) < 0)
                return r;
        if (b.n_leaps > 0)
                return -EBADMSG;
        z = calloc(1, sizeof(Zone) + b.n_times * sizeof(ZoneChange));
        if (!z)
                return -ENOMEM;
        r = fill(z, &b);
        if (r >= 0 && modern)
                r = read_rule(z, p + size - left, left);
        if (r < 0 || !sane(z))
                return r < 0 ? r : -EBADMSG;
        *ret = TAKE_PTR(z);
        return 0;
}

Zone *zone_free(Zone *z) {
        free(z);
        return NULL;
}

/* ---- asking ---- */

/* The first change after t. */
static size_t next_change(const Zone *z, int64_t t) {
        size_t low = 0, high = z->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (z->changes[middle].at <= t)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int32_t offset_before(const Zone *z, size_t change) {
        return change > 0 ? z->changes[change - 1].to : z->first;
}

ZoneSpan zone_span(const Zone *z, int64_t t) {
        size_t next = z ? next_change(z, t) : 0;
        ZoneSpan s = { INT64_MIN, INT64_MAX, 0, 0 };

        if (!z)
                return s;
        s.offset = s.before = offset_before(z, next);
        if (next > 0) {
                s.begin = z->changes[next - 1].at;
                s.before = offset_before(z, next - 1);
        }
        if (next < z->n)
                s.end = z->changes[next].at;
        else if (z->has_rule) {
                ZoneSpan rule = zone_rule_span(&z->rule, t);

                if (rule.begin > s.begin)
                        return rule;
                s.offset = rule.offset;
                s.end = rule.end;
        }
        return s;
}

bool zone_name_valid(const char *name) {
        bool begins = true;

        if (!*name || strlen(name) > 64)
                return false;
        for (const char *p = name; *p; p++) {
                bool letter = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9' && !begins);

                if (!letter && (begins || !strchr("_+-/", *p)))
                        return false;
                begins = *p == '/';
        }
        return !begins;
}
