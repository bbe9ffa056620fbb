/* The prompt analyze_dataset: what a data set holds, what looks wrong in it, and a plan whose steps
 * are calls of the laboratory's tools with the data set's own columns.
 *
 * Which analysis goes with which columns:
 *   a number by two groups          welch_t_test          a number by a number    correlation
 *   a number by more groups         anova                 a number by all others  linear_regression
 *   a category by a category        chi_square
 * Integers that differ in every row are taken for numbers of rows, and left out. The tools read
 * files: for tables of databases and endpoints the steps are said in words. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/builtin.h"
#include "mcp/lab.h"
#include <string.h>
#include <strings.h>

#define COLUMNS_TOLD  60
#define FINDINGS_TOLD 20
#define GROUPS_MOST   30
#define USED          4 /* columns of a kind that the plan names */

enum kind { KIND_NUMBER, KIND_CATEGORY, KIND_DATE, KIND_OTHER, KINDS };
struct plan {
    struct base_buffer *b;
    const json_t *file;   /* its name for the tools, NULL = they cannot read it */
    const json_t *target; /* the column to be explained, or NULL */
    const json_t *column[KINDS][USED];
    size_t n[KINDS];
    unsigned step;
};

static enum kind kind_of(const json_t *column)
{
    static const struct {
        const char *type;
        enum kind kind;
    } types[] = {
        /* of describe */
        { "integer", KIND_NUMBER },
        { "number", KIND_NUMBER },
        { "category", KIND_CATEGORY },
        { "yes/no", KIND_CATEGORY },
        { "date", KIND_DATE },
        /* of SQL */
        { "bigint", KIND_NUMBER },
        { "smallint", KIND_NUMBER },
        { "real", KIND_NUMBER },
        { "float", KIND_NUMBER },
        { "double", KIND_NUMBER },
        { "numeric", KIND_NUMBER },
        { "decimal", KIND_NUMBER },
        { "int", KIND_NUMBER },
        { "boolean", KIND_CATEGORY },
        { "timestamp", KIND_DATE },
    };
    const char *type = json_string_value(json_object_get(column, "type"));
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strncasecmp(type, types[i].type, strlen(types[i].type)) == 0)
            return types[i].kind;
    return KIND_OTHER;
}

static const char *name_of(const json_t *column)
{
    const char *name = json_string_value(json_object_get(column, "name"));
    return name ? name : "?";
}

/* Whether a column explains nothing: it only numbers the rows, most of it is missing, or it has
 * more groups than a comparison bears. */
static bool is_idle(const json_t *column, const json_t *rows, enum kind kind)
{
    const char *type = json_string_value(json_object_get(column, "type"));
    double distinct = json_number_value(json_object_get(column, "distinct"));
    double missing = json_number_value(json_object_get(column, "missing"));
    if ((kind == KIND_CATEGORY && distinct > GROUPS_MOST) ||
        (json_is_integer(rows) && missing > json_number_value(rows) / 2))
        return true;
    return (type && !strcasecmp(type, "integer") && json_is_integer(rows) &&
            json_integer_value(rows) > 2 && distinct == json_number_value(rows)) ||
           json_is_true(json_object_get(column, "primary_key"));
}

static void sort_columns(struct plan *p, const json_t *set)
{
    const json_t *columns = json_object_get(set, "columns"), *rows = json_object_get(set, "rows");
    const json_t *column;
    size_t i;
    json_array_foreach(columns, i, column)
    {
        enum kind kind = kind_of(column);
        if (column != p->target && p->n[kind] < USED && !is_idle(column, rows, kind))
            p->column[kind][p->n[kind]++] = column;
    }
}

/* ---- what there is ---- */

static int say_columns(struct base_buffer *b, const json_t *columns)
{
    size_t i;
    const json_t *column;
    int rc = 0;
    json_array_foreach(columns, i, column)
    {
        const char *type = json_string_value(json_object_get(column, "type"));
        json_int_t missing = json_integer_value(json_object_get(column, "missing"));
        if (rc || i >= COLUMNS_TOLD)
            continue;
        rc = base_buffer_printf(b, "- %.100s%s%s", name_of(column), type && *type ? ": " : "",
                                type ? type : "");
        if (!rc && missing)
            rc = base_buffer_printf(b, ", %lld missing", (long long)missing);
        rc = rc ? rc : base_buffer_puts(b, "\n");
    }
    if (!rc && json_array_size(columns) > COLUMNS_TOLD)
        rc = base_buffer_printf(b, "- and %zu more\n", json_array_size(columns) - COLUMNS_TOLD);
    return rc;
}

static int say_findings(struct base_buffer *b, const json_t *findings)
{
    size_t i;
    const json_t *f;
    int rc = json_array_size(findings)
                 ? base_buffer_puts(b, "\nWhat looks wrong, and must be settled first:\n")
                 : 0;
    json_array_foreach(findings, i, f)
    {
        const char *column = json_string_value(json_object_get(f, "column"));
        const char *severity = json_string_value(json_object_get(f, "severity"));
        const char *message = json_string_value(json_object_get(f, "message"));
        if (rc || i >= FINDINGS_TOLD)
            continue;
        rc = base_buffer_printf(b, "- %s: %s%s%lld %s\n", severity ? severity : "?",
                                column ? column : "", column ? ": " : "",
                                (long long)json_integer_value(json_object_get(f, "count")),
                                message ? message : "");
    }
    return rc;
}

/* ---- the plan ---- */

static int say(struct plan *p, const char *text)
{
    return base_buffer_printf(p->b, "%u. %s\n", p->step++, text);
}

/* A call of a tool as a line of its own; arguments (taken over) but for the file. */
static int call(struct plan *p, const char *tool, json_t *arguments)
{
    if (!p->file) {
        json_decref(arguments);
        return 0;
    }
    json_t *all = arguments ? json_pack("{s:O}", "file", p->file) : NULL;
    char *text = all && !json_object_update(all, arguments) ? base_json_dump(all, false) : NULL;
    int rc = text ? base_buffer_printf(p->b, "   %s %s\n", tool, text) : BASE_E_MEMORY;
    base_free(text);
    json_decref(all);
    json_decref(arguments);
    return rc;
}

static json_t *name_json(const json_t *column)
{
    return json_incref(json_object_get(column, "name"));
}

/* A number by the groups of a category. */
static int compare(struct plan *p, const json_t *number, const json_t *category)
{
    bool two = json_number_value(json_object_get(category, "distinct")) == 2;
    return call(p, "run_analysis",
                json_pack("{s:s, s:o, s:o}", "analysis", two ? "welch_t_test" : "anova", "response",
                          name_json(number), "group", name_json(category)));
}

static int relate(struct plan *p, const char *analysis, const json_t *x, const json_t *y)
{
    return call(
        p, "run_analysis",
        json_pack("{s:s, s:o, s:o}", "analysis", analysis, "x", name_json(x), "y", name_json(y)));
}

static int regress(struct plan *p, const json_t *response)
{
    json_t *predictors = json_array();
    for (int kind = KIND_NUMBER; kind <= KIND_CATEGORY; kind++)
        for (size_t i = 0; predictors && i < p->n[kind]; i++)
            if (p->column[kind][i] != response)
                json_array_append_new(predictors, name_json(p->column[kind][i]));
    return call(p, "run_analysis",
                predictors ? json_pack("{s:s, s:o, s:o}", "analysis", "linear_regression",
                                       "response", name_json(response), "predictors", predictors)
                           : NULL);
}

/* The steps for a column that is to be explained. */
static int explain(struct plan *p)
{
    enum kind kind = kind_of(p->target);
    size_t numbers = p->n[KIND_NUMBER], categories = p->n[KIND_CATEGORY];
    int rc = say(p, "Describe the column that is to be explained: its spread, its missing values, "
                    "its extremes.");
    if (!rc)
        rc = call(p, "summarize_dataset", json_pack("{s:[o]}", "columns", name_json(p->target)));
    if (!rc && kind == KIND_NUMBER && categories) {
        rc = say(p, "Compare it between groups.");
        for (size_t i = 0; i < categories && !rc; i++)
            rc = compare(p, p->target, p->column[KIND_CATEGORY][i]);
    }
    if (!rc && kind == KIND_NUMBER && numbers) {
        rc = say(p, "Correlate it with other numbers.");
        for (size_t i = 0; i < numbers && !rc; i++)
            rc = relate(p, "correlation", p->target, p->column[KIND_NUMBER][i]);
    }
    if (!rc && kind == KIND_NUMBER && numbers + categories > 1) {
        rc = say(p, "Put them together, so that each is seen with the others held fixed.");
        rc = rc ? rc : regress(p, p->target);
    }
    if (!rc && kind == KIND_CATEGORY && categories) {
        rc = say(p, "Cross it with other categories.");
        for (size_t i = 0; i < categories && !rc; i++)
            rc = relate(p, "chi_square", p->target, p->column[KIND_CATEGORY][i]);
    }
    if (!rc && kind == KIND_CATEGORY && numbers) {
        rc = say(p, "Compare numbers between its groups.");
        for (size_t i = 0; i < numbers && !rc; i++)
            rc = compare(p, p->column[KIND_NUMBER][i], p->target);
    }
    if (!rc && kind != KIND_NUMBER && kind != KIND_CATEGORY)
        rc = say(p, "It is neither a number nor a category: say what could be counted or measured "
                    "of it before anything is tested.");
    return rc;
}

/* The steps without one. */
static int explore(struct plan *p)
{
    size_t numbers = p->n[KIND_NUMBER], categories = p->n[KIND_CATEGORY];
    int rc = say(p, "Describe the columns: spread, missing values, extremes.");
    if (!rc)
        rc = call(p, "summarize_dataset", json_object());
    if (!rc && numbers > 1) {
        rc = say(p, "Correlate the numbers.");
        for (size_t i = 1; i < numbers && !rc; i++)
            rc = relate(p, "correlation", p->column[KIND_NUMBER][0], p->column[KIND_NUMBER][i]);
    }
    if (!rc && numbers && categories) {
        rc = say(p, "Compare the numbers between groups.");
        for (size_t i = 0; i < numbers && !rc; i++)
            rc = compare(p, p->column[KIND_NUMBER][i], p->column[KIND_CATEGORY][0]);
    }
    if (!rc && categories > 1) {
        rc = say(p, "Cross the categories.");
        for (size_t i = 1; i < categories && !rc; i++)
            rc = relate(p, "chi_square", p->column[KIND_CATEGORY][0], p->column[KIND_CATEGORY][i]);
    }
    return rc;
}

static int say_plan(struct plan *p)
{
    int rc = base_buffer_puts(p->b, p->file ? "\nGo on like this; the lines with braces are calls "
                                              "of tools of this server.\n"
                                            : "\nGo on like this.\n");
    p->step = 1;
    if (!rc)
        rc = say(p, "Say what a row stands for, and which values you leave out or correct, and "
                    "why.");
    if (!rc)
        rc = p->target ? explain(p) : explore(p);
    if (!rc && p->n[KIND_DATE])
        rc = base_buffer_printf(p->b, "%u. Look along %.100s: is there a trend, or a break?\n",
                                p->step++, name_of(p->column[KIND_DATE][0]));
    return rc ? rc
              : say(p, "Give every figure with its interval and the number of rows it rests on; "
                       "correct for the number of tests; say what the data cannot show.");
}

static int write_text(struct plan *p, const json_t *set, const char *question, const char *target)
{
    const char *name = json_string_value(json_object_get(set, "name"));
    const json_t *columns = json_object_get(set, "columns"), *rows = json_object_get(set, "rows");
    const json_t *column;
    size_t i;
    json_array_foreach(columns, i, column) if (target && strcmp(name_of(column), target) == 0)
        p->target = column;
    if (target && !p->target)
        return base_error_set(BASE_E_ARGUMENT, "column %.100s: %s has none of that name", target,
                              name);
    int rc = base_buffer_printf(p->b, "Analyze the data set %s%s%s.\n", name,
                                target ? ", to explain its column " : "", target ? target : "");
    if (!rc && question)
        rc = base_buffer_printf(p->b, "The question: %s\n", question);
    if (!rc && json_is_integer(rows))
        rc = base_buffer_printf(p->b, "\nIt has %lld rows and %zu columns:\n",
                                (long long)json_integer_value(rows), json_array_size(columns));
    else if (!rc)
        rc = base_buffer_printf(p->b, "\nIt has %zu columns:\n", json_array_size(columns));
    if (!rc)
        rc = say_columns(p->b, columns);
    if (!rc)
        rc = say_findings(p->b, json_object_get(set, "findings"));
    sort_columns(p, set);
    return rc ? rc : say_plan(p);
}

/* What the tools call a data set. */
static json_t *file_of(const char *name)
{
    for (size_t i = 0; i < data_builtin_count; i++)
        if (strcmp(data_builtins[i].name, name) == 0)
            return json_sprintf("builtin:%s", name);
    return json_string(name);
}

int mcp_lab_analyze(struct mcp_lab *l, const json_t *arguments, json_t **result)
{
    const char *set = json_string_value(json_object_get(arguments, "dataset"));
    const char *question = json_string_value(json_object_get(arguments, "question"));
    const char *target = json_string_value(json_object_get(arguments, "column"));
    bool address = base_starts_with(set, "assay://");
    struct base_buffer text = { 0 };
    json_t *content = NULL, *value = NULL, *messages = json_array();
    json_t *file = address ? NULL : file_of(set);
    struct plan plan = { .b = &text, .file = file };
    char *uri = address ? base_strdup(set) : mcp_lab_uri("assay://data/{name}", set, NULL);
    int rc = messages && uri && (address || file)
                 ? mcp_lab_embed(l, uri, "data set", &content, &value)
                 : BASE_E_MEMORY;
    if (!rc && !json_is_array(json_object_get(value, "columns")))
        rc = base_error_set(BASE_E_ARGUMENT, "%.200s: is no data set, table or endpoint", uri);
    if (!rc)
        rc = write_text(&plan, value, question && *question ? question : NULL,
                        target && *target ? target : NULL);
    if (!rc)
        rc = mcp_lab_message_add(messages, "user", mcp_lab_text_content(text.data, text.length));
    if (!rc) {
        rc = mcp_lab_message_add(messages, "user", content);
        content = NULL;
    }
    if (!rc) {
        *result = json_pack(
            "{s:o, s:O}", "description",
            json_sprintf("Analysis of %s", json_string_value(json_object_get(value, "name"))),
            "messages", messages);
        rc = *result ? 0 : BASE_E_MEMORY;
    }
    base_buffer_free(&text);
    base_free(uri);
    json_decref(file);
    json_decref(content);
    json_decref(value);
    json_decref(messages);
    return rc;
}
