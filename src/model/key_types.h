/* How values of each KeyType are read, written, compared, copied and freed: one row of operations per type. Private to this room. */
#pragma once

#include "model/spec.h"

typedef struct KeyOps {
        const char *expects;       /* noun for messages; NULL: made from the names of the key */
        size_t size;               /* bytes of the field */
        const void *unset;         /* `size` bytes; NULL: zeroes */
        /* Scalars. parse: 0, -EINVAL, -ERANGE (outside min and max), -ENOMEM; *field changes only on success. format: *ret NULL where unset. */
        int (*parse)(const SpecKey *k, void *field, const char *text);
        int (*format)(const SpecKey *k, const void *field, char **ret);
        /* Collections: text for people, NULL on OOM; not called for empty ones. */
        char *(*show)(const SpecKey *k, const void *s);
        /* Fields that own memory; the others are plain bytes. */
        bool (*equal)(const void *a, const void *b);
        int (*copy)(void *to, const void *from);     /* `to` owns nothing yet, and still does not on -ENOMEM */
        void (*done)(void *field);
} KeyOps;

extern const KeyOps key_ops[_KEY_TYPE_MAX];

static inline void *key_field(const SpecKey *k, const void *s) {
        return (char *) s + k->offset;
}

/* key_scalars.c */
int key_string_parse(const SpecKey *k, void *field, const char *text);
int key_name_parse(const SpecKey *k, void *field, const char *text);
int key_path_parse(const SpecKey *k, void *field, const char *text);
int key_bool_parse(const SpecKey *k, void *field, const char *text);
int key_int32_parse(const SpecKey *k, void *field, const char *text);
int key_uint32_parse(const SpecKey *k, void *field, const char *text);
int key_uint64_parse(const SpecKey *k, void *field, const char *text);
int key_span_parse(const SpecKey *k, void *field, const char *text);
int key_size_parse(const SpecKey *k, void *field, const char *text);
int key_percent_parse(const SpecKey *k, void *field, const char *text);
int key_factor_parse(const SpecKey *k, void *field, const char *text);
int key_octal_parse(const SpecKey *k, void *field, const char *text);
int key_enum_parse(const SpecKey *k, void *field, const char *text);
int key_signal_parse(const SpecKey *k, void *field, const char *text);
int key_instances_parse(const SpecKey *k, void *field, const char *text);
/* socket_keys.c */
int key_weights_parse(const SpecKey *k, void *field, const char *text);
int key_string_format(const SpecKey *k, const void *field, char **ret);
int key_bool_format(const SpecKey *k, const void *field, char **ret);
int key_int32_format(const SpecKey *k, const void *field, char **ret);
int key_uint32_format(const SpecKey *k, const void *field, char **ret);
int key_uint64_format(const SpecKey *k, const void *field, char **ret);
int key_span_format(const SpecKey *k, const void *field, char **ret);
int key_size_format(const SpecKey *k, const void *field, char **ret);
int key_percent_format(const SpecKey *k, const void *field, char **ret);
int key_factor_format(const SpecKey *k, const void *field, char **ret);
int key_octal_format(const SpecKey *k, const void *field, char **ret);
int key_enum_format(const SpecKey *k, const void *field, char **ret);
int key_signal_format(const SpecKey *k, const void *field, char **ret);
int key_instances_format(const SpecKey *k, const void *field, char **ret);
bool key_string_equal(const void *a, const void *b);
int key_string_copy(void *to, const void *from);
void key_string_done(void *field);

/* key_probe.c */
char *key_probe_show(const SpecKey *k, const void *s);
bool key_probe_equal(const void *a, const void *b);
int key_probe_copy(void *to, const void *from);
void key_probe_done(void *field);

/* redact.c */
char *key_credentials_show(const SpecKey *k, const void *s);

/* key_lists.c */
char *key_headers_show(const SpecKey *k, const void *s);
char *key_strv_show(const SpecKey *k, const void *s);
char *key_command_show(const SpecKey *k, const void *s);
char *key_depends_show(const SpecKey *k, const void *s);
char *key_devices_show(const SpecKey *k, const void *s);
char *key_codes_show(const SpecKey *k, const void *s);
char *key_sockets_show(const SpecKey *k, const void *s);
bool key_strv_equal(const void *a, const void *b);
bool key_depends_equal(const void *a, const void *b);
bool key_devices_equal(const void *a, const void *b);
bool key_sockets_equal(const void *a, const void *b);
bool key_codes_equal(const void *a, const void *b);
int key_strv_copy(void *to, const void *from);
int key_depends_copy(void *to, const void *from);
int key_devices_copy(void *to, const void *from);
int key_sockets_copy(void *to, const void *from);
int key_codes_copy(void *to, const void *from);
void key_strv_done(void *field);
void key_depends_done(void *field);
void key_devices_done(void *field);
void key_sockets_done(void *field);
void key_codes_done(void *field);
