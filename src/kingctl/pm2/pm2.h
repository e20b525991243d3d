/* PM2's own command line, for hands and scripts that know it: what stands behind `kingctl pm2`, and behind a link named pm2. It answers in PM2's
 * shapes and with its exit statuses (0 and 1), and does nothing that the API does not offer to everybody. Facts are those of PM2 7.0; where
 * Kingly differs it says so.
 *
 * pm2.c: from words to a verb. options.c: the options. list.c: the processes, and how they are named. act.c: verbs that act on
 * them. start.c: start. files.c: files of applications. table.c, describe.c, json.c: what is shown of them. logs.c: logs.
 * daemon.c: the rest. */
#pragma once

#include "kingctl/ctl.h"
#include "kingctl/reply.h"
#include "kingctl/settle.h"
#include "model/spec.h"

typedef struct Pm2 {
        Ctl *ctl;
        char **words;     /* behind the verb; the strings are borrowed from argv */
        char *const *rest; /* behind "--", borrowed; NULL: there was none */
        json_object *app; /* the options that are keys of an application, as an ecosystem file says them */
        json_object *set; /* the others, by name: their value, or true */
} Pm2;

/* A verb returns 0, 1 when everything is said, or negative with ctl->error. */
typedef int (*Pm2Run)(Pm2 *p);

typedef struct Pm2Verb {
        const char *name;     /* NULL ends the table */
        const char *aliases;  /* separated by blanks, or NULL */
        const char *operands; /* as help shows them */
        const char *help;     /* one line */
        Pm2Run run;           /* NULL: not understood, and help says what to do instead */
        unsigned min;         /* operands */
} Pm2Verb;
extern const Pm2Verb pm2_verbs[];

/* options.c: reads words (NULL-terminated, the verb among them) into p: options anywhere, operands into p->words. -EINVAL, -ENOMEM. */
int pm2_options_parse(Pm2 *p, char *const *words);
void pm2_options_help(FILE *f);
const char *pm2_option(const Pm2 *p, const char *name); /* NULL: not given; "" for one without a value */
static inline bool pm2_given(const Pm2 *p, const char *name) { return pm2_option(p, name); }

/* "[PM2] …" on standard output, unless --silent. */
void pm2_say(const Pm2 *p, const char *format, ...) _printf_(2, 3);
void pm2_warn(const Pm2 *p, const char *format, ...) _printf_(2, 3);
/* "[PM2][ERROR] …" on standard error; returns 1. */
int pm2_fail(const Pm2 *p, const char *format, ...) _printf_(2, 3);

/* ---- processes (list.c) ---- */

typedef struct Pm2Process {
        int64_t id;
        InstanceView view;
        const char *status;                 /* PM2's word for the state */
        json_object *instance, *service, *detail; /* borrowed from the reply */
        bool selected;
} Pm2Process;

typedef struct Pm2List {
        json_object *reply;
        Pm2Process *items; /* by id */
        size_t n;
} Pm2List;
void pm2_list_done(Pm2List *l);
#define _cleanup_pm2_list_ _cleanup_(pm2_list_done)

/* "cluster_mode" or "fork_mode" of a service. */
const char *pm2_mode(json_object *service);
/* All there are; starts a daemon when none runs. */
int pm2_list_fetch(Pm2 *p, Pm2List *ret);
/* Marks what a word names: all, an id, /regular expression/, a name or a script or, when nothing is called so, a namespace. Returns how many. */
size_t pm2_list_select(Pm2List *l, const char *word);
size_t pm2_list_select_service(Pm2List *l, const char *ns, const char *name); /* adds to what is marked */
void pm2_list_clear(Pm2List *l);
const Pm2Process *pm2_list_find(const Pm2List *l, const char *ns, const char *name, int64_t instance);
/* What is marked, as selectors of the API: {"selectors": […]}; services that are marked whole by their name. NULL on OOM. */
json_object *pm2_list_parameters(const Pm2List *l);

/* The words of a command, taken apart as PM2 thinks of it. Borrowed from the service. */
typedef struct Pm2Command {
        const char *interpreter;       /* "none" */
        const char *script;
        json_object *words;
        size_t first_option, n_options; /* of the interpreter, among the words */
        size_t first_argument;          /* of the script */
} Pm2Command;
Pm2Command pm2_command(json_object *service);
const char *pm2_log_path(const Pm2Process *i);   /* "/dev/null" where it goes to no file */
const char *pm2_percent(const Pm2Process *i, char buf[32]); /* of a core: "17.1", "0" */
char *pm2_version_of(const Pm2Process *i);       /* of the nearest package.json; malloc'ed, NULL: not known */

/* ---- verbs ---- */

/* act.c: one call on what is marked, told as PM2 tells it. action: "stopProcessId", left unsaid of a file. */
int pm2_act(Pm2 *p, Pm2List *l, const char *word, const char *action, const char *method);
/* What is marked is reloaded, or restarted where it has no way to be. */
int pm2_reload_selected(Pm2 *p, Pm2List *l);
/* pm2_act without words: what came of each is said, and returned as 0 or 1. Consumes parameters. quiet: failures alone. */
int pm2_call(Pm2 *p, const Pm2List *l, const char *method, json_object *parameters, bool quiet);
/* files.c: whether a word is a file of PM2's (by the end of its name). */
bool pm2_is_file(const char *word);
/* Specs as services with the caller's environment, those that --only leaves; *ret is owned. */
int pm2_services(Pm2 *p, const SpecList *specs, json_object **ret);
/* {"services": …, "origin": …}; consumes services. NULL on OOM. */
json_object *pm2_apply_parameters(json_object *services, bool diff);
/* The applications of a file (or "-"), marked in l as far as they are there. */
int pm2_select_file(Pm2 *p, Pm2List *l, const char *file);
/* Those of a file are started or, if they are there, restarted or reloaded, with what the file says now. */
int pm2_start_file(Pm2 *p, const char *file, bool reload);
/* Applies what the marked services are, with the caller's environment over theirs. */
int pm2_update_environment(Pm2 *p, const Pm2List *l);

/* table.c: the table after an action; --mini-list, --sort. 0 or negative. */
int pm2_show_list(Pm2 *p);
/* json.c: one process as jlist has it; a new reference, NULL on OOM. */
json_object *pm2_process_json(const Pm2Process *i, const char *node_version);
/* logs.c: what is written from now on, of what a word names, until interrupted. */
int pm2_follow(Pm2 *p, const char *word);

int pm2_start(Pm2 *p);
int pm2_start_or_restart(Pm2 *p);
int pm2_start_or_reload(Pm2 *p);
int pm2_stop(Pm2 *p);
int pm2_restart(Pm2 *p);
int pm2_reload(Pm2 *p);
int pm2_delete(Pm2 *p);
int pm2_scale(Pm2 *p);
int pm2_reset(Pm2 *p);
int pm2_signal(Pm2 *p);
int pm2_ls(Pm2 *p);
int pm2_jlist(Pm2 *p);
int pm2_prettylist(Pm2 *p);
int pm2_describe(Pm2 *p);
int pm2_id(Pm2 *p);
int pm2_pid(Pm2 *p);
int pm2_env(Pm2 *p);
int pm2_logs(Pm2 *p);
int pm2_flush(Pm2 *p);
int pm2_reload_logs(Pm2 *p);
int pm2_save(Pm2 *p);
int pm2_resurrect(Pm2 *p);
int pm2_ping(Pm2 *p);
int pm2_kill(Pm2 *p);
int pm2_update(Pm2 *p);
int pm2_monit(Pm2 *p);
int pm2_startup(Pm2 *p);
int pm2_unstartup(Pm2 *p);
int pm2_ecosystem(Pm2 *p);
int pm2_report(Pm2 *p);
