/* Who a service runs as and what environment it gets: a pure function of the file, its env_file and the user database. */
#pragma once

#include "keeper/wire.h"
#include "manager/manager.h"

typedef struct Identity {
        bool set;                          /* user or group given: the child changes to it */
        uid_t uid;
        gid_t gid;
        uint32_t groups[WIRE_GROUPS_MAX];
        size_t n_groups;
        char name[64], home[256], shell[128];
} Identity;

int identity_resolve(const ServiceSpec *spec, Identity *ret, KlError *reterr);
int environment_build(const Instance *i, const Identity *id, char ***ret, KlError *reterr);
/* The file to execute for the first word of a command: as given if it has a slash, else found in the PATH of that environment. malloc'ed. */
int command_resolve(const ServiceSpec *spec, const char *name, char *const *env, char **ret, KlError *reterr);
