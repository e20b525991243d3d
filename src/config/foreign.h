/* Files of other supervisors, taken as they are: Procfile, supervisord.conf, PM2's ecosystem files and dumps, process-compose.yaml. Each becomes
 * services in Kingly's own terms, with the other's defaults where they differ from ours. What has no counterpart is said as a warning with its
 * place; nothing is dropped in silence. */
#pragma once

#include "config/config.h"
#include "config/document.h"

typedef enum ForeignFormat { FOREIGN_NONE, FOREIGN_PROCFILE, FOREIGN_SUPERVISORD, FOREIGN_PM2, FOREIGN_PROCESS_COMPOSE } ForeignFormat;

/* By the name of the file, and where that says nothing by a section that only supervisord has; text "": by the name alone. */
ForeignFormat foreign_recognise(const char *name, const char *text);
/* By what a document holds; NULL: FOREIGN_NONE. */
ForeignFormat foreign_recognise_document(const Node *root);
/* "a Procfile", "PM2's ecosystem file", …; "" for FOREIGN_NONE. */
const char *foreign_format_name(ForeignFormat f);
/* Whether the file is a program that has to be run to know what it says (.js, .cjs, .mjs). */
bool foreign_is_program(const char *name);

/* Appends the services to *specs, and to *profiles (a strv) the names of their profiles. directory: absolute, what relative paths are relative to. 0, also when *d got errors (*specs may then hold
 * some of the services), or -ENOMEM. */
int foreign_load(ForeignFormat format, const char *name, const char *directory, const char *text, size_t n, const ConfigOptions *o, SpecList *specs,
                 char ***profiles, Diagnostics *d);
/* The same of a document that was read already, for the formats that are one. */
int foreign_load_document(ForeignFormat format, const char *name, const char *directory, const Node *root, const ConfigOptions *o, SpecList *specs,
                          char ***profiles, Diagnostics *d);
