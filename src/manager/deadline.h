/* Time that somebody else has to do something in. The loop looks at descriptors first and at the clock then, and may have stood still in between: what came in
 * time would be found to be late. So a deadline is over when it is found so at a second look, before which everything that had come by the first is dealt with. */
#pragma once

#include "manager/manager.h"

/* Makes *source, or sets it anew: at, CLOCK_MONOTONIC. */
int deadline_arm(Manager *m, sd_event_source **source, usec_t at, sd_event_time_handler_t handler, void *userdata);
/* The handler's first question, with the time that it was called with: if it is not over, the handler returns and is called again. */
bool deadline_over(sd_event_source *s, usec_t at);
