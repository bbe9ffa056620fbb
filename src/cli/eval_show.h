/* What `assay eval` prints for people: metrics with intervals, strategies side by side, notes. */
#ifndef CLI_EVAL_SHOW_H
#define CLI_EVAL_SHOW_H
#include "cli/display.h"

/* report: the object that --json prints (docs/eval.md). */
int cli_eval_lay_out(struct base_buffer *b, const json_t *report);
#endif
