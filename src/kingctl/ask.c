/* The verbs env and pid: plain lines for scripts. */
#include <stdio.h>

#include "kingctl/output.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

static int ask(Ctl *ctl, const char *method, char **args, const char *field, json_object **ret_reply, json_object **ret_list) {
        int r = ctl_connect(ctl, CONNECT_ONLY);

        if (r >= 0)
                r = ctl_call(ctl, method, ctl_secrets(ctl, ctl_selectors(ctl, args, false)), ret_reply);
        if (r >= 0)
                *ret_list = field_array(*ret_reply, field);
        return r;
}

int verb_env(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL;
        json_object *list = NULL;
        int r = ask(ctl, "Environment", args, "environments", &reply, &list);

        if (r < 0)
                return r;
        if (ctl->options.output != OUTPUT_TABLE && list) {
                print_json(ctl->options.output, list);
                return 0;
        }
        for (size_t i = 0; i < array_length(list); i++) {
                json_object *o = json_object_array_get_idx(list, i), *env = field_array(o, "environment");

                if (array_length(list) > 1)
                        printf("%s# %s\n", i > 0 ? "\n" : "", entry_label(o));
                for (size_t k = 0; k < array_length(env); k++) {
                        print_text(stdout, json_object_get_string(json_object_array_get_idx(env, k)));
                        fputc('\n', stdout);
                }
        }
        return 0;
}

int verb_pid(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *reply = NULL, *pids = json_object_new_array();
        json_object *list = NULL;
        int r = ask(ctl, "List", args, "instances", &reply, &list);

        if (r < 0)
                return r;
        for (size_t i = 0; i < array_length(list); i++) {
                int64_t pid = field_number(json_object_array_get_idx(list, i), "pid", 0);

                if (pid > 0 && json_object_array_add(pids, json_object_new_int64(pid)) < 0)
                        return ctl_oom(ctl);
        }
        if (ctl->options.output != OUTPUT_TABLE)
                print_json(ctl->options.output, pids);
        else
                for (size_t i = 0; i < array_length(pids); i++)
                        printf("%" PRIi64 "\n", json_object_get_int64(json_object_array_get_idx(pids, i)));
        if (array_length(pids) > 0)
                return 0;
        if (!ctl->options.quiet)
                ctl_complain(ctl, "none of them runs", NULL);
        return 1;
}
