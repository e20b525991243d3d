/* What reaches the terminal: escaped always, coloured only where someone looks. */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/span.h"
#include "kingctl/options.h"

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_RED,
        COLOUR_GREEN,
        COLOUR_YELLOW,
        COLOUR_BLUE,
        COLOUR_MAGENTA,
        COLOUR_CYAN,
        COLOUR_DIM,
        COLOUR_BOLD,
        _COLOUR_MAX
} Colour;

/* Whether to colour a stream: it is a terminal that understands, and neither NO_COLOR nor the option speaks against it. */
bool colour_wanted(FILE *f, bool no_color);
/* Columns of the terminal behind the stream; 0: no terminal, no limit. */
unsigned terminal_width(FILE *f);

/* The escape sequence that begins a colour, "" when `on` is false. colour_end ends any of them. */
const char *colour_begin(bool on, Colour c);
const char *colour_end(bool on);
Colour state_colour(const char *state);
/* A steady colour for a name, to tell the lines of several services apart. */
Colour name_colour(const char *name);

/* Control characters and bytes that are not text are shown as \xNN. */
void print_text(FILE *f, const char *s);
/* The same in a colour. */
void print_coloured(FILE *f, bool on, Colour c, const char *s);

/* A paragraph that grows by pieces: lines break at blanks, those after the first begin with `indent` blanks, and only a word that is longer than
 * a line, or a piece that goes on with a word (a colon), makes one longer than `width` columns (0: never broken). `column` is where the
 * line is at, before `blanks` that are not written yet. */
typedef struct Paragraph {
        FILE *f;
        size_t width, indent, column, blanks;
        bool colour;
} Paragraph;
/* Adds text, escaped, in a colour. */
void paragraph_add(Paragraph *p, Colour c, const char *text);
/* Ends the line and, where it is wanted, begins another one of the same paragraph, at the indent. */
void paragraph_break(Paragraph *p, bool another);

/* A document on stdout. An array is printed as one document or, as OUTPUT_JSONL, as one line an element. */
void print_json(int format, json_object *o);
/* One object without a line break in it. */
void print_json_line(json_object *o, bool newline);

/* "2026-01-02 03:04:05.006" in local time. */
const char *format_local_time(char buf[FORMAT_MAX], usec_t realtime);
/* How long ago, "3h 2m"; "0s" for a time to come. */
const char *format_ago(char buf[FORMAT_MAX], usec_t realtime);
/* A time to come: "in 3h 12m, Sun 03:00"; within a minute "in 20s"; days ahead the date instead of the weekday. */
const char *format_due(char buf[FORMAT_MAX], usec_t realtime);
/* "1 service", "2 services" */
const char *plural(int64_t n, const char *one, const char *many);
