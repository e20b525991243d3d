/* A file of ours as a whole → its services. */
#pragma once

#include "config/loader.h"

/* Hands every service to the loader. root must live as long as it; NULL and directory as in a FieldReader. What is wrong is said in the loader's
 * diagnostics; 0, -ENOMEM, or what the hook of the options gave. */
int root_read(Loader *l, const char *file, const char *directory, const Node *root);
