/* A blocking Varlink client with deadlines, for kingctl. Depends on json-c alone. */
#pragma once

#include "varlink/varlink.h"

typedef struct VarlinkClient VarlinkClient;

#define VARLINK_SEND_TIMEOUT (30 * USEC_PER_SEC) /* for varlink_client_more to get rid of its message */

/* The path may be longer than sun_path holds (unix(7)). -ENOENT / -ECONNREFUSED: nobody listens; -EACCES; -ETIMEDOUT. */
int varlink_client_connect(const char *path, usec_t timeout, VarlinkClient **ret);
VarlinkClient *varlink_client_free(VarlinkClient *c);
DEFINE_CLEANUP(VarlinkClient *, varlink_client_free);
int varlink_client_fd(const VarlinkClient *c);

/* One call, one reply. `parameters` is consumed (NULL allowed). On success 0 and *ret (owned). When the server answered with an error:
 * -EREMOTEIO and *reterr with the id (the part behind the last dot), message and hint from its parameters. -ETIMEDOUT, -ECONNRESET,
 * -EBADMSG otherwise, with *reterr set too; after any of these the connection is of no more use (-ENOTCONN). */
int varlink_client_call(VarlinkClient *c, const char *method, json_object *parameters, usec_t timeout, json_object **ret, KlError *reterr);
/* The same with "more": then varlink_client_next until it returns 0. */
int varlink_client_more(VarlinkClient *c, const char *method, json_object *parameters, KlError *reterr);
/* 1: *ret is a reply and more will follow; 0: *ret is the last one; errors as above. timeout USEC_INFINITY waits for ever; -EINTR when a
 * signal arrived. */
int varlink_client_next(VarlinkClient *c, usec_t timeout, json_object **ret, KlError *reterr);
