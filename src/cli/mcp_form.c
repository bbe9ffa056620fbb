/* An MCP server's form (elicitation) at the terminal: one line for each property of its schema,
 * held against that property's schema before the next one is asked. What the server wrote is shown
 * with its control characters visible. Nothing is sent before a person has said yes. */
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include "cli/mcp_connect.h"
#include <assay/schema.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

static void say(const char *text, int columns)
{
    struct base_buffer b = { 0 };
    if (text && cli_append_visible(&b, text, strlen(text), columns) == 0)
        fputs(b.data ? b.data : "", stderr);
    base_buffer_free(&b);
}

/* A line from the terminal without its end; false at its end. */
static bool read_line(char **line, size_t *room)
{
    fflush(stderr);
    for (struct pollfd fd = { STDIN_FILENO, POLLIN, 0 }; poll(&fd, 1, 200) <= 0;)
        if (base_interrupted())
            return false;
    ssize_t n = getline(line, room, stdin);
    if (n < 0)
        return false;
    while (n && ((*line)[n - 1] == '\n' || (*line)[n - 1] == '\r'))
        (*line)[--n] = 0;
    return true;
}

/* The values of a choice, and what they are called; NULL when the property is none. */
static const json_t *choices(const json_t *property, const json_t **titles)
{
    const json_t *items = json_object_get(property, "items");
    const json_t *from = items ? items : property;
    *titles = json_object_get(from, "enumNames");
    const json_t *all = json_object_get(from, "enum");
    all = all ? all : json_object_get(from, "oneOf");
    return all ? all : json_object_get(from, "anyOf");
}

static const char *choice_value(const json_t *choice)
{
    return json_string_value(json_is_object(choice) ? json_object_get(choice, "const") : choice);
}

static json_t *choose(const json_t *all, const char *text, size_t n)
{
    char *end = NULL;
    char *copy = base_strndup(text, n);
    unsigned long number = copy ? strtoul(copy, &end, 10) : 0;
    bool counted = copy && end != copy && !*end && number >= 1 && number <= json_array_size(all);
    const char *value = counted ? choice_value(json_array_get(all, number - 1)) : copy;
    json_t *out = value ? json_string(value) : NULL;
    base_free(copy);
    return out;
}

/* What was typed, as the property's type has it; NULL when it cannot be. */
static json_t *typed(const json_t *property, const char *text)
{
    const char *type = json_string_value(json_object_get(property, "type"));
    const json_t *titles, *all = choices(property, &titles);
    char *end = NULL;
    errno = 0;
    if (type && strcmp(type, "array") == 0) {
        json_t *list = json_array();
        while (list && *text) {
            text += strspn(text, ", ");
            size_t n = strcspn(text, ",");
            size_t used = n;
            while (used && text[used - 1] == ' ')
                used--;
            if (used)
                json_array_append_new(list, choose(all, text, used));
            text += n;
        }
        return list;
    }
    if (all)
        return choose(all, text, strlen(text));
    if (type && strcmp(type, "boolean") == 0) {
        static const char *const yes[] = { "y", "yes", "true", "1" }, *const no[] = { "n", "no",
                                                                                      "false",
                                                                                      "0" };
        for (size_t i = 0; i < 4; i++) {
            if (strcasecmp(text, yes[i]) == 0)
                return json_true();
            if (strcasecmp(text, no[i]) == 0)
                return json_false();
        }
        return NULL;
    }
    if (type && strcmp(type, "integer") == 0) {
        long long v = strtoll(text, &end, 10);
        return end != text && !*end && !errno ? json_integer(v) : NULL;
    }
    if (type && strcmp(type, "number") == 0) {
        double v = strtod(text, &end);
        return end != text && !*end && !errno ? json_real(v) : NULL;
    }
    return base_json_text(text, strlen(text));
}

static bool fits(json_t *property, const json_t *value)
{
    struct agent_schema *schema = NULL;
    json_t *errors = NULL;
    bool good = agent_schema_compile(&schema, property, "property", NULL) == 0 &&
                agent_schema_check(schema, value, &errors) == 1;
    if (!good) {
        const char *why = json_string_value(json_object_get(json_array_get(errors, 0), "message"));
        fputs("    ", stderr);
        say(why ? why : base_error_message(), 0);
        fputs("\n", stderr);
    }
    json_decref(errors);
    agent_schema_free(schema);
    return good;
}

static void show_property(const char *name, const json_t *property, bool required)
{
    const json_t *titles, *all = choices(property, &titles), *usual, *choice;
    const char *title = json_string_value(json_object_get(property, "title"));
    const char *what = json_string_value(json_object_get(property, "description"));
    const char *type = json_string_value(json_object_get(property, "type"));
    size_t i;
    fputs("  ", stderr);
    say(title ? title : name, 60);
    fprintf(stderr, " (%s%s)",
            all    ? "choice"
            : type ? type
                   : "text",
            required ? "" : ", may be empty");
    if (what) {
        fputs(": ", stderr);
        say(what, 0);
    }
    fputs("\n", stderr);
    json_array_foreach((json_t *)(uintptr_t)all, i, choice)
    {
        const char *called = json_is_object(choice)
                                 ? json_string_value(json_object_get(choice, "title"))
                                 : json_string_value(json_array_get(titles, i));
        fprintf(stderr, "    %zu ", i + 1);
        say(called ? called : choice_value(choice), 60);
        fputs("\n", stderr);
    }
    usual = json_object_get(property, "default");
    fputs("    ", stderr);
    if (usual) {
        char *text = json_is_string(usual) ? base_strdup(json_string_value(usual))
                                           : base_json_dump(usual, false);
        fputs("[", stderr);
        say(text, 40);
        fputs("] ", stderr);
        base_free(text);
    }
    fputs(type && strcmp(type, "array") == 0 ? "numbers, with commas > " : "> ", stderr);
}

static bool is_required(const json_t *schema, const char *name)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i,
                       one) if (json_is_string(one) &&
                                strcmp(json_string_value(one), name) == 0) return true;
    return false;
}

static int decided(const char *action, json_t *content, json_t **result)
{
    *result = content ? json_pack("{s:s, s:O}", "action", action, "content", content)
                      : json_pack("{s:s}", "action", action);
    return *result ? 0 : BASE_E_MEMORY;
}

/* Fills in the form; false at the terminal's end. */
static bool fill(const json_t *schema, json_t *content)
{
    char *line = NULL;
    size_t room = 0;
    bool there = true;
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(schema, "properties"), name, property)
    {
        for (bool done = false; !done && there;) {
            bool required = is_required(schema, name);
            show_property(name, property, required);
            if (!(there = read_line(&line, &room)))
                break;
            if (!*line) { /* the default is filled in later */
                done = !required || json_object_get(property, "default");
                continue;
            }
            json_t *value = typed(property, line);
            if (!value)
                fputs("    that is not such a value\n", stderr);
            else if ((done = fits(property, value)))
                json_object_set(content, name, value);
            json_decref(value);
        }
    }
    free(line);
    return there;
}

int cli_form_answer(const json_t *params, const char *server, const char *answer, json_t **result)
{
    const json_t *schema = json_object_get(params, "requestedSchema");
    const char *message = json_string_value(json_object_get(params, "message"));
    const char *mode = json_string_value(json_object_get(params, "mode"));
    if (mode && strcmp(mode, "form") != 0)
        return decided("decline", NULL, result);
    if (answer && (strcmp(answer, "decline") == 0 || strcmp(answer, "cancel") == 0))
        return decided(answer, NULL, result);
    json_t *content = json_object(), *given = NULL;
    int rc = content ? 0 : BASE_E_MEMORY;
    if (!rc && answer) {
        rc = base_json_parse_wire(&given, answer, strlen(answer), 0, "--answer");
        const char *name;
        json_t *value;
        json_object_foreach(given, name, value) /* what this form does not ask for is left out */
            if (json_object_get(json_object_get(schema, "properties"), name))
                json_object_set(content, name, value);
        rc = rc ? rc : decided("accept", content, result);
        json_decref(given);
        json_decref(content);
        return rc;
    }
    if (!rc && (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))) {
        json_decref(content);
        base_log("%s asks and nobody is at the terminal: no (or give --answer)", server);
        return decided("decline", NULL, result);
    }
    char *line = NULL;
    size_t room = 0;
    say(server, 60);
    fputs(" asks:\n  ", stderr);
    say(message, 0);
    fputs("\nAnswer? [y]es, [n]o, [c]ancel > ", stderr);
    tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed before does not answer it */
    bool there = read_line(&line, &room);
    char first = there && line[0] ? line[0] : 'c';
    free(line);
    if (!rc && (first == 'y' || first == 'Y') && fill(schema, content))
        rc = decided("accept", content, result);
    else if (!rc)
        rc = decided(first == 'n' || first == 'N' ? "decline" : "cancel", NULL, result);
    json_decref(content);
    return rc;
}
