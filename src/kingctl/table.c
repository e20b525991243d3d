/* Owns the layout of tables. What must stay true: rows are never wider than the terminal unless only uncuttable columns remain, and no line
 * ends in blanks. */
#include "base/text.h"
#include "kingctl/table.h"

#define GAP 2

typedef struct Cell {
        char *text;
        size_t columns;
        Colour colour;
} Cell;

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        Cell *cells;
        size_t n_cells, allocated;
};

Table *table_new(const TableColumn *columns, size_t n) {
        Table *t = calloc(1, sizeof(*t));

        if (t)
                *t = (Table){ .columns = columns, .n_columns = n };
        return t;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        free(t);
        return NULL;
}

int table_add(Table *t, Colour colour, const char *text) {
        char *copy;

        if (!text)
                text = "-";
        if (t->n_cells == t->allocated) {
                size_t n = t->allocated ? 2 * t->allocated : 128;
                Cell *p = reallocarray(t->cells, n, sizeof(*p));

                if (!p)
                        return -ENOMEM;
                t->cells = p;
                t->allocated = n;
        }
        copy = text_escape(text, strlen(text));
        if (!copy)
                return -ENOMEM;
        t->cells[t->n_cells++] = (Cell){ copy, utf8_columns(copy), colour };
        return 0;
}

int table_addf(Table *t, Colour colour, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vprintf(format, ap);
        va_end(ap);
        if (!text)
                return -ENOMEM;
        return table_add(t, colour, text);
}

char *text_ellipsize(const char *s, size_t columns) {
        size_t n = strlen(s), end = 0, used = 0;

        if (utf8_columns(s) <= columns)
                return strdup(s);
        while (end < n) {
                size_t k = MAX(utf8_sequence(s + end, n - end), (size_t) 1);
                char one[5] = "";

                memcpy(one, s + end, k);
                if (used + utf8_columns(one) + 1 > columns)
                        break;
                used += utf8_columns(one);
                end += k;
        }
        return text_printf("%.*s%s", (int) end, s, columns > 0 ? "\u2026" : "");
}

/* Takes columns from the widest of those that may be cut, one at a time: tables are small. */
static void fit(const Table *t, size_t *widths, size_t limit) {
        size_t total = GAP * (t->n_columns - 1);

        for (size_t i = 0; i < t->n_columns; i++)
                total += widths[i];
        for (; limit > 0 && total > limit; total--) {
                size_t widest = SIZE_MAX;

                for (size_t i = 0; i < t->n_columns; i++)
                        if (t->columns[i].floor > 0 && widths[i] > t->columns[i].floor &&
                            (widest == SIZE_MAX || widths[i] > widths[widest]))
                                widest = i;
                if (widest == SIZE_MAX)
                        return;
                widths[widest]--;
        }
}

static void print_cell(FILE *f, const TableColumn *c, const Cell *cell, size_t width, bool last, bool colour) {
        _cleanup_free_ char *cut = cell->columns > width ? text_ellipsize(cell->text, width) : NULL;
        const char *text = cut ? cut : cell->text;
        int pad = (int) (cell->columns >= width ? 0 : width - cell->columns);
        bool on = colour && cell->colour != COLOUR_NONE;

        fprintf(f, "%*s%s%s%s", c->right ? pad : 0, "", colour_begin(on, cell->colour), text, colour_end(on));
        if (!last)
                fprintf(f, "%*s", GAP + (c->right ? 0 : pad), "");
}

void table_print(const Table *t, FILE *f, unsigned width, bool colour) {
        _cleanup_free_ size_t *widths = calloc(t->n_columns, sizeof(size_t));

        if (!widths)
                return;
        for (size_t i = 0; i < t->n_columns; i++)
                widths[i] = utf8_columns(t->columns[i].title);
        for (size_t i = 0; i < t->n_cells; i++)
                widths[i % t->n_columns] = MAX(widths[i % t->n_columns], t->cells[i].columns);
        fit(t, widths, width);
        for (size_t i = 0; i < t->n_columns; i++) {
                Cell title = { (char *) t->columns[i].title, utf8_columns(t->columns[i].title), COLOUR_BOLD };

                print_cell(f, &t->columns[i], &title, widths[i], i + 1 == t->n_columns, colour);
        }
        fputc('\n', f);
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t c = i % t->n_columns;

                print_cell(f, &t->columns[c], &t->cells[i], widths[c], c + 1 == t->n_columns, colour);
                if (c + 1 == t->n_columns)
                        fputc('\n', f);
        }
}
