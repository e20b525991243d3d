/* The json format of a line: one object a line, keys always in this order, so that the time stands at a fixed place.
 *
 *   {"time":"2026-01-02T03:04:05.000006Z","stream":"out","service":"web","namespace":"default","instance":0,"pid":4711,
 *    "hook":"pre_start",      only if a hook wrote it
 *    "priority":4,            only if the message began with <4>, which is removed
 *    "partial":true,          only if the message is longer than JSON_MESSAGE_MAX and goes on in the next object of this stream
 *    "json":{...}}            if the service wrote a JSON object (RFC 8259): its own bytes; else
 *    "message":"..."}
 *
 * Where the message is not UTF-8, `"escaped":true` stands before it: then each byte that is no UTF-8 is written as \xNN and each backslash as
 * \\, in the message as it is after JSON's own escapes are undone. */
#pragma once

#include "base/macro.h"

#define JSON_MESSAGE_MAX (24 * 1024)  /* bytes of one message */
#define JSON_LINE_MAX(head, n) ((head) + 6 * (n) + 128)

/* Whether the bytes are one JSON object, in UTF-8, without a line break and with nothing around it. Nesting is bounded. */
bool json_object_valid(const char *p, size_t n);

/* The part of every line between time and message. malloc'ed, its length in *ret_size; NULL on OOM. The names are valid ones: nothing in them
 * is escaped. hook: NULL for none. */
char *json_line_head(int stream, const char *service, const char *ns, uint32_t instance, int32_t pid, const char *hook, size_t *ret_size);
/* Writes a line with its newline: at most JSON_LINE_MAX(head_size, n) bytes; returns how many. `stamp` is what line_stamp() wrote. */
size_t json_line(char *to, const char *stamp, const char *head, size_t head_size, bool partial, const char *p, size_t n);
