/* Must stay true: no two instances have the same number; one that runs keeps its own. */
#include "manager/life/number.h"

void number_give(Instance *i) {
        Manager *m = i->service->manager;

        if (m->n_order <= 1 && i->service->n_instances == 0 && m->next_number != NUMBER_NONE)
                m->next_number = 0;
        i->number = m->next_number;
        if (m->next_number != NUMBER_NONE)
                m->next_number++;
}

void number_return(Instance *i) {
        Manager *m = i->service->manager;

        if (i->number != NUMBER_NONE && i->number + 1 == m->next_number)
                m->next_number--;
        i->number = NUMBER_NONE;
}

static Instance **all_instances(const Manager *m, size_t *ret_n) {
        Instance **all, **end;
        size_t n = 0;

        for (size_t k = 0; k < m->n_order; k++)
                n += m->order[k]->n_instances;
        all = end = calloc(n + 1, sizeof(Instance *));
        for (size_t k = 0; all && k < m->n_order; k++)
                for (size_t i = 0; i < m->order[k]->n_instances; i++)
                        *end++ = m->order[k]->instances[i];
        *ret_n = n;
        return all;
}

/* Those that have none come last. */
static int compare(const void *a, const void *b) {
        uint32_t x = (*(Instance *const *) a)->number, y = (*(Instance *const *) b)->number;

        return (x > y) - (x < y);
}

/* Puts those that are in want of one behind the others. Returns how many have one. */
static size_t find_owners(Instance **all, size_t n) {
        size_t owners = 0;

        qsort(all, n, sizeof(Instance *), compare);
        for (size_t k = 0; k < n; k++)
                if (k > 0 && all[k]->number == all[k - 1]->number)
                        all[k]->number = NUMBER_NONE;
        qsort(all, n, sizeof(Instance *), compare);
        while (owners < n && all[owners]->number != NUMBER_NONE)
                owners++;
        return owners;
}

int numbers_begin(Manager *m) {
        size_t n, owners, owner = 0;
        _cleanup_free_ Instance **all = all_instances(m, &n);
        uint32_t next = 0;

        if (!all)
                return -ENOMEM;
        owners = find_owners(all, n);
        m->next_number = owners > 0 ? all[owners - 1]->number + 1 : 0;
        for (size_t k = 0; k < m->n_order; k++)
                for (size_t i = 0; i < m->order[k]->n_instances; i++) {
                        Instance *wanting = m->order[k]->instances[i];

                        if (wanting->number != NUMBER_NONE)
                                continue;
                        while (owner < owners && all[owner]->number == next)
                                owner++, next++;
                        wanting->number = next++;
                }
        m->next_number = MAX(m->next_number, next);
        return 0;
}
