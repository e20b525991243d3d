/* Profiles: overlays with a name. At the top of a file one lies over `defaults:`, within a service over that service. */
#pragma once

#include "config/fields.h"

#define PROFILES_MAX 16 /* in force at a time */

typedef struct Profiles {
        char **names;  /* all that the file has, each once */
        char **chosen; /* those of them that are in force, in the order in which they are laid over each other */
} Profiles;
void profiles_done(Profiles *p);
#define _cleanup_profiles_ _cleanup_(profiles_done)

/* The names in the map `profiles` (NULL: none) are added; what is no map of maps is said. 0 or -ENOMEM. */
int profiles_add(Profiles *p, const FieldReader *f, const Node *profiles);
int profiles_add_name(Profiles *p, const char *name);
/* What of the file's profiles is in force: those of the options, else those under which one of these services ("namespace/name",
 * NULL-terminated) was applied before. 0, -ENOMEM, or what the hook of the options gave. */
int profiles_choose(Profiles *p, const ConfigOptions *o, char *const *services);

/* The value of `profiles` in a map; NULL without one, or when it is no map (which was said). */
const Node *profiles_of(const Node *map);
/* `map`, then what the profiles in force lay over it; how many there are. */
size_t profiles_layers(const Profiles *p, const Node *map, const Node *profiles, const Node *layers[1 + PROFILES_MAX]);
/* Those of the options that are none of `names`, all that the files at hand have, are said in *d. 0 or -ENOMEM. */
int profiles_check(const ConfigOptions *o, char *const *names, Diagnostics *d);
