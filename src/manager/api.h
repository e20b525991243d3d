/* io.kingly.Manager: parameters in, calls into the other files, objects out. No decision is made here. */
#pragma once

#include "manager/manager.h"
#include "manager/service.h"
#include "model/plan.h"

extern const VarlinkInterface api_interface;
int api_permission(void *userdata, uid_t uid, gid_t gid, pid_t pid);

int api_list(VarlinkCall *call, json_object *parameters, void *userdata);
int api_describe(VarlinkCall *call, json_object *parameters, void *userdata);
int api_status(VarlinkCall *call, json_object *parameters, void *userdata);
int api_doctor(VarlinkCall *call, json_object *parameters, void *userdata);
int api_start(VarlinkCall *call, json_object *parameters, void *userdata);
int api_stop(VarlinkCall *call, json_object *parameters, void *userdata);
int api_restart(VarlinkCall *call, json_object *parameters, void *userdata);
int api_delete(VarlinkCall *call, json_object *parameters, void *userdata);
int api_apply(VarlinkCall *call, json_object *parameters, void *userdata);
int api_events(VarlinkCall *call, json_object *parameters, void *userdata);
int api_logs(VarlinkCall *call, json_object *parameters, void *userdata);

/* Answers with the error if there is one to tell, else passes r up to the server. */
int api_fail(VarlinkCall *call, const KlError *e, int r);
json_object *json_text(const char *s);                       /* NULL gives null */
json_object *json_u64(uint64_t v, uint64_t unknown);         /* `unknown` gives null */
