/* Values of other services: ${service.NAME.port}, .host, .address and .socket of its `sockets`, ${service.NAME.env.VARIABLE} of its `env`. */
#pragma once

#include "config/loader.h"

/* Expands what was left to it, when all files were opened and before their services are read. What leads nowhere or in a circle is said at its place.
 * 0 or -ENOMEM. */
int references_resolve(Loader *l);
