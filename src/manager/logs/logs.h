/* `logs`: what services wrote, from files or the journal, merged by time, then what they go on to write. */
#pragma once

#include "manager/manager.h"

int api_logs(VarlinkCall *call, json_object *parameters, void *userdata);
/* A run of this instance is about to begin: whoever follows what it is part of, follows it too. */
void logs_instance_begins(const Instance *i);
void log_streams_free(Manager *m);
