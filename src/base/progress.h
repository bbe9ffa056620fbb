/* A progress line on standard error, only when it is a terminal (or nothing at all with quiet):
 * "train  [#####.....]  412/1000  8.1k tokens/s  loss 2.31  1:12 left". Never writes more than the
 * terminal's width. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

struct base_progress;
struct base_progress *
base_progress_begin(const char *label, const char *unit,
                    uint64_t total); /* total 0 = unknown; NULL is a fine progress */
void base_progress_update(struct base_progress *p, uint64_t done, const char *note);
void base_progress_end(struct base_progress *p); /* clears the line, frees */
void base_progress_quiet(bool quiet);            /* for the whole process */
/* Width of the terminal behind fd, or 80. */
int base_terminal_columns(int fd);
/* Monotonic seconds; for rates and benchmarks only: a clock never decides a result. */
double base_clock(void);
/* Logging to standard error, one line each: base_log("packed %zu matrices"). Quiet silences it. */
void base_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
