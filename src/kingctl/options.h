/* The options of kingctl: where their values go, and the parser. A table says everything about an option: the parser, --help, the
 * completions and the manual page read it. */
#pragma once

#include "base/error.h"
#include "base/macro.h"
#include "base/span.h"

typedef enum OutputFormat { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_RAW } OutputFormat; /* raw: of logs alone */

/* Strings are borrowed from argv. */
typedef struct Options {
        /* of every verb */
        int output; /* OutputFormat */
        const char *namespace, *socket;
        usec_t timeout; /* 0: not given */
        usec_t within;  /* likewise */
        bool no_color, quiet, user, system, no_autostart, help, version;
        /* of some */
        bool no_wait, watch, follow, diff, prune, force, no_autorestart, ignore_case, invert, raw, no_prefix, source_maps, flush, reopen, no_profile;
        bool show_secrets, cancel;
        const char *name, *cwd, *scope, *image, *directory, *instances, *memory_max, *since, *until, *grep, *stream, *priority;
        const char *memory_restart, *cron, *timezone, *restart_delay, *backoff_delay; /* of start */
        uint64_t lines;            /* UINT64_MAX: not given */
        const char **env, **files, **cursors, **profiles; /* NULL-terminated; the arrays are owned */
        /* operands before "--", SIZE_MAX without one */
        size_t dashes;
} Options;

void options_init(Options *o);
void options_done(Options *o);

typedef enum OptionType {
        OPTION_FLAG,    /* bool */
        OPTION_STRING,  /* const char * */
        OPTION_STRINGS, /* const char **, may be repeated */
        OPTION_COUNT,   /* uint64_t, decimal */
        OPTION_SPAN,    /* usec_t, more than 0 */
        OPTION_CHOICE,  /* int, index into choices */
        OPTION_WORD,    /* const char *, one of choices */
} OptionType;

typedef struct Option {
        char letter;      /* 0: none */
        const char *name; /* without the dashes; NULL ends a table */
        OptionType type;
        size_t offset;              /* in Options */
        const char *argument;       /* as help calls it; NULL for flags */
        const char *const *choices; /* NULL-terminated */
        const char *help;
} Option;

extern const Option global_options[];

/* Reads args (NULL-terminated, without the program's name) as getopt_long(3) does: options and operands in any order, "--" ends the
 * options,
 * "-fn20" and "-n 20", "-1" is an operand, "--name=x", "--name x" and unambiguous abbreviations. An option is looked up in `options` (may be NULL) first, then
 * among the global ones. first_operand: stop there (it is the verb). The operands go to *operands, an array the caller frees, of
 * strings borrowed from args; *ret_used tells how many of args were read. -EINVAL with *reterr, -ENOMEM. */
int options_parse(const Option *options, char *const *args, bool first_operand, Options *o, char ***ret_operands, size_t *ret_used,
                  KlError *reterr);
