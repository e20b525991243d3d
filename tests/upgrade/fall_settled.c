/* A manager that falls when it has taken up everything, the state in its new form too, and has not said that it serves. */
#include <stdlib.h>

struct Link;
int __wrap_link_settled(struct Link *l);
int __wrap_link_settled(struct Link *l) {
        abort();
}
