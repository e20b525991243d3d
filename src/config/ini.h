/* INI as Python's ConfigParser reads it for supervisord: sections, `key = value` or `key: value`, lines that begin with white space go on with
 * the value above, comments by '#' or ';' at the start of a line and by " ;" behind a value. Keys are lower-case. */
#pragma once

#include "config/foreign_builder.h"

typedef struct IniKey {
        char *name, *value;
        unsigned line;
} IniKey;

typedef struct IniSection {
        char *name;
        unsigned line;
        IniKey *keys;
        size_t n;
} IniSection;

typedef struct Ini {
        IniSection *sections;
        size_t n;
} Ini;

void ini_done(Ini *ini);
#define _cleanup_ini_ _cleanup_(ini_done)

/* Adds to *ini; faults go to f's diagnostics. 0 or -ENOMEM. */
int ini_read(const Foreign *f, const char *text, size_t n, Ini *ini);
const IniKey *ini_find(const IniSection *s, const char *key);         /* NULL */
