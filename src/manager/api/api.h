/* io.kingly.Manager: parameters in, calls into the other files, objects out. No decision is made here. */
#pragma once

#include "manager/life/service.h"
#include "manager/manager.h"
#include "model/plan.h"

extern const VarlinkInterface api_interface;
int api_permission(void *userdata, uid_t uid, gid_t gid, pid_t pid);

int api_list(VarlinkCall *call, json_object *parameters, void *userdata);
int api_describe(VarlinkCall *call, json_object *parameters, void *userdata);
int api_reexec(VarlinkCall *call, json_object *parameters, void *userdata);
int api_status(VarlinkCall *call, json_object *parameters, void *userdata);
int api_doctor(VarlinkCall *call, json_object *parameters, void *userdata);
int api_start(VarlinkCall *call, json_object *parameters, void *userdata);
int api_stop(VarlinkCall *call, json_object *parameters, void *userdata);
int api_restart(VarlinkCall *call, json_object *parameters, void *userdata);
int api_reload(VarlinkCall *call, json_object *parameters, void *userdata);
int api_delete(VarlinkCall *call, json_object *parameters, void *userdata);
int api_send(VarlinkCall *call, json_object *parameters, void *userdata);
int api_signal(VarlinkCall *call, json_object *parameters, void *userdata);
int api_reset(VarlinkCall *call, json_object *parameters, void *userdata);
int api_environment(VarlinkCall *call, json_object *parameters, void *userdata);
int api_scale(VarlinkCall *call, json_object *parameters, void *userdata);
int api_flush_logs(VarlinkCall *call, json_object *parameters, void *userdata);
int api_reopen_logs(VarlinkCall *call, json_object *parameters, void *userdata);
int api_profiles(VarlinkCall *call, json_object *parameters, void *userdata);
int api_apply(VarlinkCall *call, json_object *parameters, void *userdata);
int api_events(VarlinkCall *call, json_object *parameters, void *userdata);
int api_logs(VarlinkCall *call, json_object *parameters, void *userdata);

/* Answers with the error if there is one to tell, else passes r up to the server. */
int api_fail(VarlinkCall *call, const KlError *e, int r);
/* The parameter `secrets`: whether what is hidden by default was asked for. -EINVAL, or -EPERM for those who may only look, with reterr. */
int api_secrets(VarlinkCall *call, json_object *parameters, bool *ret, KlError *reterr);
/* The answer; NULL, which is what is left of one that there was no memory for, fails the call. */
int api_reply(VarlinkCall *call, json_object *reply);
/* Both consume the value and bear a container that could not be made: what is missing from an answer is better than no daemon. A NULL
 * value sets null and pushes nothing. */
void json_set(json_object *o, const char *key, json_object *value);
void json_push(json_object *array, json_object *value);
void json_reverse(json_object *array);
json_object *json_text(const char *s);                       /* NULL gives null */
json_object *json_u64(uint64_t v, uint64_t unknown);         /* `unknown` gives null */
