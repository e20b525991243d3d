/* The last bit of its time, a microsecond, says which look it is. */
#include "manager/deadline.h"

#define SECOND_LOOK ((usec_t) 1)

static int set_anew(sd_event_source *s, usec_t at) {
        int r = sd_event_source_set_time(s, at);

        return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

int deadline_arm(Manager *m, sd_event_source **source, usec_t at, sd_event_time_handler_t handler, void *userdata) {
        int r;

        at &= ~SECOND_LOOK;
        if (*source)
                return set_anew(*source, at);
        r = sd_event_add_time(m->event, source, CLOCK_MONOTONIC, at, USEC_PER_MSEC, handler, userdata);
        return r < 0 ? r : sd_event_source_set_priority(*source, PRIORITY_TIMER);
}

bool deadline_over(sd_event_source *s, usec_t at) {
        return (at & SECOND_LOOK) || set_anew(s, at | SECOND_LOOK) < 0;
}
