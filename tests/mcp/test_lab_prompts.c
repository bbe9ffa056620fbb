/* The laboratory's prompts and completion: texts filled from real data, plans whose calls the tools
 * answer, what is refused; and all that the laboratory offers held against the protocol's schemas.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lab_support.h"
#include "base/progress.h"
#include <assay/schema.h>
#include <assay/tool.h>

static struct mcp_lab *lab;
static const struct mcp_provider *provider;

static int begin(void **state)
{
    base_progress_quiet(true);
    lab_begin(state);
    lab = lab_open(NULL);
    provider = mcp_lab_provider(lab);
    return 0;
}
static int end(void **state)
{
    mcp_lab_close(lab);
    return lab_end(state);
}

/* A prompt with arguments as JSON text (json_decref). */
static json_t *prompt(const char *name, const char *arguments)
{
    json_t *given = run_json(arguments), *result = NULL;
    int rc = provider->prompt(provider->context, name, given, &result);
    json_decref(given);
    if (rc)
        fail_msg("%s %s: %d %s", name, arguments, rc, base_error_message());
    return result;
}
static void refuses(const char *name, const char *arguments, int code, const char *says)
{
    json_t *given = run_json(arguments), *result = NULL;
    int rc = provider->prompt(provider->context, name, given, &result);
    json_decref(given);
    assert_null(result);
    if (rc != code || (rc < 0 && !strstr(base_error_message(), says)))
        fail_msg("%s %s: %d %s", name, arguments, rc, rc < 0 ? base_error_message() : "");
}
static const char *text_of(const json_t *result, size_t message)
{
    char path[60];
    snprintf(path, sizeof path, "messages.%zu.content.text", message);
    const char *text = json_string_value(lab_at(result, path));
    assert_non_null(text);
    return text;
}

static void prompts_are_listed(void **state)
{
    (void)state;
    json_t *list = json_array();
    assert_int_equal(provider->prompts(provider->context, list), 0);
    assert_int_equal(json_array_size(list), 4);
    const json_t *few = lab_find(list, "name", "few_shot");
    lab_says(few, "arguments.0.name", "task");
    assert_true(json_is_true(lab_at(few, "arguments.0.required")));
    assert_false(json_is_true(lab_at(few, "arguments.1.required")));
    json_decref(list);
    /* without a store there is no run to explain */
    const struct mcp_lab_options none = { 0 };
    struct mcp_lab *l;
    assert_int_equal(mcp_lab_open(&l, &none), 0);
    const struct mcp_provider *p = mcp_lab_provider(l);
    list = json_array();
    json_t *result, *given = json_pack("{s:s}", "run", lab_ground.run[0]);
    assert_int_equal(p->prompts(p->context, list), 0);
    assert_int_equal(json_array_size(list), 3);
    assert_int_equal(p->prompt(p->context, "explain_run", given, &result), MCP_NOT_MINE);
    json_decref(given);
    json_decref(list);
    mcp_lab_close(l);
}

static void few_shot_is_made_of_items(void **state)
{
    (void)state;
    json_t *o = prompt("few_shot", "{\"task\": \"sums\", \"k\": \"2\", \"item\": \"3\"}");
    lab_says(o, "description", "sums, item 3 of 36 after 2 solved examples (seed 1234)");
    assert_int_equal(json_array_size(lab_at(o, "messages")), 5);
    for (size_t i = 0; i < 5; i++) {
        char path[40];
        snprintf(path, sizeof path, "messages.%zu.role", i);
        lab_says(o, path, i % 2 ? "assistant" : "user");
    }
    assert_string_equal(text_of(o, 4), "2 + 1 =");
    for (size_t i = 0; i < 4; i += 2) { /* the examples are right */
        int a, b;
        assert_int_equal(sscanf(text_of(o, i), "%d + %d =", &a, &b), 2);
        assert_int_equal(a + b, atoi(text_of(o, i + 1)));
    }
    json_t *again = prompt("few_shot", "{\"task\": \"sums\", \"k\": \"2\", \"item\": \"3\"}");
    json_t *other = prompt("few_shot", "{\"task\": \"sums\", \"k\": \"2\", \"item\": \"3\", "
                                       "\"seed\": \"5\"}");
    assert_true(json_equal(o, again));
    assert_false(json_equal(o, other));
    assert_string_equal(text_of(other, 4), "2 + 1 =");
    json_decref(o);
    json_decref(again);
    json_decref(other);
    o = prompt("few_shot", "{\"task\": \"sentiment\", \"k\": \"0\"}");
    assert_int_equal(json_array_size(lab_at(o, "messages")), 1);
    assert_non_null(strstr(text_of(o, 0), "Review: "));
    json_decref(o);
    o = prompt("few_shot", "{\"task\": \"facts\"}"); /* the task's own number */
    assert_int_equal(json_array_size(lab_at(o, "messages")), 9);
    json_decref(o);
    refuses("few_shot", "{}", BASE_E_ARGUMENT, "\"task\" is missing");
    refuses("few_shot", "{\"task\": \"\"}", BASE_E_ARGUMENT, "\"task\" is missing");
    refuses("few_shot", "{\"task\": \"nope\"}", BASE_E_ARGUMENT, "counting, facts");
    refuses("few_shot", "{\"task\": \"tasks/sums.yaml\"}", BASE_E_ARGUMENT,
            "there is no such task");
    refuses("few_shot", "{\"task\": \"../../etc/passwd\"}", BASE_E_ARGUMENT,
            "there is no such task");
    refuses("few_shot", "{\"task\": \"sums\", \"k\": \"33\"}", BASE_E_ARGUMENT, "k");
    refuses("few_shot", "{\"task\": \"sums\", \"k\": \"x\"}", BASE_E_ARGUMENT, "k");
    refuses("few_shot", "{\"task\": \"sums\", \"item\": \"37\"}", BASE_E_ARGUMENT, "has 36");
    refuses("few_shot", "{\"task\": \"sums\", \"item\": \"0\"}", BASE_E_ARGUMENT, "item");
    refuses("few_shot", "{\"task\": \"sums\", \"j\": \"1\"}", BASE_E_ARGUMENT, "no argument \"j\"");
    refuses("few_shot", "{\"task\": 5}", BASE_E_ARGUMENT, "expected a string");
    refuses("nothing", "{}", MCP_NOT_MINE, "");
}

static void cloze_is_a_text_to_continue(void **state)
{
    (void)state;
    json_t *o = prompt("cloze", "{\"task\": \"facts\", \"item\": \"9\"}");
    assert_int_equal(json_array_size(lab_at(o, "messages")), 1);
    const char *text = text_of(o, 0);
    assert_non_null(strstr(text, "It is one of: Kathmandu | Ottawa | Athens | Copenhagen\n"));
    assert_non_null(strstr(text, "The capital city of Greece is"));
    json_decref(o);
    o = prompt("cloze", "{\"task\": \"sums\"}");
    assert_null(strstr(text_of(o, 0), "It is one of"));
    json_decref(o);
}

/* Runs every call that the plan writes down. */
static void calls_work(const char *text, unsigned expected)
{
    struct agent_tools *tools;
    struct agent_gate *gate;
    const struct agent_lab_options ground = { .data = lab_ground.data };
    assert_int_equal(agent_tools_make(&tools), 0);
    assert_int_equal(agent_tools_add_lab(tools, &ground), 0);
    assert_int_equal(agent_gate_make(&gate, tools, NULL), 0);
    unsigned calls = 0;
    for (const char *at = text; (at = strstr(at, "\n   ")) != NULL; calls++) {
        char name[40], line[2000];
        at += 4;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        assert_int_equal(sscanf(line, "%39s", name), 1);
        json_t *arguments = run_json(line + strlen(name) + 1);
        const struct agent_call call = { .tool = name, .arguments = arguments, .caller = "test" };
        struct agent_result result;
        assert_int_equal(agent_call_run(gate, &call, &result), 0);
        if (result.outcome != AGENT_OK)
            fail_msg("%s: %s: %s", line, agent_outcome_name(result.outcome), result.message);
        agent_result_free(&result);
        json_decref(arguments);
    }
    assert_int_equal(calls, expected);
    agent_gate_free(gate);
    agent_tools_free(tools);
}

static void analysis_is_planned_by_the_columns(void **state)
{
    (void)state;
    json_t *o = prompt("analyze_dataset", "{\"dataset\": \"survey\", \"column\": \"income\", "
                                          "\"question\": \"Who earns most?\"}");
    const char *text = text_of(o, 0);
    assert_non_null(strstr(text, "Analyze the data set survey, to explain its column income.\n"
                                 "The question: Who earns most?\n"));
    assert_non_null(strstr(text, "It has 2000 rows and 15 columns:\n- id: text\n"));
    assert_non_null(strstr(text, "- income: integer, 106 missing\n"));
    assert_non_null(strstr(text, "- impossible: age: 4 values outside 0 .. 130\n"));
    assert_non_null(strstr(text, "\"analysis\": \"welch_t_test\", \"response\": \"income\", "
                                 "\"group\": \"remote\""));
    assert_non_null(strstr(text, "\"analysis\": \"anova\", \"response\": \"income\", \"group\": "
                                 "\"region\""));
    assert_null(strstr(text, "\"company\"")); /* 96 groups */
    assert_null(strstr(text, "\"comment\"")); /* hardly there */
    calls_work(text, 10);
    lab_says(o, "messages.1.content.type", "resource");
    lab_says(o, "messages.1.content.resource.uri", "assay://data/survey");
    json_t *set = run_json(json_string_value(lab_at(o, "messages.1.content.resource.text")));
    lab_counts(set, "rows", 2000);
    json_decref(set);
    json_decref(o);

    o = prompt("analyze_dataset", "{\"dataset\": \"recipes\", \"column\": \"cuisine\"}");
    assert_non_null(strstr(text_of(o, 0), "\"chi_square\", \"x\": \"cuisine\", \"y\": \"course\""));
    calls_work(text_of(o, 0), 3);
    json_decref(o);
    o = prompt("analyze_dataset", "{\"dataset\": \"recipes\"}");
    calls_work(text_of(o, 0), 3);
    json_decref(o);
    o = prompt("analyze_dataset", "{\"dataset\": \"people.csv\", \"column\": \"age\"}");
    assert_non_null(strstr(text_of(o, 0), "{\"file\": \"people.csv\", \"columns\": [\"age\"]}"));
    json_decref(o);
    o = prompt("analyze_dataset", "{\"dataset\": \"assay://tables/shop.sqlite/or%22ders\", "
                                  "\"column\": \"price\"}");
    assert_non_null(strstr(text_of(o, 0), "- price: REAL\n"));
    lab_says(o, "messages.1.content.resource.uri", "assay://tables/shop.sqlite/or%22ders");
    calls_work(text_of(o, 0), 0);
    json_decref(o);
    refuses("analyze_dataset", "{\"dataset\": \"nope\"}", BASE_E_ARGUMENT, "no such data set");
    refuses("analyze_dataset", "{\"dataset\": \"../outside.csv\"}", BASE_E_ARGUMENT, "no such");
    refuses("analyze_dataset", "{\"dataset\": \"assay://data\"}", BASE_E_ARGUMENT,
            "is no data set");
    refuses("analyze_dataset", "{\"dataset\": \"file:///etc/passwd\"}", BASE_E_ARGUMENT, "no such");
    refuses("analyze_dataset", "{\"dataset\": \"survey\", \"column\": \"x\"}", BASE_E_ARGUMENT,
            "column x");
    refuses("analyze_dataset", "{\"dataset\": \"ragged.csv\"}", BASE_E_FORMAT, "ragged.csv:3");
}

static void a_run_is_explained(void **state)
{
    (void)state;
    char arguments[100];
    snprintf(arguments, sizeof arguments, "{\"run\": \"%s\"}", lab_ground.run[1]);
    json_t *o = prompt("explain_run", arguments);
    const char *text = text_of(o, 0);
    assert_non_null(strstr(text, "of model-2 to somebody"));
    assert_non_null(strstr(text, "- sums, acc: "));
    assert_non_null(strstr(text, " [0.25, 0.75], n = 40\n"));
    json_t *run = run_json(json_string_value(lab_at(o, "messages.1.content.resource.text")));
    lab_says(run, "id", lab_ground.run[1]);
    json_decref(run);
    json_decref(o);
    refuses("explain_run", "{\"run\": \"000000000000\"}", BASE_E_ARGUMENT, "no such run");
}

/* ---- completion ---- */

/* The values joined by blanks, "NOT MINE" where it is somebody else's; one static buffer. */
static const char *complete(const char *type, const char *name, const char *argument,
                            const char *typed, const char *others)
{
    static char shown[8000];
    json_t *ref =
        json_pack("{s:s, s:s}", "type", type, strcmp(type, "ref/prompt") ? "uri" : "name", name);
    json_t *known = others ? run_json(others) : NULL, *values = NULL, *one;
    size_t i, n = 0;
    int rc = provider->complete(provider->context, ref, argument, typed, known, &values);
    if (rc < 0)
        fail_msg("%s %s: %s", name, argument, base_error_message());
    snprintf(shown, sizeof shown, "%s", rc ? "NOT MINE" : "");
    json_array_foreach(values, i, one) n +=
        (size_t)snprintf(shown + n, sizeof shown - n, "%s%s", i ? " " : "", json_string_value(one));
    json_decref(values);
    json_decref(known);
    json_decref(ref);
    return shown;
}
#define PROMPT(name, argument, typed, others) complete("ref/prompt", name, argument, typed, others)
#define TEMPLATE(uri, argument, typed, others)                                                     \
    complete("ref/resource", uri, argument, typed, others)

static void arguments_are_completed(void **state)
{
    (void)state;
    assert_string_equal(PROMPT("few_shot", "task", "", NULL),
                        "counting facts sentiment sums translation translation_choice");
    /* first those that begin so, then those that hold it */
    assert_string_equal(PROMPT("few_shot", "task", "S", NULL),
                        "sentiment sums facts translation translation_choice");
    assert_int_equal(strncmp(PROMPT("cloze", "task", "sE", NULL), "sentiment", 9), 0);
    assert_string_equal(PROMPT("few_shot", "k", "1", NULL), "1 10 16");
    assert_string_equal(PROMPT("analyze_dataset", "dataset", "peo", NULL), "people people.csv");
    assert_string_equal(PROMPT("analyze_dataset", "dataset", "cheap", NULL),
                        "assay://tables/shop.sqlite/cheap");
    assert_string_equal(PROMPT("analyze_dataset", "column", "", "{\"dataset\": \"people.csv\"}"),
                        "name age city");
    assert_string_equal(PROMPT("analyze_dataset", "column", "Ag", "{\"dataset\": \"people.csv\"}"),
                        "age");
    assert_string_equal(PROMPT("analyze_dataset", "column", "m", "{\"dataset\": \"people.csv\"}"),
                        "name");
    assert_string_equal(PROMPT("analyze_dataset", "column", "p",
                               "{\"dataset\": \"assay://tables/shop.sqlite/or%22ders\"}"),
                        "price");
    assert_string_equal(PROMPT("analyze_dataset", "column", "", NULL), "");
    assert_string_equal(PROMPT("analyze_dataset", "column", "", "{\"dataset\": \"../x\"}"), "");
    assert_string_equal(PROMPT("analyze_dataset", "column", "", "{\"dataset\": \"assay://runs\"}"),
                        "");
    assert_string_equal(PROMPT("analyze_dataset", "question", "wh", NULL), "");
    assert_string_equal(PROMPT("analyze_dataset", "k", "", NULL), "NOT MINE");
    assert_string_equal(PROMPT("nothing", "k", "", NULL), "NOT MINE");
    char both[40];
    snprintf(both, sizeof both, "%s", lab_ground.run[0]);
    assert_non_null(strstr(PROMPT("explain_run", "run", "", NULL), both));
    assert_string_equal(PROMPT("explain_run", "run", both, NULL), both);

    assert_string_equal(TEMPLATE("assay://data/{name}", "name", "list", NULL), "list.json");
    assert_string_equal(
        TEMPLATE("assay://data/{name}/columns/{column}", "column", "", "{\"name\": \"list.json\"}"),
        "a");
    assert_string_equal(TEMPLATE("assay://tables/{database}/{table}", "database", "s", NULL),
                        "shop.sqlite");
    assert_string_equal(TEMPLATE("assay://tables/{database}/{table}", "table", "",
                                 "{\"database\": \"shop.sqlite\"}"),
                        "broken cheap empty or\"ders");
    assert_string_equal(
        TEMPLATE("assay://tables/{database}/{table}", "table", "", "{\"database\": \"other\"}"),
        "");
    char others[60];
    snprintf(others, sizeof others, "{\"id\": \"%s\"}", lab_ground.run[0]);
    assert_string_equal(
        TEMPLATE("assay://runs/{id}/samples/{task}/{from}-{to}", "task", "", others), "sums words");
    assert_string_equal(TEMPLATE("assay://data/{name}/rows/{from}-{to}", "from", "5", NULL), "501");
    assert_string_equal(TEMPLATE("assay://data/{name}", "from", "", NULL), "NOT MINE");
    assert_string_equal(TEMPLATE("assay://data/{other}", "other", "", NULL), "NOT MINE");
    assert_string_equal(TEMPLATE("assay://endpoints/{endpoint}", "endpoint", "", NULL), "NOT MINE");
    assert_string_equal(complete("ref/tool", "x", "y", "", NULL), "NOT MINE");
}

/* ---- the protocol's schemas ---- */

static void fits(const json_t *value, const char *type)
{
    static const char file[] = "agent/mcp/2025-11-25/schema.json";
    json_t *schema = NULL, *errors = NULL;
    struct agent_schema *compiled = NULL;
    char reference[100];
    assert_int_equal(base_json_load(&schema, test_shared_path(file)), 0);
    snprintf(reference, sizeof reference, "#/$defs/%s", type);
    json_object_del(schema, "anyOf");
    json_object_set_new(schema, "$ref", json_string(reference));
    if (agent_schema_compile(&compiled, schema, file, NULL))
        fail_msg("%s", base_error_message());
    if (agent_schema_check(compiled, value, &errors) != 1) {
        char *text = json_dumps(errors, 0);
        fail_msg("%s: %s", type, text);
    }
    agent_schema_free(compiled);
    json_decref(schema);
}

static void what_is_offered_fits_the_schema(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("agent/mcp/2025-11-25/schema.json");
    static const char *const endpoints[] = { "x=http://127.0.0.1:1/", NULL };
    struct mcp_lab *l = lab_open(endpoints);
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *list = json_array(), *o, *contents;
    assert_int_equal(p->resources(p->context, list), 0);
    o = json_pack("{s:o}", "resources", list);
    fits(o, "ListResourcesResult");
    json_decref(o);
    list = json_array();
    assert_int_equal(p->templates(p->context, list), 0);
    o = json_pack("{s:o}", "resourceTemplates", list);
    fits(o, "ListResourceTemplatesResult");
    json_decref(o);
    list = json_array();
    assert_int_equal(p->prompts(p->context, list), 0);
    o = json_pack("{s:o}", "prompts", list);
    fits(o, "ListPromptsResult");
    json_decref(o);
    static const char *const uris[] = { "assay://data",
                                        "assay://data/survey",
                                        "assay://data/survey/rows/1-3",
                                        "assay://data/people.csv/text",
                                        "assay://tables/shop.sqlite/cheap",
                                        "assay://runs" };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        assert_int_equal(p->read(p->context, uris[i], &contents), 0);
        o = json_pack("{s:o}", "contents", contents);
        fits(o, "ReadResourceResult");
        json_decref(o);
    }
    mcp_lab_close(l);
    char run[100];
    snprintf(run, sizeof run, "{\"run\": \"%s\"}", lab_ground.run[0]);
    const char *const made[][2] = { { "few_shot", "{\"task\": \"facts\", \"k\": \"1\"}" },
                                    { "cloze", "{\"task\": \"counting\"}" },
                                    { "analyze_dataset", "{\"dataset\": \"weather\"}" },
                                    { "explain_run", run } };
    for (size_t i = 0; i < 4; i++) {
        o = prompt(made[i][0], made[i][1]);
        fits(o, "GetPromptResult");
        json_decref(o);
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    static const char *const made[][2] = { { "few_shot", "{\"task\": \"sums\", \"k\": \"1\"}" },
                                           { "analyze_dataset", "{\"dataset\": \"people.csv\"}" } };
    for (size_t i = 0; i < 2; i++) {
        json_decref(prompt(made[i][0], made[i][1])); /* fills the caches */
        bool done = false;
        for (long n = 1; !done; n += n < 40 ? 1 : 9) {
            long live = base_alloc_live();
            json_t *given = run_json(made[i][1]), *result = NULL;
            base_alloc_fail_after(n);
            int rc = provider->prompt(provider->context, made[i][0], given, &result);
            base_alloc_fail_after(0);
            done = rc == 0;
            json_decref(given);
            json_decref(result);
            assert_true(rc <= 0 && n < 5000);
            assert_int_equal(base_alloc_live(), live);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_are_listed),
        cmocka_unit_test(few_shot_is_made_of_items),
        cmocka_unit_test(cloze_is_a_text_to_continue),
        cmocka_unit_test(analysis_is_planned_by_the_columns),
        cmocka_unit_test(a_run_is_explained),
        cmocka_unit_test(arguments_are_completed),
        cmocka_unit_test(what_is_offered_fits_the_schema),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
