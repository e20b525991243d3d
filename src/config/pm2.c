/* PM2's ecosystem files and dumps → services, with PM2's defaults where they differ from ours: restart after any exit, SIGINT to the whole tree and
 * 1600 ms, sixteen restarts within their minimum uptime. */
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "config/pm2.h"

/* ---- the command ---- */

/* The interpreter of a script by the end of its name, NULL for one that is run itself. */
static const char *interpreter_of(const char *script) {
        static const struct {
                const char *suffix, *program;
        } known[] = {
                { ".js", "node" },   { ".mjs", "node" },   { ".cjs", "node" }, { ".py", "python3" }, { ".sh", "bash" }, { ".rb", "ruby" },
                { ".php", "php" },   { ".pl", "perl" },    { ".ts", "bun" },   { ".tsx", "bun" },    { ".coffee", "coffee" },
        };
        const char *dot = strrchr(script, '.');

        for (size_t i = 0; dot && i < ARRAY_SIZE(known); i++)
                if (streq(known[i].suffix, dot))
                        return known[i].program;
        return NULL;
}

static bool is_file(const char *path) {
        struct stat st;

        return stat(path, &st) >= 0 && S_ISREG(st.st_mode);
}

/* A text is split as a shell would, a list is taken as it is. */
static int append_words(const App *a, const Node *n, char ***words) {
        _cleanup_strv_ char **split = NULL;
        int r = 0;

        if (!n)
                return 0;
        if (n->kind == NODE_SCALAR) {
                r = strv_split_command(n->text, &split);
                if (r < 0)
                        return r == -ENOMEM ? r : foreign_fault(a->f, place_of(n), "%s: the quotes do not match", a->name);
                STRV_FOREACH(w, split)
                        if ((r = strv_append(words, *w)) < 0)
                                return r;
                return 0;
        }
        for (size_t i = 0; n->kind == NODE_LIST && i < n->n && r >= 0; i++)
                if (n->items[i]->kind == NODE_SCALAR)
                        r = strv_append(words, n->items[i]->text);
        return r;
}

/* A line with blanks that names no file is the shell's. */
static int set_shell_line(App *a, const char *script) {
        _cleanup_strv_ char **args = NULL;
        _cleanup_free_ char *rest = NULL, *line = NULL;
        int r = append_words(a, pm2_find(a->map, "args", NULL), &args);

        if (r < 0)
                return r;
        rest = args ? strv_join(args, " ") : strdup("");
        line = rest ? text_printf("%s%s%s", script, *rest ? " " : "", rest) : NULL;
        if (!line)
                return -ENOMEM;
        r = foreign_set(a->service, "shell", json_object_new_boolean(true));
        return r < 0 ? r : foreign_set_text(a->service, "command", line);
}

static int set_command(App *a) {
        const Node *script = pm2_find(a->map, "script", "exec") ?: pm2_find(a->map, "cmd", "command") ?: pm2_find(a->map, "pm_exec_path", NULL);
        const char *interpreter = pm2_text(pm2_find(a->map, "interpreter", "exec_interpreter"));
        _cleanup_free_ char *path = NULL;
        _cleanup_strv_ char **words = NULL;
        bool file;
        int r;

        if (!pm2_text(script) || !*script->text)
                return foreign_fault(a->f, place_of(script ?: a->map), "%s: no `script`", a->name);
        path = path_absolute(script->text, a->cwd);
        if (!path)
                return -ENOMEM;
        file = is_file(path);
        if (!file && strchr(script->text, ' '))
                return set_shell_line(a, script->text);
        if (!interpreter)
                interpreter = file ? interpreter_of(script->text) : NULL;
        else if (streq(interpreter, "none"))
                interpreter = NULL;
        r = interpreter ? strv_append(&words, interpreter) : 0;
        if (r >= 0 && interpreter)
                r = append_words(a, pm2_find(a->map, "node_args", "interpreter_args"), &words);
        /* What is no file is looked for in PATH, as `npm`. */
        if (r >= 0)
                r = strv_append(&words, file || strchr(script->text, '/') ? path : script->text);
        if (r >= 0)
                r = append_words(a, pm2_find(a->map, "args", NULL), &words);
        return r < 0 ? r : foreign_set_strv(a->service, "command", words);
}

/* ---- the file ---- */

/* "api" of "./src/api.js"; malloc'ed. */
static char *name_of_script(const char *script) {
        _cleanup_free_ char *path = strdup(script);
        size_t n = path ? strlen(path) : 0;
        const char *slash, *base, *dot;

        if (!path)
                return NULL;
        while (n > 1 && path[n - 1] == '/')
                path[--n] = '\0';
        slash = strrchr(path, '/');
        base = slash ? slash + 1 : path;
        dot = strrchr(base, '.');
        return strndup(base, dot && dot > base ? (size_t) (dot - base) : strcspn(base, " "));
}

/* A dump has an entry for each process: the first stands for all of its name. */
static int64_t count_of(const Node *list, const Node *map, bool *ret_first) {
        const char *name = pm2_text(pm2_find(map, "name", NULL));
        int64_t n = 0;

        *ret_first = true;
        for (size_t i = 0; list && name && i < list->n; i++) {
                const Node *other = list->items[i];
                const char *its = other->kind == NODE_MAP && pm2_find(other, "pm_exec_path", NULL) ? pm2_text(pm2_find(other, "name", NULL)) : NULL;

                if (!its || !streq(its, name))
                        continue;
                if (n++ == 0)
                        *ret_first = other == map;
        }
        return n;
}

static int read_app(const Foreign *f, const Node *map, const Node *list) {
        _cleanup_json_ json_object *service = json_object_new_object();
        _cleanup_free_ char *made = NULL, *cwd = NULL;
        const char *name, *script, *directory;
        App a = { .f = f, .map = map, .service = service };
        size_t errors = f->diagnostics->errors;
        int64_t count;
        bool first;
        int r;

        if (map->kind != NODE_MAP)
                return foreign_fault(f, place_of(map), "expected an application with `name` and `script`");
        count = count_of(list, map, &first);
        if (!first)
                return 0;
        name = pm2_text(pm2_find(map, "name", NULL));
        script = pm2_text(pm2_find(map, "script", "exec")) ?: pm2_text(pm2_find(map, "pm_exec_path", "cmd")) ?: "";
        directory = pm2_text(pm2_find(map, "cwd", "pm_cwd"));
        made = name ? strdup(name) : name_of_script(script);
        cwd = foreign_path(f, directory ?: ".");
        if (!service || !made || !cwd)
                return -ENOMEM;
        a.name = made;
        a.cwd = cwd;
        if ((r = foreign_set_text(service, "cwd", cwd)) < 0 || (r = set_command(&a)) < 0)
                return r;
        r = pm2_read_keys(&a);
        if (r >= 0 && count > 1)
                r = foreign_set(service, "instances", json_object_new_int64(count));
        /* What was refused was said where it stands. */
        if (r < 0 || f->diagnostics->errors > errors)
                return r;
        return foreign_add(f, place_of(map), pm2_text(pm2_find(map, "namespace", NULL)), made, TAKE_PTR(service));
}

static int read_apps(const Foreign *f, const Node *list) {
        int r = 0;

        if (list->kind == NODE_MAP)
                return node_find(list, "apps") ? read_apps(f, node_find(list, "apps")->value) : read_app(f, list, NULL);
        if (list->kind != NODE_LIST || list->n == 0)
                return foreign_fault(f, place_of(list), "apps: expected a list of applications");
        for (size_t i = 0; i < list->n && r >= 0; i++)
                r = read_app(f, list->items[i], list);
        return r;
}

int pm2_load(const Foreign *f, const Node *root) {
        static const char *const others[] = { "deploy", "static" };
        const Node *apps = root->kind == NODE_MAP ? pm2_find(root, "apps", "pm2") : NULL;
        int r = 0;

        for (size_t i = 0; root->kind == NODE_MAP && i < ARRAY_SIZE(others) && r >= 0; i++)
                if (pm2_find(root, others[i], NULL))
                        r = foreign_note(f, place_of(pm2_find(root, others[i], NULL)), "%s has no counterpart", others[i]);
        return r < 0 ? r : read_apps(f, apps ?: root);
}
