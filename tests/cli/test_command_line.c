/* The option parser, through a command made for it, and the program's own words: version, help,
 * unknown commands, man pages, completion. */
#include "cli/internal.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "support.h"

static struct {
    bool flag, on;
    int64_t number;
    double real;
    const char *word;
    struct cli_strings many;
    int positionals, rc;
    char *argv[16];
} got;

static int run(int argc, char **argv);
static const struct cli_command command = { "probe", "[options] TEXT", "A probe", "Words.", run };

static int run(int argc, char **argv)
{
    const struct cli_option options[] = {
        { "flag", 'f', CLI_FLAG, &got.flag, NULL, "A flag." },
        { "on", 0, CLI_FLAG, &got.on, NULL, "A flag that is on." },
        { "number", 'n', CLI_INT, &got.number, "N", "A number." },
        { "real", 0, CLI_DOUBLE, &got.real, "X", "A real." },
        { "word", 'w', CLI_STRING, &got.word, "W", "A word." },
        { "many", 0, CLI_STRINGS, &got.many, "S", "Words." },
        { 0 },
    };
    return got.rc = cli_parse(&command, options, true, argc, argv, &got.positionals);
}

/* Parses the words with standard error thrown away; returns cli_parse's result. */
__attribute__((sentinel)) static int parse(const char *first, ...)
{
    memset(&got, 0, sizeof got);
    got.on = true;
    got.number = 7;
    cli_common = (struct cli_common){ .compute = "f32" };
    int n = 0;
    got.argv[n++] = (char *)(uintptr_t)command.name;
    va_list list;
    va_start(list, first);
    for (const char *s = first; s && n < 15; s = va_arg(list, const char *)) {
        got.argv[n++] = (char *)(uintptr_t)s;
    }
    va_end(list);
    got.argv[n] = NULL;
    fflush(stderr);
    int saved = dup(2), null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    int rc = run(n, got.argv);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    close(null);
    return rc;
}

static void every_way_to_write_an_option(void **state)
{
    (void)state;
    assert_int_equal(
        parse("--number", "3", "--word=x=y", "--real", "-2.5e3", "-f", "--no-on", NULL), 0);
    assert_int_equal(got.number, 3);
    assert_string_equal(got.word, "x=y");
    assert_true(got.real == -2500);
    assert_true(got.flag);
    assert_false(got.on);
    assert_int_equal(got.positionals, 0);
    assert_int_equal(parse("-n3", "-fw", "a b", "-mM", NULL), 0);
    assert_int_equal(got.number, 3);
    assert_true(got.flag);
    assert_string_equal(got.word, "a b");
    assert_string_equal(cli_common.model, "M");
    assert_int_equal(parse("-n", "-4", "--word", "--flag", NULL), 0); /* a value is a value */
    assert_int_equal(got.number, -4);
    assert_string_equal(got.word, "--flag");
    assert_int_equal(parse("--many", "a", "--many=b", "--many", "", NULL), 0);
    assert_int_equal(got.many.count, 3);
    assert_string_equal(got.many.at[0], "a");
    assert_string_equal(got.many.at[1], "b");
    assert_string_equal(got.many.at[2], "");
    assert_int_equal(
        parse("--json", "-q", "--seed", "9", "--threads=2", "-o", "F", "--compute", "bf16", NULL),
        0);
    assert_true(cli_common.json && cli_common.quiet);
    assert_int_equal(cli_common.seed, 9);
    assert_int_equal(cli_common.threads, 2);
    assert_int_equal(base_threads(), 2);
    assert_string_equal(cli_common.output, "F");
    assert_string_equal(cli_common.compute, "bf16");
    base_threads_set(0);
    cli_release();
}

static void positionals_anywhere(void **state)
{
    (void)state;
    assert_int_equal(parse("a", "-n", "1", "-", "-5", "b", "--", "--flag", "-x", NULL), 0);
    assert_int_equal(got.positionals, 6);
    static const char *const expected[] = { "a", "-", "-5", "b", "--flag", "-x" };
    for (int i = 0; i < 6; i++) {
        assert_string_equal(got.argv[i + 1], expected[i]);
    }
    assert_false(got.flag);
}

static void usage_errors(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "--nope", NULL },       { "-z", NULL },
        { "--number", NULL },     { "--number", "x" },
        { "--number=", NULL },    { "--number", "9223372036854775808" },
        { "--real", "nan" },      { "--flag=1", NULL },
        { "--no-number", NULL },  { "--no-nope", NULL },
        { "-n", NULL },           { "--threads", "-1" },
        { "--threads", "99999" }, { "--compute", "f16" },
        { "--seed", "-1" },       { "--", "--number" } /* not an error: see below */,
    };
    size_t n = sizeof bad / sizeof *bad;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(parse(bad[i][0], bad[i][1], NULL), i + 1 < n ? 2 : 0);
    }
}

static void ids(void **state)
{
    (void)state;
    int32_t *list;
    size_t n;
    assert_int_equal(cli_parse_ids("1, 2 ,2147483647", &list, &n), 0);
    assert_int_equal(n, 3);
    assert_true(list[0] == 1 && list[1] == 2 && list[2] == INT32_MAX);
    base_free(list);
    static const char *const bad[] = {
        "", "1,", ",1", "1,,2", "a", "-1", "2147483648", "1 2", "1.5"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(cli_parse_ids(bad[i], &list, &n), BASE_E_ARGUMENT);
    }
}

static void nearest(void **state)
{
    (void)state;
    const char *const names[] = { "info", "tokenize", "tokenizer train", "next", "train" };
    assert_string_equal(cli_nearest("ifno", names, 5), "info");
    assert_string_equal(cli_nearest("tokenise", names, 5), "tokenize");
    assert_string_equal(cli_nearest("nxt", names, 5), "next");
    assert_string_equal(cli_nearest("trian", names, 5), "train");
    assert_null(cli_nearest("zzzzzz", names, 5));
    assert_null(cli_nearest("", names, 5));
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[199] = 0;
    assert_null(cli_nearest(longer, names, 5));
}

/* No line of help may be wider than the terminal, at any width a person would use. */
static void help_fits_the_width(void **state)
{
    (void)state;
    static const int widths[] = { 60, 80, 120, 200 };
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        struct base_buffer b = { 0 };
        cli_help_command(&b, &command, widths[w], false);
        cli_help_all(&b, widths[w], false);
        for (size_t i = 0; i < cli_row_count; i++) {
            if (cli_rows[i].command) {
                cli_help_command(&b, cli_rows[i].command, widths[w], false);
            }
        }
        for (const char *line = b.data; *line;) {
            size_t n = strcspn(line, "\n");
            bool verbatim = strncmp(line, "  ", 2) == 0 && line[2] != ' ' && line[2] != '-';
            if (n >= (size_t)widths[w] && (!verbatim || n >= 100) && widths[w] >= 80) {
                fail_msg("%d columns: %.*s", widths[w], (int)n, line);
            }
            line += n + (line[n] == '\n');
        }
        base_buffer_free(&b);
    }
}

static void help_shows_every_option(void **state)
{
    (void)state;
    struct base_buffer b = { 0 };
    cli_help_command(&b, &command, 80, false);
    static const char *const words[] = { "-f, --flag",     "-n, --number N",
                                         "--many S",       "-m, --model MODEL",
                                         "--compute TYPE", "--seed N",
                                         "--json",         "Words." };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_non_null(strstr(b.data, words[i]));
    }
    base_buffer_clear(&b);
    cli_help_man(&b, &command);
    assert_non_null(strstr(b.data, ".B \\-n, \\-\\-number N"));
    base_buffer_free(&b);
}

static void version_and_exit_codes(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "--version", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "assay " ASSAY_VERSION "\n");
    assert_string_equal(r.err, "");
    test_run_free(&r);
    r = test_assay(NULL, NULL);
    assert_int_equal(r.rc, 2);
    assert_string_equal(r.out, "");
    test_run_free(&r);
    r = test_assay(NULL, "hlep", NULL);
    assert_int_equal(r.rc, 2);
    assert_non_null(strstr(r.err, "did you mean `assay help`?"));
    test_run_free(&r);
    r = test_assay(NULL, "help", "--jsno", NULL);
    assert_int_equal(r.rc, 2);
    assert_non_null(strstr(r.err, "did you mean --json?"));
    test_run_free(&r);
    r = test_assay(NULL, "--nope", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "help", "-o", "/dev/full", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "No space left"));
    test_run_free(&r);
}

static void help_lists_what_json_lists(void **state)
{
    (void)state;
    struct test_run text = test_assay(NULL, "help", NULL),
                    json = test_assay(NULL, "help", "--json", NULL);
    json_t *value = test_run_json(&json);
    assert_non_null(value);
    json_t *commands = json_object_get(value, "commands"), *c;
    assert_true(json_array_size(commands) >= 1);
    size_t i;
    json_array_foreach(commands, i, c)
    {
        const char *name = json_string_value(json_object_get(c, "name"));
        assert_non_null(strstr(text.out, name));
        struct test_run one = test_assay(NULL, "help", name, NULL);
        assert_int_equal(one.rc, 0); /* a name of two words may be one argument */
        test_run_free(&one);
    }
    json_decref(value);
    test_run_free(&text);
    test_run_free(&json);
}

static void every_shell_gets_a_script(void **state)
{
    (void)state;
    for (const char *const *s = (const char *const[]){ "bash", "zsh", "fish", NULL }; *s; s++) {
        struct test_run r = test_assay(NULL, "help", "--completion", *s, NULL);
        assert_int_equal(r.rc, 0);
        assert_non_null(strstr(r.out, "completion"));
        test_run_free(&r);
    }
    struct test_run r = test_assay(NULL, "help", "--completion", "csh", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    /* bash really completes: `assay help --comp<TAB>` */
    char *argv[] = { "/bin/bash", "-c",
                     "source /dev/stdin; COMP_WORDS=(assay help --comp); COMP_CWORD=2; _assay; "
                     "echo \"${COMPREPLY[@]}\"; COMP_WORDS=(assay hel); COMP_CWORD=1; _assay; "
                     "echo \"${COMPREPLY[@]}\"",
                     NULL };
    struct test_run script = test_assay(NULL, "help", "--completion", "bash", NULL);
    r = test_spawn(argv, script.out);
    assert_string_equal(r.out, "--completion\nhelp\n");
    test_run_free(&r);
    test_run_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_write_an_option),
        cmocka_unit_test(positionals_anywhere),
        cmocka_unit_test(usage_errors),
        cmocka_unit_test(ids),
        cmocka_unit_test(nearest),
        cmocka_unit_test(help_fits_the_width),
        cmocka_unit_test(help_shows_every_option),
        cmocka_unit_test(version_and_exit_codes),
        cmocka_unit_test(help_lists_what_json_lists),
        cmocka_unit_test(every_shell_gets_a_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
