/* What the command line's own files share; commands do not need it. */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H
#include "base/buffer.h"
#include "cli/cli.h"

struct cli_row {
    const char *group;
    const struct cli_command *command; /* NULL when it is not linked */
};
extern const struct cli_row cli_rows[];
extern const size_t cli_row_count;

/* The command argv[0..n) begins with (two-word names first) and how many words its name has; NULL.
 */
const struct cli_command *cli_find(int n, char *const *argv, int *words);
/* Prints what is wrong about an unknown command, with the nearest name; returns 2. */
int cli_unknown(int n, char *const *argv);
/* The name nearest to s by edit distance, of `n` names; NULL when none is near. */
const char *cli_nearest(const char *s, const char *const *names, size_t n);

/* An option as help, man page and completion see it. */
typedef void cli_option_fn(void *context, const struct cli_option *option, bool common);
/* Calls fn for every option of the command, its own first. */
void cli_describe(const struct cli_command *command, cli_option_fn *fn, void *context);

/* Help on one command; on all; as troff; completion script for "bash", "zsh" or "fish". Each
 * appends to b; columns is the width to fill. */
void cli_help_command(struct base_buffer *b, const struct cli_command *command, int columns,
                      bool bold);
void cli_help_all(struct base_buffer *b, int columns, bool bold);
void cli_help_man(struct base_buffer *b, const struct cli_command *command /* NULL: assay(1) */);
int cli_completion(struct base_buffer *b, const char *shell);
/* Prints help on a command to stdout, for --help. */
void cli_help_print(const struct cli_command *command);
/* Frees what option parsing allocated. */
void cli_release(void);
#endif
