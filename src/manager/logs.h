/* `logs`: what services wrote, from files or the journal, merged by time, then what they go on to write. */
#pragma once

#include "manager/manager.h"

int api_logs(VarlinkCall *call, json_object *parameters, void *userdata);
void log_streams_free(Manager *m);
