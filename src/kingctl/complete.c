/* Completion scripts for bash, zsh and fish, written from the tables of verbs and options. They ask `kingctl _names` for what runs, which
 * starts no daemon and is silent when there is none. */
#include <stdio.h>

#include "kingctl/verbs.h"

/* What an option's value is, by what help calls it. */
static bool takes_file(const Option *o) {
        return streq(o->argument, "FILE") || streq(o->argument, "PATH");
}

static bool takes_directory(const Option *o) {
        return streq(o->argument, "DIR");
}

/* Text inside single quotes; `specials` get a backslash in front besides. */
static void print_quoted(const char *s, const char *quote, const char *specials) {
        for (; *s; s++) {
                if (*s == '\'')
                        fputs(quote, stdout);
                else if (strchr(specials, *s))
                        printf("\\%c", *s);
                else
                        fputc(*s, stdout);
        }
}

/* verb and its aliases, as alternatives of a shell pattern */
static void print_alternatives(const Verb *v, const char *separator) {
        fputs(v->name, stdout);
        for (const char *p = v->aliases; p && *p; p += strspn(p, " ")) {
                size_t n = strcspn(p, " ");

                printf("%s%.*s", separator, (int) n, p);
                p += n;
        }
}

static void print_choices(const Option *o) {
        for (size_t i = 0; o->choices && o->choices[i]; i++)
                printf("%s%s", i > 0 ? " " : "", o->choices[i]);
}

/* ---- bash ---- */

static void bash_option_names(const Option *options) {
        for (const Option *o = options; o && o->name; o++) {
                if (o->letter)
                        printf("-%c ", o->letter);
                printf("--%s ", o->name);
        }
}

static void bash_pattern(const Option *o) {
        if (o->letter)
                printf("-%c|", o->letter);
        printf("--%s", o->name);
}

static void print_words(const char *const *words) {
        for (; *words; words++)
                printf("%s%s", *words, words[1] ? " " : "");
}

static void bash_taking(const Option *options, const char *separator) {
        for (const Option *o = options; o && o->name; o++)
                if (o->argument) {
                        fputs(separator, stdout);
                        bash_pattern(o);
                        separator = "|";
                }
}

/* Options that take the word behind them, to be skipped on the way to the verb, and to the first operand where that is one of some words. */
static void bash_skipped(void) {
        bash_taking(global_options, "");
        for (const Verb *v = verbs; v->name; v++)
                if (v->first)
                        bash_taking(v->options, "|");
}

static void bash_values(const Option *options) {
        for (const Option *o = options; o && o->name; o++) {
                if (!o->argument)
                        continue;
                fputs("\t\t", stdout);
                bash_pattern(o);
                fputs(") ", stdout);
                if (o->choices) {
                        fputs("words='", stdout);
                        print_choices(o);
                        fputs("'", stdout);
                } else
                        fputs(takes_file(o) ? "files=-f" : takes_directory(o) ? "files=-d" : "return", stdout);
                fputs(";;\n", stdout);
        }
}

static const char *bash_operands(Operand o) {
        switch (o) {
        case OPERAND_SERVICE:
                return "names=1";
        case OPERAND_FILE:
                return "files=-f";
        case OPERAND_START:
                return "names=1 files=-f";
        case OPERAND_VERB:
                return "names=2";
        case OPERAND_SHELL:
        case OPERAND_NONE:
                break;
        }
        return "";
}

static void bash_verb(const Verb *v) {
        fputc('\t', stdout);
        print_alternatives(v, "|");
        fputs(")\n\t\tcase $prev in\n", stdout);
        bash_values(v->options);
        bash_values(global_options); /* the first match wins: logs -n is not the global one */
        fputs("\t\t*) words=\"", stdout);
        bash_option_names(v->options);
        printf("$globals\" %s", bash_operands(v->operand));
        if (v->first) {
                fputs("; ((n)) || { words+='", stdout);
                print_words(v->first);
                fputs("'; names=; }", stdout);
        }
        fputs(";;\n\t\tesac;;\n", stdout);
}

static void complete_bash(void) {
        fputs("# bash completion of kingctl, written by: kingctl _complete bash\n"
              "_kingctl() {\n"
              "\tlocal line=${COMP_LINE:0:COMP_POINT} cur prev=${COMP_WORDS[COMP_CWORD-1]} verb= words= files= names= n=0 i\n"
              "\tlocal globals='",
              stdout);
        bash_option_names(global_options);
        fputs("' verbs='", stdout);
        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        printf("%s ", v->name);
        fputs("'\n"
              "\t# The word as it was typed: bash itself splits at : and =\n"
              "\tcur=${line##*[[:space:]]}\n"
              "\tif [[ $cur == --*=* ]]; then prev=${cur%%=*}; elif [[ $prev == [:=] ]]; then prev=; fi\n"
              "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
              "\t\tcase ${COMP_WORDS[i]} in\n"
              "\t\t",
              stdout);
        bash_skipped();
        fputs(") ((i++));;\n"
              "\t\t--) [[ $verb == start ]] && { COMPREPLY=($(compgen -c -f -- \"$cur\")); return; };;\n"
              "\t\t-*|=) ;;\n"
              "\t\t*) [[ $verb ]] && ((n++)); verb=${verb:-${COMP_WORDS[i]}};;\n"
              "\t\tesac\n"
              "\tdone\n"
              "\tcase $verb in\n"
              "\t'')\n\t\tcase $prev in\n",
              stdout);
        bash_values(global_options);
        fputs("\t\t*) words=\"$verbs $globals\";;\n\t\tesac;;\n", stdout);
        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        bash_verb(v);
        fputs("\tesac\n"
              "\t[[ $names == 1 && $cur != -* ]] && words+=$(kingctl _names 2>/dev/null)\n"
              "\t[[ $names == 2 ]] && words+=$verbs\n"
              "\t[[ $cur == --*=* ]] && cur=${cur#*=}\n"
              "\tCOMPREPLY=($(compgen ${files:+$files} -W \"$words\" -- \"$cur\"))\n"
              "\t[[ $files ]] && compopt -o filenames 2>/dev/null\n"
              "\tlocal colon=${cur%\"${cur##*:}\"}\n"
              "\t[[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && COMPREPLY=(\"${COMPREPLY[@]#\"$colon\"}\")\n"
              "\treturn 0\n"
              "}\n"
              "complete -F _kingctl kingctl kingly\n",
              stdout);
}

/* ---- zsh ---- */

static void zsh_option(const Option *o) {
        const char *repeat = o->type == OPTION_STRINGS ? "*" : "";

        fputs(" \\\n\t\t\t", stdout);
        if (o->letter && !*repeat)
                printf("'(-%c --%s)'", o->letter, o->name);
        else if (*repeat)
                fputs("'*'", stdout);
        if (o->letter)
                printf("{-%c%s,--%s%s}'[", o->letter, o->argument ? "+" : "", o->name, o->argument ? "=" : "");
        else
                printf("'--%s%s[", o->name, o->argument ? "=" : "");
        print_quoted(o->help, "'\\''", "[]\\");
        fputc(']', stdout);
        if (o->argument) {
                printf(":%s:", o->argument);
                if (o->choices) {
                        fputc('(', stdout);
                        print_choices(o);
                        fputc(')', stdout);
                } else
                        fputs(takes_file(o) ? "_files" : takes_directory(o) ? "_files -/" : " ", stdout);
        }
        fputc('\'', stdout);
}

static bool overridden(const Verb *v, const Option *global) {
        for (const Option *o = v->options; o && o->name; o++)
                if (o->letter == global->letter && o->letter)
                        return true;
        return false;
}

static void zsh_verb(const Verb *v) {
        static const char *const operands[] = {
                [OPERAND_NONE] = "",
                [OPERAND_SERVICE] = "'*:service:_kingctl_services'",
                [OPERAND_FILE] = "'*:file:_files'",
                [OPERAND_START] = "'*::service or file:_kingctl_start'",
                [OPERAND_VERB] = "'1:verb:_kingctl_verbs'",
                [OPERAND_SHELL] = "",
        };

        fputs("\t\t(", stdout);
        print_alternatives(v, "|");
        fputs(")\n\t\t\t_arguments -s", stdout);
        for (const Option *o = v->options; o && o->name; o++)
                zsh_option(o);
        for (const Option *o = global_options; o->name; o++) {
                Option copy = *o;

                if (overridden(v, o))
                        copy.letter = 0;
                zsh_option(&copy);
        }
        if (v->first) {
                fputs(" \\\n\t\t\t'1:word:(", stdout);
                print_words(v->first);
                fputs(")'", stdout);
        }
        if (*operands[v->operand])
                printf(" \\\n\t\t\t%s", operands[v->operand]);
        fputs("\n\t\t\t;;\n", stdout);
}

static void complete_zsh(void) {
        fputs("#compdef kingctl kingly\n"
              "# zsh completion of kingctl, written by: kingctl _complete zsh\n"
              "_kingctl_services() {\n"
              "\tlocal -a names\n"
              "\tnames=(${(f)\"$(_call_program services kingctl _names 2>/dev/null)\"})\n"
              "\tcompadd -a names\n"
              "}\n"
              "_kingctl_start() {\n"
              "\tif (( ${words[(I)--]} )); then\n"
              "\t\tshift $(( words[(i)--] )) words\n"
              "\t\tCURRENT=$#words\n"
              "\t\t_normal\n"
              "\telse\n"
              "\t\t_kingctl_services\n"
              "\t\t_files\n"
              "\tfi\n"
              "}\n"
              "_kingctl_verbs() {\n"
              "\tlocal -a verbs\n"
              "\tverbs=(\n",
              stdout);
        for (const Verb *v = verbs; v->name; v++) {
                if (v->hidden)
                        continue;
                printf("\t\t'%s:", v->name);
                print_quoted(v->help, "'\\''", ":\\");
                fputs("'\n", stdout);
        }
        fputs("\t)\n"
              "\t_describe verb verbs\n"
              "}\n"
              "_kingctl() {\n"
              "\tlocal curcontext=$curcontext state line\n"
              "\t_arguments -C -s",
              stdout);
        for (const Option *o = global_options; o->name; o++)
                zsh_option(o);
        fputs(" \\\n\t\t'1:verb:_kingctl_verbs' '*::argument:->arguments'\n"
              "\t[[ $state == arguments ]] || return\n"
              "\tcase $line[1] in\n",
              stdout);
        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        zsh_verb(v);
        fputs("\tesac\n}\n_kingctl \"$@\"\n", stdout);
}

/* ---- fish ---- */

static void fish_option(const Option *o, const Verb *v, bool letter) {
        fputs("complete -c kingctl", stdout);
        if (v) {
                fputs(" -n '__fish_seen_subcommand_from ", stdout);
                print_alternatives(v, " ");
                fputc('\'', stdout);
        }
        if (o->letter && letter)
                printf(" -s %c", o->letter);
        printf(" -l %s", o->name);
        if (o->argument) {
                fputs(takes_file(o) || takes_directory(o) ? " -r -F" : " -x", stdout);
                if (o->choices) {
                        fputs(" -a '", stdout);
                        print_choices(o);
                        fputc('\'', stdout);
                }
        }
        fputs(" -d '", stdout);
        print_quoted(o->help, "\\'", "\\");
        fputs("'\n", stdout);
}

static bool letter_is_free(char letter) {
        for (const Verb *v = verbs; v->name; v++)
                for (const Option *o = v->options; o && o->name; o++)
                        if (o->letter == letter)
                                return false;
        return true;
}

/* The words that come first, until one of them stands there. */
static void fish_first(const Verb *v) {
        fputs("complete -c kingctl -n '__fish_seen_subcommand_from ", stdout);
        print_alternatives(v, " ");
        fputs("; and not __fish_seen_subcommand_from ", stdout);
        print_words(v->first);
        fputs("' -a '", stdout);
        print_words(v->first);
        fputs("'\n", stdout);
}

static void fish_verb(const Verb *v) {
        printf("complete -c kingctl -n __fish_use_subcommand -a %s -d '", v->name);
        print_quoted(v->help, "\\'", "\\");
        fputs("'\n", stdout);
        for (const Option *o = v->options; o && o->name; o++)
                fish_option(o, v, true);
        if (v->operand == OPERAND_NONE || v->operand == OPERAND_SHELL)
                return;
        if (v->first)
                fish_first(v);
        fputs("complete -c kingctl -n '__fish_seen_subcommand_from ", stdout);
        print_alternatives(v, " ");
        if (v->first) {
                fputs("; and __fish_seen_subcommand_from ", stdout);
                print_words(v->first);
        }
        fputc('\'', stdout);
        if (v->operand == OPERAND_FILE || v->operand == OPERAND_START)
                fputs(" -F", stdout);
        if (v->operand == OPERAND_SERVICE || v->operand == OPERAND_START)
                fputs(" -a '(kingctl _names 2>/dev/null)'", stdout);
        if (v->operand == OPERAND_VERB) {
                fputs(" -a '", stdout);
                for (const Verb *i = verbs; i->name; i++)
                        if (!i->hidden)
                                printf("%s ", i->name);
                fputc('\'', stdout);
        }
        fputc('\n', stdout);
}

static void complete_fish(void) {
        fputs("# fish completion of kingctl, written by: kingctl _complete fish\n"
              "complete -c kingctl -f\n"
              "complete -c kingly -w kingctl\n",
              stdout);
        for (const Option *o = global_options; o->name; o++)
                fish_option(o, NULL, letter_is_free(o->letter));
        for (const Verb *v = verbs; v->name; v++)
                if (!v->hidden)
                        fish_verb(v);
}

int verb_complete(Ctl *ctl, char **args) {
        static const struct {
                const char *shell;
                void (*print)(void);
        } shells[] = {
                { "bash", complete_bash },
                { "zsh", complete_zsh },
                { "fish", complete_fish },
        };

        for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
                if (streq(shells[i].shell, args[0])) {
                        shells[i].print();
                        return 0;
                }
        return ctl_usage(ctl, "%s: no completion for this shell; bash, zsh and fish have one", args[0]);
}
