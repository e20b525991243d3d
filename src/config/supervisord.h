/* Between supervisord.c (files, groups, programs) and supervisord_keys.c (what a key of a program means). */
#pragma once

#include "config/ini.h"

/* A file, and where it stands. */
typedef struct Source {
        Foreign f;                     /* messages are about this file */
        Ini ini;
        char *path, *directory;        /* of an included one */
} Source;
typedef struct Sources {
        Source *items;                 /* the first is the one that includes the others */
        size_t n;
} Sources;
void sources_done(Sources *s);
#define _cleanup_sources_ _cleanup_(sources_done)
/* supervisord_files.c: the text and what it includes; 0 (faults are said) or -ENOMEM. */
int sources_read(const Foreign *f, const char *text, size_t n, Sources *to);
const IniSection *sources_find(const Sources *s, const char *name);   /* the first of that name, or NULL */

typedef struct Supervisord {
        const Foreign *f;              /* of the first file, which [supervisord] stands in */
        const Sources *sources;
        const IniSection *daemon;      /* [supervisord], or NULL */
} Supervisord;

typedef struct Program {
        const Supervisord *supervisord;
        const Foreign *f;              /* of the file it stands in */
        const IniSection *section;
        const char *name, *group;
        unsigned number, count;
        bool numbered;                 /* one of several services */
        json_object *service;
} Program;

static inline Place place_of_key(const IniKey *k) {
        return (Place) { k ? k->line : 1, 1 };
}

/* %(name)s and %(process_num)02d in a value. 0 and malloc'ed text; -EINVAL when it could not be expanded, which was said; -ENOMEM. */
int supervisord_expand(const Program *p, const IniKey *k, char **ret);
/* One key of a program into its service. 0 or -ENOMEM. */
int supervisord_read_key(Program *p, const IniKey *k);
/* supervisord_sockets.c: the keys of [fcgi-program:x]. */
int supervisord_socket(Program *p, const IniKey *k, const char *value);
int supervisord_socket_backlog(Program *p, const IniKey *k, const char *value);
int supervisord_socket_mode(Program *p, const IniKey *k, const char *value);
int supervisord_socket_owner(Program *p, const IniKey *k, const char *value);
