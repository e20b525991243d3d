/* Rules of spec_validate(), one function each. Private to this room. */
#pragma once

#include "model/spec.h"

/* Sets *ret_key and *reterr on a fault, and returns -EINVAL. */
#define FAULT(key, ...) (*ret_key = (key), kl_error_set(reterr, -EINVAL, KL_E_INVALID, __VA_ARGS__))

/* validate_sandbox.c */
int validate_priority(const ServiceSpec *s, const char **ret_key, KlError *reterr);
int validate_syscalls(const ServiceSpec *s, const char **ret_key, KlError *reterr);
int validate_sandbox(const ServiceSpec *s, const char **ret_key, KlError *reterr);

/* validate_probes.c */
int check_probes(const ServiceSpec *s, const char **ret_key, KlError *reterr);

/* validate_sockets.c */
int check_balances(const ServiceSpec *s, const char **ret_key, KlError *reterr);
int check_sockets(const ServiceSpec *s, const char **ret_key, KlError *reterr);
