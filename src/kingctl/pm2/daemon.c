/* PM2's verbs about the daemon, and those that keep a list for later. Kingly keeps its state by itself; save and resurrect do what their users
 * mean by them all the same: go back to what there was. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/text.h"
#include "kingctl/output.h"
#include "kingctl/pm2/pm2.h"
#include "kingctl/verbs.h"

int pm2_ping(Pm2 *p) {
        _cleanup_json_ json_object *reply = NULL;
        int r = ctl_connect(p->ctl, CONNECT_START);

        if (r >= 0)
                r = ctl_call(p->ctl, "Ping", NULL, &reply);
        if (r >= 0)
                puts("{ msg: 'pong' }");
        return r;
}

int pm2_kill(Pm2 *p) {
        int r;

        p->ctl->options.quiet = true;
        r = verb_shutdown(p->ctl, NULL);
        if (r < 0 && !streq(p->ctl->error.id, KL_E_NO_DAEMON))
                return r;
        pm2_say(p, "[v] All Applications Stopped");
        pm2_say(p, "[v] PM2 Daemon Stopped");
        if (r >= 0)
                pm2_say(p, "They come back with the daemon; kingctl pm2 delete all, before, forgets them");
        return 0;
}

int pm2_update(Pm2 *p) {
        char *none[] = { NULL };
        int r = ctl_connect(p->ctl, CONNECT_START);

        if (r >= 0)
                r = verb_reexec(p->ctl, none);
        if (r == 0)
                pm2_say(p, ">>>>>>>>>> PM2 updated");
        return r;
}

int pm2_monit(Pm2 *p) {
        char *none[] = { NULL };
        int r = ctl_connect(p->ctl, CONNECT_START);

        return r < 0 ? r : verb_monit(p->ctl, none);
}

int pm2_report(Pm2 *p) {
        char *none[] = { NULL };
        int r = ctl_connect(p->ctl, CONNECT_START);

        if (r >= 0)
                r = verb_version(p->ctl, none);
        if (r == 0)
                r = verb_doctor(p->ctl, none);
        return r != 0 ? r : pm2_show_list(p);
}

/* ---- with the machine ---- */

static int say_unit(const Pm2 *p, const char *what, const char *action) {
        bool user = options_user(&p->ctl->options);
        const char *whose = pm2_option(p, "user");

        if (!daemon_has_unit(user))
                return pm2_fail(p, "%s: no kingd.service is installed here: make install puts it there", what);
        if (whose)
                printf("[PM2] To %s at boot, as root:\nsystemctl --machine=%s@.host --user %s --now kingd && loginctl enable-linger %s\n", what, whose, action, whose);
        else
                printf("[PM2] To %s at boot:\nsystemctl %s%s --now kingd\n", what, user ? "--user " : "", action);
        return 0;
}

int pm2_startup(Pm2 *p) {
        return say_unit(p, "start services", "enable");
}

int pm2_unstartup(Pm2 *p) {
        return say_unit(p, "no longer start services", "disable");
}

/* ---- ecosystem ---- */

static const char sample[] = "module.exports = {\n"
                             "  apps: [{\n"
                             "    name: 'app',\n"
                             "    script: './app.js',\n"
                             "    instances: 1,\n"
                             "    env: { NODE_ENV: 'development' },\n"
                             "    env_production: { NODE_ENV: 'production' }\n"
                             "  }]\n"
                             "};\n";

int pm2_ecosystem(Pm2 *p) {
        _cleanup_free_ char *path = path_absolute("ecosystem.config.js", NULL);
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (!path)
                return ctl_oom(p->ctl);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0)
                return pm2_fail(p, "%s: %s", path, errno == EEXIST ? "is there already and stays as it is" : strerror(errno));
        r = fd_write_all(fd, sample, strlen(sample));
        if (r < 0)
                return pm2_fail(p, "%s: %s", path, strerror(-r));
        printf("File %s generated\n", path);
        return 0;
}

/* ---- save and resurrect ---- */

#define DUMP_MAX (32 * 1024 * 1024)

/* Where the caller keeps such things; malloc'ed. */
static char *dump_path(const Pm2 *p) {
        const char *home = getenv("KINGLY_HOME"), *state = getenv("XDG_STATE_HOME"), *user = getenv("HOME");
        _cleanup_free_ char *joined = NULL;

        if (home && *home)
                joined = path_join(home, "pm2-dump.json");
        else if (!options_user(&p->ctl->options))
                joined = strdup("/var/lib/kingly/pm2-dump.json");
        else if (state && state[0] == '/')
                joined = path_join(state, "kingly/pm2-dump.json");
        else
                joined = path_join(user ?: "/", ".local/state/kingly/pm2-dump.json");
        return joined ? path_absolute(joined, NULL) : NULL;
}

/* {"services": [{"wanted", "service": what Apply takes}]}; *ret_n: how many. */
static int make_dump(Pm2 *p, json_object **ret, size_t *ret_n) {
        _cleanup_json_ json_object *parameters = ctl_selectors(p->ctl, NULL, true), *reply = NULL, *dump = json_object_new_object();
        json_object *l = json_object_new_array(), *services;
        int r = json_add(dump, "services", l);

        if (r >= 0)
                r = json_add(parameters, "secrets", json_object_new_boolean(true));
        if (r < 0)
                return ctl_oom(p->ctl);
        r = ctl_call(p->ctl, "Describe", json_object_get(parameters), &reply);
        if (r < 0)
                return r;
        services = field_array(reply, "services");
        for (size_t i = 0; i < array_length(services); i++) {
                json_object *from = json_object_array_get_idx(services, i), *one = json_object_new_object();

                if (json_add(one, "wanted", json_object_new_boolean(field_bool(from, "wanted"))) < 0 ||
                    json_add(one, "service", json_object_get(field_object(from, "changed"))) < 0 || json_object_array_add(l, one) < 0)
                        return ctl_oom(p->ctl);
        }
        *ret_n = array_length(services);
        *ret = TAKE_PTR(dump);
        return 0;
}

static int write_dump(Pm2 *p, json_object *dump) {
        _cleanup_free_ char *path = dump_path(p), *directory = path ? strdup(path) : NULL;
        const char *text = json_object_to_json_string_ext(dump, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
        int r;

        if (!directory || !text)
                return ctl_oom(p->ctl);
        *strrchr(directory, '/') = '\0';
        r = mkdir_parents(directory, 0700);
        if (r >= 0)
                r = write_file_atomic(path, text, strlen(text), 0600);
        if (r < 0)
                return pm2_fail(p, "%s: %s", path, strerror(-r));
        pm2_say(p, "Successfully saved in %s", path);
        return 0;
}

int pm2_save(Pm2 *p) {
        _cleanup_json_ json_object *dump = NULL;
        size_t n = 0;
        int r = ctl_connect(p->ctl, CONNECT_START);

        if (r >= 0)
                r = make_dump(p, &dump, &n);
        if (r < 0)
                return r;
        pm2_say(p, "Saving current process list...");
        if (n == 0 && !pm2_given(p, "force")) {
                pm2_warn(p, "PM2 is not managing any process, skipping save...");
                pm2_warn(p, "To force saving use: pm2 save --force");
                return 0;
        }
        return write_dump(p, dump);
}

/* Those of the dump that are not there, by whether they were to run. */
static json_object *missing(const Pm2List *l, json_object *saved, bool wanted) {
        _cleanup_json_ json_object *services = json_object_new_array(), *parameters = json_object_new_object();

        for (size_t i = 0; services && i < array_length(saved); i++) {
                json_object *one = json_object_array_get_idx(saved, i), *service = field_object(one, "service");

                if (!service || field_bool(one, "wanted") != wanted || pm2_list_find(l, field_text(service, "namespace"), field_text(service, "name"), 0))
                        continue;
                if (json_object_array_add(services, json_object_get(service)) < 0)
                        return NULL;
        }
        if (json_add(parameters, "services", TAKE_PTR(services)) < 0 || json_add_string(parameters, "origin", "kingctl pm2") < 0 ||
            json_add(parameters, "start", json_object_new_boolean(wanted)) < 0)
                return NULL;
        return TAKE_PTR(parameters);
}

static int restore(Pm2 *p, const Pm2List *l, json_object *saved, bool wanted) {
        _cleanup_json_ json_object *parameters = missing(l, saved, wanted);
        json_object *services = field_array(parameters, "services");
        int r;

        if (!parameters)
                return ctl_oom(p->ctl);
        if (array_length(services) == 0)
                return 0;
        r = pm2_call(p, NULL, "Apply", json_object_get(parameters), true);
        for (size_t i = 0; i < array_length(services) && r >= 0; i++)
                pm2_say(p, "Process %s restored", field_text(json_object_array_get_idx(services, i), "name"));
        return r;
}

int pm2_resurrect(Pm2 *p) {
        _cleanup_free_ char *path = dump_path(p), *text = NULL;
        _cleanup_json_ json_object *dump = NULL;
        _cleanup_pm2_list_ Pm2List l = {};
        json_object *saved;
        int r, failed, shown;

        pm2_say(p, "Resurrecting");
        r = pm2_list_fetch(p, &l);
        if (r < 0 || !path)
                return path ? r : ctl_oom(p->ctl);
        pm2_say(p, "Restoring processes located in %s", path);
        r = read_file_at(AT_FDCWD, path, DUMP_MAX, &text, NULL);
        if (r == -ENOENT)
                return pm2_fail(p, "No processes saved; %s doesn't exist: kingctl pm2 save makes it", path);
        dump = r >= 0 ? json_tokener_parse(text) : NULL;
        saved = field_array(dump, "services");
        if (!saved)
                return pm2_fail(p, "%s: %s", path, r < 0 ? strerror(-r) : "not what kingctl pm2 save writes");
        failed = restore(p, &l, saved, true);
        r = failed < 0 ? failed : restore(p, &l, saved, false);
        shown = r >= 0 ? pm2_show_list(p) : r;
        return shown < 0 ? shown : MAX(r, failed);
}
