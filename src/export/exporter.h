/* What the formats share: the walk over the keys that differ from their defaults, notes, and two kinds of paper (unit files, documents). */
#pragma once

#include "base/text.h"
#include "export/export.h"

typedef enum UnitSection { SECTION_UNIT, SECTION_CONTAINER, SECTION_SERVICE, SECTION_INSTALL, _SECTION_MAX } UnitSection;

typedef struct Exporter {
        const ServiceSpec *spec;
        const ExportOptions *options;
        Export *out;
        unsigned instances;
        Buffer sections[_SECTION_MAX];       /* of a unit file */
        json_object *document;               /* borrowed: where documents set their keys */
        json_object *container;              /* borrowed: Kubernetes' container within it */
} Exporter;

typedef struct ExportRow {
        const char *key;                     /* of spec_keys; NULL ends the table */
        const char *as;                      /* where its text goes as it is; or */
        int (*emit)(Exporter *x, const SpecKey *k);  /* 0, or -errno; NULL with as == NULL: means nothing there, and is no loss */
} ExportRow;

/* Every key that differs from its default, by its row in one of the tables (NULL-terminated); `plain` puts a text where `as` says. A key without
 * a row is noted. */
int export_walk(Exporter *x, const ExportRow *const *tables, int (*plain)(Exporter *x, const char *as, const char *text));
int export_note(Exporter *x, const char *format, ...) _printf_(2, 3);
/* "KEY has no counterpart". */
int export_note_key(Exporter *x, const SpecKey *k);
/* "KEY: every container has that". */
int export_note_container(Exporter *x, const SpecKey *k);

/* The name there: "web", or "shop-web" outside the namespace default. malloc'ed. */
char *export_name(const ServiceSpec *s);
/* The same for a dependency; *ret_instances (may be NULL) is how many there are of it, 1 when it is not known. */
char *export_dependency_name(const Exporter *x, const Dependency *d, unsigned *ret_instances);
/* Takes name and text (or document), also on failure. */
int export_add(Export *out, char *name, char *text, json_object *document);

/* ---- documents ---- */

/* Sets "a.b.c" below o, making the maps between. Owns value; NULL counts as out of memory. */
int export_set(json_object *o, const char *path, json_object *value);
int export_set_text(json_object *o, const char *path, const char *text);
/* Appends to the list at the path. */
int export_push(json_object *o, const char *path, json_object *value);
json_object *export_strv(char *const *l);

/* Compose replaces $NAME; "$$" is a dollar. malloc'ed. */
char *export_escape_compose(const char *text);

/* ---- probes ---- */

int export_probe_kubernetes(Exporter *x, const SpecKey *k);
int export_probe_compose(Exporter *x, const SpecKey *k);
int export_probe_quadlet(Exporter *x, const SpecKey *k);
int export_probe_systemd(Exporter *x, const SpecKey *k);

/* ---- units ---- */

int unit_line(Exporter *x, UnitSection s, const char *name, const char *value);
/* A word as systemd.syntax(7) and systemd.service(5) read it: quoted where needed, % and (in commands) $ doubled. */
int unit_word(Buffer *b, const char *word, bool command);
/* All sections that hold anything, as one text; malloc'ed. */
char *unit_text(Exporter *x);
void exporter_done(Exporter *x);
#define _cleanup_exporter_ _cleanup_(exporter_done)

int export_systemd(Exporter *x);
int export_quadlet(Exporter *x);
int export_compose(Exporter *x);
int export_kubernetes(Exporter *x);

/* Restart, limits of restarts and timeouts: said always, because systemd has other defaults. */
int unit_lifecycle(Exporter *x);
int unit_dependencies(Exporter *x);
int unit_environment(Exporter *x, UnitSection section);
int unit_command(Exporter *x, UnitSection section, const char *name);
/* `start`, such as "ExecStop=-", and a command behind it. */
int unit_words(Exporter *x, UnitSection section, const char *start, char *const *words);
/* hooks.c */
extern const ExportRow unit_hook_rows[], kubernetes_hook_rows[];
/* The sections become files: NAME.suffix, or NAME@.suffix and NAME.target with several instances. */
int unit_finish(Exporter *x, const char *suffix);
/* schedule.c: NAME.timer, where the service has a schedule. */
int export_timer(Exporter *x);
extern const ExportRow unit_schedule_rows[];
/* A set of numbers as "1,3-5", `range` standing between the ends; "*" for all of them. */
int export_numbers(Buffer *b, uint64_t mask, unsigned min, unsigned max, const char *range);
/* The schedule as the five fields of crontab(5), malloc'ed. 1; 0: it cannot be said so; -errno. */
int export_five_fields(const ServiceSpec *s, char **ret);
/* sockets.c: a socket unit for each, and what the service says of them. */
int unit_sockets(Exporter *x, const SpecKey *k);
int note_idle(Exporter *x, const SpecKey *k);
/* units.c: rows that a service section has whatever runs in it. */
extern const ExportRow unit_service_rows[];
/* sandbox.c: rows of a unit that systemd itself executes. */
extern const ExportRow unit_sandbox_rows[];
