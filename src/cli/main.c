/* The program: finds the command and runs it. Exit code 0 done, 1 failed (a message says what), 2
 * usage. Nothing is initialised before the command is known: `assay --version` costs what the
 * dynamic linker costs. */
#include "cli/internal.h"
#include <errno.h>
#include <string.h>

static int run(int argc, char **argv)
{
    if (argc < 2) {
        struct base_buffer b = { 0 };
        cli_help_all(&b, 80, false);
        fputs(b.data ? b.data : "", stderr);
        base_buffer_free(&b);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("assay " ASSAY_VERSION);
        return 0;
    }
    char *help[] = { "help", NULL };
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        argc = 2;
        argv[1] = help[0];
    }
    int words = 0;
    const struct cli_command *command = cli_find(argc - 1, argv + 1, &words);
    if (!command) {
        if (argv[1][0] == '-') {
            fprintf(stderr,
                    "assay: unknown option %s; the command comes first: assay COMMAND "
                    "[options]\n`assay help` lists all commands.\n",
                    argv[1]);
            return 2;
        }
        return cli_unknown(argc - 1, argv + 1);
    }
    argv[words] = (char *)(uintptr_t)command->name;
    return command->run(argc - words, argv + words);
}

int main(int argc, char **argv)
{
    int code = run(argc, argv);
    cli_release();
    errno = 0;
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "assay: standard output: %s\n", strerror(errno ? errno : EIO));
        return 1;
    }
    return code;
}
