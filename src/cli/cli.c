/* The option parser and the few helpers every command uses. */
#include "cli/internal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cli_common cli_common = { .compute = "f32" };

/* The common options; -m and --compute come last so that a command without a model stops before. */
static const struct cli_option common_options[] = {
    { "json", 0, CLI_FLAG, &cli_common.json, NULL, "Print one JSON object instead of text." },
    { "output", 'o', CLI_STRING, &cli_common.output, "FILE",
      "Write the result to FILE instead of standard output." },
    { "seed", 0, CLI_INT, &cli_common.seed, "N",
      "Seed of every random number (default 0): same seed, same result." },
    { "threads", 0, CLI_INT, &cli_common.threads, "N",
      "Threads to use (default: one per CPU); the number never changes a result." },
    { "quiet", 'q', CLI_FLAG, &cli_common.quiet, NULL,
      "No progress line and no remarks on standard error." },
    { "model", 'm', CLI_STRING, &cli_common.model, "MODEL",
      "A directory in Hugging Face layout, a .gguf file, or builtin:tiny." },
    { "compute", 0, CLI_STRING, &cli_common.compute, "TYPE",
      "Arithmetic of the matrix products: f32 (default) or bf16 (faster, less exact)." },
};
enum { COMMON = sizeof common_options / sizeof *common_options, COMMON_MODEL = 2 };

/* The arrays behind CLI_STRINGS options. They must outlive the command, which holds them in a
 * struct on its stack and knows nothing of freeing. */
static void **kept;
static size_t kept_count;

/* While set, cli_parse describes its options instead of parsing. */
static struct {
    cli_option_fn *fn;
    void *context;
} describing;

static bool shadowed(const struct cli_option *common, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        if (strcmp(o->name, common->name) == 0) {
            return true;
        }
    }
    return false;
}

/* A common option's letter can be taken by an option of the command with another name. */
static bool letter_taken(char letter, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        if (letter && o->letter == letter) {
            return true;
        }
    }
    return false;
}

void cli_describe(const struct cli_command *command, cli_option_fn *fn, void *context)
{
    describing.fn = fn;
    describing.context = context;
    char *argv[] = { (char *)(uintptr_t)command->name, NULL };
    command->run(1, argv);
    describing.fn = NULL;
}

static void describe(const struct cli_option *options, size_t common_count)
{
    cli_option_fn *fn = describing.fn;
    for (const struct cli_option *o = options; o && o->name; o++) {
        fn(describing.context, o, false);
    }
    for (size_t i = 0; i < common_count; i++) {
        if (!shadowed(&common_options[i], options)) {
            struct cli_option o = common_options[i];
            o.letter = letter_taken(o.letter, options) ? 0 : o.letter;
            fn(describing.context, &o, true);
        }
    }
}

static const struct cli_option *find_name(const struct cli_option *options, size_t common_count,
                                          const char *name, size_t n)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0) {
            return o;
        }
    }
    for (size_t i = 0; i < common_count; i++) {
        const struct cli_option *o = &common_options[i];
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0) {
            return o;
        }
    }
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *options, size_t common_count,
                                            char letter)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        if (o->letter == letter) {
            return o;
        }
    }
    for (size_t i = 0; i < common_count; i++) {
        if (common_options[i].letter == letter && !shadowed(&common_options[i], options)) {
            return &common_options[i];
        }
    }
    return NULL;
}

static int unknown_option(const struct cli_command *command, const struct cli_option *options,
                          size_t common_count, const char *name)
{
    const char *names[128];
    size_t n = 0;
    for (const struct cli_option *o = options; o && o->name && n < 100; o++) {
        names[n++] = o->name;
    }
    for (size_t i = 0; i < common_count; i++) {
        names[n++] = common_options[i].name;
    }
    const char *near = cli_nearest(name, names, n);
    if (near) {
        return cli_usage(command, "unknown option --%s; did you mean --%s?", name, near);
    }
    return cli_usage(command, "unknown option --%s", name);
}

static int append_string(struct cli_strings *list, const char *text, int argc)
{
    if (!list->at) { /* no option can be given more often than there are arguments */
        void **more = base_realloc(kept, kept_count + 1, sizeof *kept);
        if (!more) {
            return BASE_E_MEMORY;
        }
        kept = more;
        list->at = base_alloc((size_t)argc, sizeof *list->at);
        if (!list->at) {
            return BASE_E_MEMORY;
        }
        kept[kept_count++] = (void *)list->at;
    }
    list->at[list->count++] = text;
    return 0;
}

/* Stores text as option's value. */
static int store(const struct cli_command *command, const struct cli_option *option,
                 const char *text, int argc)
{
    char what[64];
    snprintf(what, sizeof what, "--%s", option->name);
    int rc = 0;
    switch (option->kind) {
    case CLI_FLAG:
        break;
    case CLI_INT:
        rc = base_parse_int(text, what, INT64_MIN, INT64_MAX, option->value);
        break;
    case CLI_DOUBLE:
        rc = base_parse_double(text, what, option->value);
        break;
    case CLI_STRING:
        *(const char **)option->value = text;
        break;
    case CLI_STRINGS:
        rc = append_string(option->value, text, argc);
        break;
    }
    return rc == BASE_E_MEMORY ? cli_fail(command)
           : rc                ? cli_usage(command, "%s", base_error_message())
                               : 0;
}

struct parse {
    const struct cli_command *command;
    const struct cli_option *options;
    size_t common_count;
    int argc;
    char **argv;
    int at; /* the argument being read */
};

/* --name, --name=value, --name value, --no-name */
static int parse_long(struct parse *p, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    const struct cli_option *option = find_name(p->options, p->common_count, text, n);
    if (option && option->kind == CLI_FLAG) {
        if (equals) {
            return cli_usage(p->command, "--%s takes no value", option->name);
        }
        *(bool *)option->value = true;
        return 0;
    }
    if (!option && !equals && base_starts_with(text, "no-")) {
        option = find_name(p->options, p->common_count, text + 3, n - 3);
        if (option && option->kind == CLI_FLAG) {
            *(bool *)option->value = false;
            return 0;
        }
        option = NULL;
    }
    if (!option) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(n < 100 ? n : 100), text);
        return unknown_option(p->command, p->options, p->common_count, name);
    }
    const char *value = equals ? equals + 1 : NULL;
    if (!value) {
        if (p->at + 1 >= p->argc) {
            return cli_usage(p->command, "--%s needs a value (%s)", option->name, option->argument);
        }
        value = p->argv[++p->at];
    }
    return store(p->command, option, value, p->argc);
}

/* -q, -m X, -mX, -qm X */
static int parse_letters(struct parse *p, const char *text)
{
    for (; *text; text++) {
        const struct cli_option *option = find_letter(p->options, p->common_count, *text);
        if (!option) {
            return cli_usage(p->command, "unknown option -%c", *text);
        }
        if (option->kind == CLI_FLAG) {
            *(bool *)option->value = true;
            continue;
        }
        const char *value = text + 1;
        if (!*value) {
            if (p->at + 1 >= p->argc) {
                return cli_usage(p->command, "-%c needs a value (%s)", *text, option->argument);
            }
            value = p->argv[++p->at];
        }
        return store(p->command, option, value, p->argc);
    }
    return 0;
}

static bool is_number(const char *s)
{
    char *end;
    strtod(s, &end);
    return end != s && !*end;
}

/* Checks and applies the common options. */
int cli_plain_name(const struct cli_command *command, const char *option, const char *path)
{
    static const char *const packed[] = { ".gz", ".bz2", ".zst" };
    for (size_t i = 0; path && i < sizeof packed / sizeof *packed; i++)
        if (base_ends_with(path, packed[i]))
            return cli_usage(command,
                             "%s %s: files are written uncompressed, and no reader would believe "
                             "that name: leave %s off, and compress it afterwards",
                             option, path, packed[i]);
    return 0;
}

static int apply_common(const struct cli_command *command)
{
    if (cli_common.threads < 0 || cli_common.threads > 4096) {
        return cli_usage(command, "--threads: %" PRId64 " is not between 0 and 4096",
                         cli_common.threads);
    }
    if (cli_common.seed < 0) {
        return cli_usage(command, "--seed: %" PRId64 " is negative", cli_common.seed);
    }
    if (strcmp(cli_common.compute, "f32") != 0 && strcmp(cli_common.compute, "bf16") != 0) {
        return cli_usage(command, "--compute: expected f32 or bf16, got \"%s\"",
                         cli_common.compute);
    }
    if (cli_common.threads) {
        base_threads_set((int)cli_common.threads);
    }
    base_progress_quiet(cli_common.quiet);
    return cli_plain_name(command, "-o", cli_common.output);
}

int cli_parse(const struct cli_command *command, const struct cli_option *options, bool with_model,
              int argc, char **argv, int *n_positional)
{
    size_t common_count = with_model ? COMMON : COMMON - COMMON_MODEL;
    if (describing.fn) {
        describe(options, common_count);
        return -1;
    }
    struct parse p = { command, options, common_count, argc, argv, 1 };
    int positionals = 0;
    bool only_positionals = false;
    for (; p.at < argc; p.at++) {
        char *text = argv[p.at];
        int rc = 0;
        if (only_positionals || text[0] != '-' || !text[1] ||
            (is_number(text) && !find_letter(options, common_count, text[1]))) {
            argv[++positionals] = text;
        } else if (strcmp(text, "--") == 0) {
            only_positionals = true;
        } else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            cli_help_print(command);
            return -1;
        } else if (text[1] == '-') {
            rc = parse_long(&p, text + 2);
        } else {
            rc = parse_letters(&p, text + 1);
        }
        if (rc) {
            return rc;
        }
    }
    *n_positional = positionals;
    return apply_common(command);
}

int cli_fail(const struct cli_command *command)
{
    base_progress_end(NULL);
    fprintf(stderr, "assay %s: %s\n", command->name, base_error_message());
    return 1;
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "assay %s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: assay %s %s\n`assay help %s` says more.\n", command->name,
            command->synopsis, command->name);
    return 2;
}

int cli_print_json(const struct cli_command *command, json_t *object)
{
    char *text = object ? base_json_dump(object, false) : NULL;
    json_decref(object);
    if (!text) {
        base_error_set(BASE_E_MEMORY, "out of memory while writing JSON");
        return cli_fail(command);
    }
    int rc = 0;
    if (cli_common.output && strcmp(cli_common.output, "-") != 0) {
        struct base_buffer b = { 0 };
        rc = base_buffer_printf(&b, "%s\n", text);
        rc = rc ? rc : base_file_write(cli_common.output, b.data, b.length);
        base_buffer_free(&b);
    } else {
        puts(text); /* main reports a failed standard output */
    }
    base_free(text);
    return rc ? cli_fail(command) : 0;
}

int cli_parse_ids(const char *text, int32_t **ids, size_t *n)
{
    size_t count = 1;
    for (const char *p = text; *p; p++) {
        count += *p == ',';
    }
    int32_t *list = base_alloc(count, sizeof *list);
    if (!list) {
        return BASE_E_MEMORY;
    }
    const char *p = text;
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(p, ",");
        while (length && *p == ' ') {
            p++, length--;
        }
        size_t digits = length;
        while (digits && p[digits - 1] == ' ') {
            digits--;
        }
        char number[32], what[48];
        snprintf(number, sizeof number, "%.*s", (int)(digits < 31 ? digits : 31), p);
        snprintf(what, sizeof what, "token id %zu", i + 1);
        int64_t value;
        int rc = base_parse_int(number, what, 0, INT32_MAX, &value);
        if (rc) {
            base_free(list);
            return rc;
        }
        list[i] = (int32_t)value;
        p += length + 1;
    }
    *ids = list;
    *n = count;
    return 0;
}

void cli_release(void)
{
    for (size_t i = 0; i < kept_count; i++) {
        base_free(kept[i]);
    }
    base_free(kept);
    kept = NULL;
    kept_count = 0;
}
