/* The pipes between services whose log.to is exec and their collectors (model/collect.h). One for each instance of a collector; held by the keeper
 * too, so that what has been written waits for whoever reads next, over the death of the collector and of the manager. */
#pragma once

#include "manager/manager.h"

/* A write end for a run of the service that is to start, the caller's. -ENOENT with reterr when nothing collects it. */
int collector_writer(const Instance *i, int *ret_fd, KlError *reterr);
/* A read end for a run of the collector that is to start, the caller's. */
int collector_reader(Instance *collector, int *ret_fd);
/* A collector that was found alive goes on with its pipe. */
void collector_adopt(Instance *collector);
/* The collector is to stop. True: it will, by the end of its input, for nobody is left that it collects; false: it needs a signal. */
bool collector_end_input(Instance *collector);
/* It is stopped for good: nobody will read what is left. Does nothing for what is no collector. */
void collector_forget(Instance *i);
void collector_free(Instance *i);              /* our descriptors only */
/* The service that collects it, or NULL. */
Service *collector_of(const Service *s);
