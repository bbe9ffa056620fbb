/* The option parser, through a command of its own, and the program's own words: help, version, unknown
 * commands, man pages, completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "support.h"
