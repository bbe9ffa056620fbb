/* assay schema validate, assay schema test-suite. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/display.h"
#include <assay/schema.h>
#include <string.h>

static int run_validate(int argc, char **argv);
const struct cli_command cli_command_schema_validate = {
    .name = "schema validate",
    .synopsis = "[options] SCHEMA.json INSTANCE.json...",
    .summary = "Check JSON against a JSON Schema (2020-12, draft-07)",
    .details =
        "Exit code 0 when every instance is valid, 1 when one is not (each error names the place "
        "in the instance as a JSON pointer, and the keyword), 2 when the schema cannot be used. "
        "\"-\" is standard input.\n\n"
        "Nothing is fetched. A reference to another document needs --ref with the URI that the "
        "schema uses; the meta-schemas are built in. \"format\" is an annotation, as draft 2020-12 "
        "has it, and never makes an instance invalid.\n\n"
        "  assay schema validate tool.json arguments.json\n"
        "  assay schema validate --ref https://example.org/unit.json=unit.json order.json -",
    .run = run_validate,
};

static int run_suite(int argc, char **argv);
const struct cli_command cli_command_schema_test_suite = {
    .name = "schema test-suite",
    .synopsis = "[options] DIR",
    .summary = "Run the files of the JSON Schema Test Suite",
    .details =
        "DIR holds .json files of groups: a schema and instances with the verdict that is "
        "expected. References to http://localhost:1234/ are answered from the files of --remotes, "
        "by default the directory \"remotes\" beside DIR or above it. Exit code 1 when a test "
        "fails.\n\n"
        "  assay schema test-suite JSON-Schema-Test-Suite/tests/draft2020-12",
    .run = run_suite,
};

static const char *shown(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

static int load(json_t **out, const char *path)
{
    char *text;
    size_t bytes;
    int rc = base_file_read(path, 0, &text, &bytes);
    if (rc)
        return rc;
    rc =
        base_json_parse_wire(out, text, bytes, 0, strcmp(path, "-") == 0 ? "standard input" : path);
    base_free(text);
    return rc;
}

/* "URI=FILE", split at the last '='. */
static int document_read(const char *text, struct agent_schema_document *out)
{
    const char *equal = strrchr(text, '=');
    if (!equal || equal == text || !equal[1])
        return base_error_set(BASE_E_ARGUMENT, "--ref %s: expected URI=FILE", text);
    char *uri = base_strndup(text, (size_t)(equal - text));
    int rc = uri ? load(&out->json, equal + 1) : BASE_E_MEMORY;
    if (rc)
        base_free(uri);
    else
        out->uri = uri;
    return rc;
}

static int show_errors(struct base_buffer *b, const char *path, const json_t *errors)
{
    size_t i;
    const json_t *e;
    json_array_foreach(errors, i, e)
    {
        const char *at = json_string_value(json_object_get(e, "instance"));
        int rc = base_buffer_printf(b, "%s: %s: %s (%s)\n", path, *at ? at : "the whole value",
                                    json_string_value(json_object_get(e, "message")),
                                    json_string_value(json_object_get(e, "schema")));
        if (rc)
            return rc;
    }
    return 0;
}

static int run_validate(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_schema_validate;
    struct cli_strings refs = { 0 };
    const struct cli_option options[] = {
        { "ref", 0, CLI_STRINGS, &refs, "URI=FILE",
          "A document that the schema refers to by this URI; may be given again." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n < 2)
        return cli_usage(self, "expected a schema and at least one instance");
    struct agent_schema_document *documents = base_alloc_zero(refs.count + 1, sizeof *documents);
    struct agent_schema *s = NULL;
    json_t *schema = NULL, *all = json_array();
    struct base_buffer text = { 0 };
    int rc = documents && all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < refs.count && !rc; i++)
        rc = document_read(refs.at[i], &documents[i]);
    if (!rc)
        rc = load(&schema, argv[1]);
    const struct agent_schema_options o = { .documents = documents, .n_documents = refs.count };
    if (!rc)
        rc = agent_schema_compile(&s, schema, shown(argv[1]), &o);
    if (rc) {
        cli_fail(self);
        code = 2;
        goto out;
    }
    for (int i = 2; i <= n; i++) {
        json_t *instance = NULL, *errors = NULL;
        int valid = load(&instance, argv[i]);
        if (!valid)
            valid = agent_schema_check(s, instance, &errors);
        json_decref(instance);
        if (valid < 0) {
            code = cli_fail(self);
            goto out;
        }
        code |= !valid;
        if (cli_common.json) {
            json_array_append_new(all, json_pack("{s:s, s:b, s:o}", "file", argv[i], "valid", valid,
                                                 "errors", errors ? errors : json_array()));
            continue;
        }
        if (!rc)
            rc = valid ? base_buffer_printf(&text, "%s: valid\n", shown(argv[i]))
                       : show_errors(&text, shown(argv[i]), errors);
        json_decref(errors);
    }
    int printed =
        cli_common.json
            ? cli_print_json(self, json_pack("{s:b, s:O}", "valid", code == 0, "instances", all))
            : cli_print_text(self, &text, rc);
    code = printed ? printed : code;
out:
    for (size_t i = 0; documents && i < refs.count; i++) {
        base_free((char *)(uintptr_t)documents[i].uri);
        json_decref(documents[i].json);
    }
    base_free(documents);
    json_decref(schema);
    json_decref(all);
    base_buffer_free(&text);
    agent_schema_free(s);
    return code;
}

static int run_suite(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_schema_test_suite;
    const char *remotes = NULL;
    const struct cli_option options[] = {
        { "remotes", 0, CLI_STRING, &remotes, "DIR",
          "What references to http://localhost:1234/ mean." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected one directory");
    struct agent_schema_suite suite;
    if (agent_schema_suite_run(argv[1], remotes, &suite))
        return cli_fail(self);
    struct base_buffer text = { 0 };
    size_t i;
    const json_t *f;
    int rc = 0;
    json_array_foreach(suite.failures, i, f)
    {
        if (!rc)
            rc = base_buffer_printf(&text, "%s: %s: %s: expected %s: %s\n",
                                    json_string_value(json_object_get(f, "file")),
                                    json_string_value(json_object_get(f, "group")),
                                    json_string_value(json_object_get(f, "test")),
                                    json_is_true(json_object_get(f, "expected")) ? "valid"
                                                                                 : "invalid",
                                    json_string_value(json_object_get(f, "message")));
    }
    if (!rc)
        rc = base_buffer_printf(&text, "%llu passed, %llu failed (%llu groups in %llu files)\n",
                                (unsigned long long)suite.passed, (unsigned long long)suite.failed,
                                (unsigned long long)suite.groups, (unsigned long long)suite.files);
    if (cli_common.json)
        code = cli_print_json(
            self, json_pack("{s:I, s:I, s:I, s:I, s:O}", "passed", (json_int_t)suite.passed,
                            "failed", (json_int_t)suite.failed, "files", (json_int_t)suite.files,
                            "groups", (json_int_t)suite.groups, "failures", suite.failures));
    else
        code = cli_print_text(self, &text, rc);
    base_buffer_free(&text);
    json_decref(suite.failures);
    return code ? code : suite.failed > 0;
}
