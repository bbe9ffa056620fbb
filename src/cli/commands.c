/* The table of commands, finding one by its name, and what to say when there is none. */
#include "cli/internal.h"
#include <string.h>

/* Weak, so that a command whose file is not there yet leaves a NULL in the table. */
#define DECLARE(group, identifier)                                                                 \
    extern const struct cli_command cli_command_##identifier __attribute__((weak));
CLI_COMMANDS(DECLARE)
#define ROW(group, identifier) { group, &cli_command_##identifier },
const struct cli_row cli_rows[] = { CLI_COMMANDS(ROW) };
const size_t cli_row_count = sizeof cli_rows / sizeof *cli_rows;

/* Optimal string alignment distance: insert, delete, replace, swap neighbours; strings up to 63. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b), rows[3][MAX];
    if (n >= MAX || m >= MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < best) {
                best = above2[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *cli_nearest(const char *s, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    size_t best = strlen(s) / 2 + 1; /* half of the letters wrong is another word */
    for (size_t i = 0; i < n; i++) {
        size_t distance = edit_distance(s, names[i]);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

const struct cli_command *cli_find(int n, char *const *argv, int *words)
{
    for (int count = n < 2 ? n : 2; count > 0; count--) {
        char name[128];
        snprintf(name, sizeof name, count == 2 ? "%s %s" : "%s", argv[0],
                 count == 2 ? argv[1] : "");
        for (size_t i = 0; i < cli_row_count; i++) {
            if (cli_rows[i].command && strcmp(cli_rows[i].command->name, name) == 0) {
                *words = count;
                return cli_rows[i].command;
            }
        }
    }
    return NULL;
}

int cli_unknown(int n, char *const *argv)
{
    const char *names[sizeof cli_rows / sizeof *cli_rows];
    size_t count = 0, length = strlen(argv[0]);
    bool group = false;
    for (size_t i = 0; i < cli_row_count; i++) {
        const struct cli_command *c = cli_rows[i].command;
        if (c) {
            names[count++] = c->name;
            if (strncmp(c->name, argv[0], length) == 0 && c->name[length] == ' ') {
                fprintf(stderr,
                        group ? ", `assay %s`" : "assay %s: give its second word: `assay %s`",
                        group ? c->name : argv[0], c->name);
                group = true;
            }
        }
    }
    if (group) {
        fputc('\n', stderr);
        return 2;
    }
    char two[128];
    snprintf(two, sizeof two, "%s %s", argv[0], n > 1 ? argv[1] : "");
    const char *near = cli_nearest(argv[0], names, count);
    near = near || n < 2 ? near : cli_nearest(two, names, count);
    fprintf(stderr, "assay: \"%s\" is not a command", argv[0]);
    if (near) {
        fprintf(stderr, "; did you mean `assay %s`?", near);
    }
    fputs("\n`assay help` lists all commands.\n", stderr);
    return 2;
}
