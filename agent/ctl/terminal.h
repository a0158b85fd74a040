/*
 * agent/ctl/terminal.h: what stdout is: colours, width, and a screen of its own for who redraws it.
 *
 * Who is no terminal gets no colour, no control character and lines as long as they are.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/error.h"
#include "base/strbuf.h"

/* --colour. False: it is none of auto, always, never. */
bool terminal_set_colours(const char *when);
/* auto: a terminal that is not dumb, unless NO_COLOR is set to anything (no-color.org). */
bool colours_wanted(int fd);
/* Columns of the terminal; 0: it is none, or does not say. */
unsigned terminal_width(int fd);

/*
 * The alternate screen, with keys read one by one and not echoed. One at a time. What was there before comes
 * back at terminal_leave(), at exit(), and at signals that end the program.
 */
bool terminal_is_live(void); /* there is one, for keys and for the screen */
int terminal_enter(struct error *err);
void terminal_leave(void); /* nothing to leave: nothing happens */
void terminal_size(unsigned *ret_rows, unsigned *ret_columns);
/* From the top left corner; what was there and is not written over is erased. Cut to the rows there are. */
void terminal_draw(const char *text);
/* A key that was pressed: 'q'; 0: none until then, or the size has changed. A terminal that is gone: 'q'. */
enum { TERMINAL_INTERRUPT = 3 }; /* Ctrl-C */
int YIELDS terminal_key(struct deadline by);
