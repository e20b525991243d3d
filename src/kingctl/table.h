/* Tables: columns as wide as what they hold; where the terminal is narrower, the columns that may are cut with an ellipsis. */
#pragma once

#include "kingctl/output.h"

typedef struct TableColumn {
        const char *title;
        bool right;     /* aligned to the right, for figures */
        unsigned floor; /* may be cut down to this many columns; 0: never cut */
} TableColumn;

typedef struct Table Table;

Table *table_new(const TableColumn *columns, size_t n); /* columns are borrowed; NULL on OOM */
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free);
/* The next cell, row by row, escaped. NULL text is shown as "-". 0 or -ENOMEM. */
int table_add(Table *t, Colour colour, const char *text);
int table_addf(Table *t, Colour colour, const char *format, ...) _printf_(3, 4);
/* width 0: no limit. */
void table_print(const Table *t, FILE *f, unsigned width, bool colour);

/* Cuts s to at most `columns` columns, the last being an ellipsis when something was cut. malloc'ed, NULL on OOM. */
char *text_ellipsize(const char *s, size_t columns);
