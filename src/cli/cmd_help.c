/* assay help [COMMAND], and the man pages and completion scripts that `make install` installs. */
#include "cli/internal.h"
#include "base/file.h"
#include "base/progress.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_help = {
    .name = "help",
    .synopsis = "[options] [COMMAND]",
    .summary = "Show all commands, or how to use one of them",
    .details = "Without COMMAND, lists the commands. With it, shows its options and examples; "
               "`assay COMMAND --help` does the same.\n\n"
               "  assay help next\n"
               "  assay help --man tokenizer train | man -l -\n"
               "  source <(assay help --completion bash)\n",
    .run = run,
};

static json_t *list_commands(void)
{
    json_t *commands = json_array();
    for (size_t i = 0; i < cli_row_count && commands; i++) {
        const struct cli_command *c = cli_rows[i].command;
        if (c && json_array_append_new(commands, json_pack("{ssssssss}", "name", c->name, "group",
                                                           cli_rows[i].group, "summary", c->summary,
                                                           "synopsis", c->synopsis))) {
            json_decref(commands);
            return NULL;
        }
    }
    return json_pack("{ssso}", "version", ASSAY_VERSION, "commands", commands);
}

static int run(int argc, char **argv)
{
    bool man = false, names = false;
    const char *shell = NULL;
    const struct cli_option options[] = {
        { "man", 0, CLI_FLAG, &man, NULL, "Print a man page (troff)." },
        { "names", 0, CLI_FLAG, &names, NULL, "Print the names of all commands, one per line." },
        { "completion", 0, CLI_STRING, &shell, "SHELL",
          "Print a completion script for bash, zsh or fish." },
        { 0 },
    };
    int n;
    int rc = cli_parse(&cli_command_help, options, false, argc, argv, &n);
    if (rc) {
        return rc < 0 ? 0 : rc;
    }
    const struct cli_command *command = NULL;
    int words = 0;
    if (n > 0) {
        command = cli_find(n, argv + 1, &words);
        if (!command || words != n) {
            return cli_unknown(n, argv + 1);
        }
    }
    if (cli_common.json) {
        return cli_print_json(&cli_command_help, list_commands());
    }
    struct base_buffer b = { 0 };
    bool bold = isatty(STDOUT_FILENO) && !cli_common.output && !getenv("NO_COLOR");
    int columns = base_terminal_columns(STDOUT_FILENO);
    if (shell) {
        if (cli_completion(&b, shell)) {
            return cli_usage(&cli_command_help, "%s", base_error_message());
        }
    } else if (names) {
        for (size_t i = 0; i < cli_row_count; i++) {
            if (cli_rows[i].command) {
                base_buffer_printf(&b, "%s\n", cli_rows[i].command->name);
            }
        }
    } else if (man) {
        cli_help_man(&b, command);
    } else if (command) {
        cli_help_command(&b, command, columns, bold);
    } else {
        cli_help_all(&b, columns, bold);
    }
    rc = base_buffer_reserve(&b, 0);
    if (!rc && cli_common.output && strcmp(cli_common.output, "-") != 0) {
        rc = base_file_write(cli_common.output, b.data, b.length);
    } else if (!rc) {
        fputs(b.data, stdout);
    }
    base_buffer_free(&b);
    return rc ? cli_fail(&cli_command_help) : 0;
}
