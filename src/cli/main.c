/* The program: finds the command and runs it. Exit code 0 done, 1 failed (a message says what), 2
 * usage. Nothing is initialised before the command is known: `assay --version` costs what the
 * dynamic linker costs. */
#include "cli/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libgomp's threads wait for each other by spinning, by default for some milliseconds, before they
 * let the system know that they wait. On a machine with other work the one they wait for may be
 * the one that is kept from running, and a run takes several times as long. A short spin costs
 * nothing that can be measured where the machine is free. libgomp reads its setting before main
 * begins, so the program starts itself once more with it; whoever sets it is left alone. */
static void spin_less(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") ||
        setenv("GOMP_SPINCOUNT", "10000", 1)) {
        return;
    }
    execv("/proc/self/exe", argv);
    unsetenv("GOMP_SPINCOUNT"); /* it did not work: go on as we are */
}

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
    spin_less(argv);
    argv[words] = (char *)(uintptr_t)command->name;
    return command->run(argc - words, argv + words);
}

int main(int argc, char **argv)
{
    int code = run(argc, argv);
    cli_release();
    errno = 0;
    if (fflush(stdout) || ferror(stdout)) {
        if (code == 0) /* else the command has said what went wrong, this perhaps */
            fprintf(stderr, "assay: standard output: %s\n", strerror(errno ? errno : EIO));
        return code ? code : 1;
    }
    return code;
}
