/* The one table of what kingctl can do: the dispatcher, --help, the completions and the manual page come from it. */
#pragma once

#include <stdio.h>

#include "kingctl/ctl.h"

typedef struct VerbExample {
        const char *command, *what;
} VerbExample;

typedef enum Operand { /* what may stand behind the verb; for completion */
                       OPERAND_NONE,
                       OPERAND_SERVICE,
                       OPERAND_FILE,
                       OPERAND_START,
                       OPERAND_VERB,
                       OPERAND_SHELL,
} Operand;

/* args: the operands, NULL-terminated. 0; an exit status above 0 when everything is said; negative with ctl->error. */
typedef int (*VerbRun)(Ctl *ctl, char **args);

typedef struct Verb {
        const char *name;            /* NULL ends the table */
        const char *aliases;         /* separated by blanks, or NULL */
        const char *synopsis;        /* the operands; several forms are separated by newlines */
        const char *help;            /* one line */
        const char *details;         /* paragraphs, separated by empty lines */
        const VerbExample *examples; /* ends with command == NULL */
        const Option *options;       /* beside the global ones, or NULL */
        VerbRun run;
        Operand operand;
        const char *const *first;    /* words that the first operand is one of, or often one of; `operand` tells of the others. NULL-terminated, or NULL */
        unsigned min, max; /* operands; max 0: none, UINT_MAX: any number */
        bool hidden;
        bool raw;          /* what stands behind it is its own: it gets all words as they are, options too */
} Verb;

extern const Verb verbs[];
extern const char *const selectors_help; /* what a SELECTOR is, one paragraph */
bool verb_takes_selectors(const Verb *v);

const Verb *verb_find(const char *name); /* by name or alias; NULL */
/* The name nearest to a mistyped one, NULL. */
const char *verb_nearest(const char *name);

int verb_start(Ctl *ctl, char **args);
int verb_stop(Ctl *ctl, char **args);
int verb_restart(Ctl *ctl, char **args);
int verb_reload(Ctl *ctl, char **args);
int verb_delete(Ctl *ctl, char **args);
int verb_scale(Ctl *ctl, char **args);
int verb_signal(Ctl *ctl, char **args);
int verb_send(Ctl *ctl, char **args);
int verb_reset(Ctl *ctl, char **args);
int verb_env(Ctl *ctl, char **args);
int verb_pid(Ctl *ctl, char **args);
int verb_tree(Ctl *ctl, char **args);
int verb_apply(Ctl *ctl, char **args);
int verb_export(Ctl *ctl, char **args);
int verb_monit(Ctl *ctl, char **args);
int verb_import(Ctl *ctl, char **args);
int verb_save(Ctl *ctl, char **args);
int verb_check(Ctl *ctl, char **args);
int verb_pm2(Ctl *ctl, char **words);
int verb_list(Ctl *ctl, char **args);
int verb_status(Ctl *ctl, char **args);
int verb_describe(Ctl *ctl, char **args);
int verb_logs(Ctl *ctl, char **args);
int verb_events(Ctl *ctl, char **args);
int verb_doctor(Ctl *ctl, char **args);
int verb_ping(Ctl *ctl, char **args);
int verb_version(Ctl *ctl, char **args);
int verb_reexec(Ctl *ctl, char **args);
int verb_shutdown(Ctl *ctl, char **args);
int verb_help(Ctl *ctl, char **args);
int verb_complete(Ctl *ctl, char **args);
int verb_names(Ctl *ctl, char **args);
int verb_man(Ctl *ctl, char **args);
int verb_catalog(Ctl *ctl, char **args);
int verb_man_file(Ctl *ctl, char **args);
int verb_schema(Ctl *ctl, char **args);

/* help.c: usage of kingctl, or of one verb. */
void help_print(FILE *f, bool colour);
void help_print_verb(FILE *f, const Verb *v, bool colour);
