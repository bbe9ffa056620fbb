/* The laboratory as a host sees it: `assay mcp serve` started by a client of both eras, its lists,
 * pages, errors with their codes, completion, and a subscription that hears a table change. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lab_support.h"
#include "base/progress.h"
#include <pthread.h>
#include <time.h>

static struct {
    pthread_mutex_t lock;
    unsigned updated;
    char uri[200];
} heard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void told(void *context, const char *method, const json_t *params)
{
    (void)context;
    const char *uri = json_string_value(json_object_get(params, "uri"));
    pthread_mutex_lock(&heard.lock);
    if (strcmp(method, "notifications/resources/updated") == 0) {
        heard.updated++;
        snprintf(heard.uri, sizeof heard.uri, "%s", uri ? uri : "");
    }
    pthread_mutex_unlock(&heard.lock);
}

static struct mcp_client *connect_as(const char *version)
{
    const char *program = getenv("ASSAY_PROGRAM");
    char *command =
        base_format("%s mcp serve --stdio --data '%s' --database '%s' --store '%s' --endpoint "
                    "nobody=http://127.0.0.1:1/x",
                    program && *program ? program : "./assay", lab_ground.data, lab_ground.shop,
                    lab_ground.store);
    const struct mcp_client_options o = { .command = command, .version = version, .told = told };
    struct mcp_client *c;
    if (mcp_client_open(&c, &o))
        fail_msg("%s", base_error_message());
    base_free(command);
    return c;
}

static json_t *ask(struct mcp_client *c, const char *method, json_t *params)
{
    json_t *result = NULL;
    if (mcp_client_request(c, method, params, &result))
        fail_msg("%s: %s", method, base_error_message());
    return result;
}
static void fails(struct mcp_client *c, const char *method, json_t *params, const char *says)
{
    json_t *result = NULL;
    assert_int_equal(mcp_client_request(c, method, params, &result), BASE_E_FORMAT);
    assert_null(result);
    if (!strstr(base_error_message(), says))
        fail_msg("%s: %s", method, base_error_message());
}

static void both_eras(void **state)
{
    (void)state;
    static const char *const versions[] = { "2025-11-25", "2026-07-28" };
    for (int era = 0; era < 2; era++) {
        struct mcp_client *c = connect_as(versions[era]);
        assert_non_null(json_object_get(mcp_client_offers(c), "resources"));
        assert_non_null(json_object_get(mcp_client_offers(c), "prompts"));
        assert_non_null(json_object_get(mcp_client_offers(c), "completions"));
        json_t *all, *o;
        assert_int_equal(mcp_client_list(c, "resources", &all), 0);
        assert_non_null(lab_find(all, "uri", "assay://tables/shop.sqlite/or%22ders"));
        assert_non_null(lab_find(all, "uri", "assay://endpoints/nobody"));
        json_decref(all);
        assert_int_equal(mcp_client_list(c, "resourceTemplates", &all), 0);
        assert_int_equal(json_array_size(all), 13);
        json_decref(all);
        assert_int_equal(mcp_client_list(c, "prompts", &all), 0);
        assert_int_equal(json_array_size(all), 4);
        json_decref(all);
        o = ask(c, "resources/read",
                json_pack("{s:s}", "uri", "assay://tables/shop.sqlite/cheap/rows/1-1"));
        json_t *rows = run_json(json_string_value(lab_at(o, "contents.0.text")));
        lab_says(rows, "rows.0.thing", "tea");
        json_decref(rows);
        json_decref(o);
        o = ask(c, "prompts/get",
                json_pack("{s:s, s:{s:s, s:s}}", "name", "few_shot", "arguments", "task", "sums",
                          "k", "1"));
        assert_int_equal(json_array_size(lab_at(o, "messages")), 3);
        json_decref(o);
        o = ask(c, "completion/complete",
                json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:{s:{s:s}}}", "ref", "type", "ref/prompt",
                          "name", "analyze_dataset", "argument", "name", "column", "value", "c",
                          "context", "arguments", "dataset", "people.csv"));
        lab_says(o, "completion.values.0", "city");
        json_decref(o);
        fails(c, "resources/read", json_pack("{s:s}", "uri", "assay://data/..%2Foutside.csv"),
              era ? "-32602" : "-32002");
        fails(c, "resources/read", json_pack("{s:s}", "uri", "assay://data/people.csv/rows/9-1"),
              "-32602");
        fails(c, "resources/read", json_pack("{s:s}", "uri", "assay://data/ragged.csv"),
              "ragged.csv:3");
        fails(c, "resources/read", json_pack("{s:s}", "uri", "assay://endpoints/nobody"),
              "nobody: ");
        fails(c, "prompts/get", json_pack("{s:s}", "name", "few_shot"), "\"task\" is missing");
        mcp_client_close(c);
    }
}

static void a_subscriber_hears_changes(void **state)
{
    (void)state;
    static const char uri[] = "assay://tables/shop.sqlite/empty";
    struct mcp_client *c = connect_as("2025-11-25");
    json_decref(ask(c, "resources/subscribe", json_pack("{s:s}", "uri", uri)));
    unsigned updated = 0;
    for (int i = 0; i < 100 && !updated; i++) {
        if (i == 15) /* it has been looked at */
            lab_sql(lab_ground.shop, "INSERT INTO empty VALUES (1)");
        json_decref(ask(c, "ping", NULL)); /* what is told is heard while something is asked */
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        pthread_mutex_lock(&heard.lock);
        updated = heard.updated;
        assert_true(!updated || i >= 15);
        pthread_mutex_unlock(&heard.lock);
    }
    assert_int_equal(updated, 1);
    assert_string_equal(heard.uri, uri);
    mcp_client_close(c);
}

int main(void)
{
    base_progress_quiet(true);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_eras),
        cmocka_unit_test(a_subscriber_hears_changes),
    };
    return cmocka_run_group_tests(tests, lab_begin, lab_end);
}
