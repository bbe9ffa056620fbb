/* The connection of the mcp commands; see mcp_connect.h. */
#include "cli/mcp_connect.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include <stdlib.h>
#include <string.h>

static const char *server_name(const struct cli_mcp *m)
{
    const char *name =
        m->client ? json_string_value(json_object_get(mcp_client_server(m->client), "name")) : NULL;
    return name ? name : "the server";
}

static void log_text(const char *what, const char *text, size_t bytes)
{
    struct base_buffer b = { 0 };
    if (cli_append_visible(&b, text, bytes, 400) == 0)
        base_log("%s: %s", what, b.data ? b.data : "");
    base_buffer_free(&b);
}

static void progress(struct cli_mcp *m, const json_t *params)
{
    double done = json_number_value(json_object_get(params, "progress")),
           total = json_number_value(json_object_get(params, "total"));
    const char *note = json_string_value(json_object_get(params, "message"));
    struct base_buffer b = { 0 };
    cli_append_visible(&b, note ? note : "", note ? strlen(note) : 0, 60);
    note = b.data ? b.data : "";
    if (!m->bar)
        m->bar = base_progress_begin("call", "steps", total > 0 ? (uint64_t)total : 0);
    if (m->bar)
        base_progress_update(m->bar, done > 0 ? (uint64_t)done : 0, note);
    else if (total > 0)
        base_log("progress %.6g of %.6g%s%s", done, total, *note ? ": " : "", note);
    else
        base_log("progress %.6g%s%s", done, *note ? ": " : "", note);
    base_buffer_free(&b);
}

static void told(void *context, const char *method, const json_t *params)
{
    if (strcmp(method, "notifications/progress") == 0) {
        progress(context, params);
    } else if (strcmp(method, "notifications/message") == 0) {
        const json_t *data = json_object_get(params, "data");
        const char *level = json_string_value(json_object_get(params, "level"));
        char *text = json_is_string(data) ? base_strdup(json_string_value(data))
                                          : base_json_dump(data, false);
        if (text)
            log_text(level && strlen(level) < 20 ? level : "log", text, strlen(text));
        base_free(text);
    } else if (strstr(method, "list_changed") || strstr(method, "resources/updated")) {
        log_text("changed", method, strlen(method));
    }
}

static int roots(const struct cli_mcp *m, json_t **result)
{
    json_t *all = json_array();
    int rc = all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < m->roots.count && !rc; i++) {
        char *path = realpath(m->roots.at[i], NULL),
             *uri = path ? base_format("file://%s", path) : NULL;
        if (!path)
            rc = base_error_set(BASE_E_ARGUMENT, "--root %s: no such directory", m->roots.at[i]);
        else if (!uri || json_array_append_new(
                             all, json_pack("{s:o}", "uri", base_json_text(uri, strlen(uri)))))
            rc = BASE_E_MEMORY;
        base_free(uri);
        free(path);
    }
    *result = rc ? NULL : json_pack("{s:O}", "roots", all);
    json_decref(all);
    return rc ? rc : *result ? 0 : BASE_E_MEMORY;
}

static int asked(void *context, const char *method, const json_t *params, json_t **result)
{
    struct cli_mcp *m = context;
    if (strcmp(method, "roots/list") == 0)
        return roots(m, result);
    base_progress_end(m->bar); /* the question stands on a line of its own */
    m->bar = NULL;
    return cli_form_answer(params, server_name(m), m->answer, result);
}

int cli_mcp_open(const struct cli_command *self, struct cli_mcp *m, bool hears)
{
    const char *token = m->token_env ? getenv(m->token_env) : NULL;
    json_t *given = NULL;
    if (!m->command == !m->url)
        return cli_usage(self, "expected --command or --url, one of both");
    if (m->token_env && !token)
        return cli_usage(self, "--token-env %s: there is no such variable", m->token_env);
    if (m->answer && strcmp(m->answer, "decline") != 0 && strcmp(m->answer, "cancel") != 0) {
        int rc = base_json_parse_wire(&given, m->answer, strlen(m->answer), 0, "--answer");
        bool object = json_is_object(given);
        json_decref(given);
        if (rc || !object)
            return cli_usage(self, "--answer: expected a JSON object, decline or cancel");
    }
    json_t *can = json_pack("{s:{s:{}}}", "elicitation", "form");
    if (can && m->roots.count)
        json_object_set_new(can, "roots", json_object());
    const struct mcp_client_options o = { .command = m->command,
                                          .url = m->url,
                                          .token = token,
                                          .timeout = m->timeout,
                                          .version = m->version,
                                          .log = m->log,
                                          .asked = hears ? asked : NULL,
                                          .capabilities = can,
                                          .told = hears ? told : NULL,
                                          .context = m };
    base_interrupt_install(); /* Ctrl-C calls off what runs, and the session is ended */
    int rc = can ? mcp_client_open(&m->client, &o) : BASE_E_MEMORY;
    json_decref(can);
    return rc ? cli_fail(self) : 0;
}

void cli_mcp_close(struct cli_mcp *m)
{
    base_progress_end(m->bar);
    mcp_client_close(m->client);
    m->bar = NULL;
    m->client = NULL;
}
