/* The verb events, and the form of an event wherever one is shown. */
#include <stdio.h>

#include "base/strv.h"
#include "kingctl/events.h"
#include "kingctl/logs.h"
#include "kingctl/reply.h"
#include "kingctl/verbs.h"

#define LIMIT_DEFAULT 50

void event_print(FILE *f, json_object *event, bool name, bool colour, const char *indent) {
        const char *service = field_text(event, "name"), *message = field_text(event, "message");
        int64_t time = field_number(event, "time_usec", -1);
        char buf[FORMAT_MAX];

        fputs(indent, f);
        print_coloured(f, colour, COLOUR_DIM, format_local_time(buf, time >= 0 ? (usec_t) time : USEC_INFINITY));
        fputc(' ', f);
        if (name && *service) {
                print_coloured(f, colour, name_colour(service), entry_label(event));
                fputs(": ", f);
        }
        print_text(f, *message ? message : field_text(event, "kind"));
        fputc('\n', f);
}

static void print_event(void *userdata, json_object *event) {
        const Ctl *ctl = userdata;

        if (ctl->options.output != OUTPUT_TABLE)
                print_json(OUTPUT_JSONL, event);
        else
                event_print(stdout, event, true, ctl->colour, "");
}

static json_object *parameters_of(Ctl *ctl, char **args) {
        const Options *o = &ctl->options;
        _cleanup_json_ json_object *p = ctl_selectors(ctl, args, false);
        int r = p ? 0 : -ENOMEM;
        usec_t since = 0;

        if (o->since && parse_time(o->since, now_usec(CLOCK_REALTIME), &since) < 0) {
                ctl_usage(ctl, "--since: \"%s\" is not a time such as \"10m ago\" or 2026-01-31 08:00", o->since);
                return NULL;
        }
        if (r >= 0 && o->since)
                r = json_add(p, "since_usec", json_object_new_int64((int64_t) since));
        if (r >= 0 && (!o->since || o->lines != UINT64_MAX))
                r = json_add(p, "limit", json_object_new_uint64(o->lines != UINT64_MAX ? o->lines : LIMIT_DEFAULT));
        if (r >= 0 && o->follow)
                r = json_add(p, "follow", json_object_new_boolean(true));
        if (r < 0) {
                ctl_oom(ctl);
                return NULL;
        }
        return TAKE_PTR(p);
}

int verb_events(Ctl *ctl, char **args) {
        _cleanup_json_ json_object *p = parameters_of(ctl, args), *reply = NULL;
        json_object *events;
        int r;

        if (!p)
                return -EINVAL;
        r = ctl_connect(ctl, CONNECT_ONLY);
        if (r < 0)
                return r;
        if (ctl->options.follow)
                return follow_stream(ctl, FOLLOW_EVENTS, TAKE_PTR(p), &(FollowView){ .entry = print_event, .userdata = ctl }, NULL);
        r = ctl_call(ctl, "Events", TAKE_PTR(p), &reply);
        if (r < 0)
                return r;
        events = field_array(reply, "events");
        if (ctl->options.output == OUTPUT_JSON && events) {
                print_json(OUTPUT_JSON, events);
                return 0;
        }
        for (size_t i = 0; i < array_length(events); i++)
                print_event(ctl, json_object_array_get_idx(events, i));
        return 0;
}
