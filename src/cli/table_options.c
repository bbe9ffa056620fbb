/* See table_options.h. */
#include "cli/table_options.h"
#include "base/memory.h"
#include <string.h>

/* A character, or the word for one. */
static int one_character(const struct cli_command *command, const char *option, const char *text,
                         char *out)
{
    if (!text)
        return 0;
    *out = strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0 ? '\t'
           : strcmp(text, "space") == 0                         ? ' '
                                                                : text[0];
    if (strlen(text) == 1 || *out != text[0])
        return 0;
    return cli_usage(command, "--%s %s: one character, tab or space", option, text);
}

int cli_table_parse(const struct cli_command *command, const struct cli_table_input *input,
                    struct data_table_options *out)
{
    *out = (struct data_table_options){ .pad = input->pad,
                                        .header =
                                            input->no_header ? DATA_HEADER_NO : DATA_HEADER_AUTO };
    if (input->format && data_format_parse(input->format, &out->format))
        return cli_usage(command, "--format: %s", base_error_message());
    int rc = one_character(command, "delimiter", input->delimiter, &out->delimiter);
    return rc ? rc : one_character(command, "comment", input->comment, &out->comment);
}

int cli_names(const struct cli_command *command, const struct cli_strings *given,
              const char *const **names, size_t *n)
{
    size_t count = 0;
    *names = NULL;
    *n = 0;
    for (size_t i = 0; i < given->count; i++)
        for (const char *p = given->at[i]; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
            count++;
    char **list = base_alloc_zero(count + 1, sizeof *list);
    if (!list)
        return cli_fail(command);
    *names = (const char *const *)list;
    *n = count;
    for (size_t i = 0, k = 0; i < given->count; i++)
        for (const char *p = given->at[i]; p;) {
            size_t length = strcspn(p, ",");
            if (length == 0)
                return cli_usage(command, "\"%s\": an empty name", given->at[i]);
            if (!(list[k++] = base_strndup(p, length)))
                return cli_fail(command);
            p = p[length] ? p + length + 1 : NULL;
        }
    return 0;
}

void cli_names_free(const char *const *names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        base_free((char *)(uintptr_t)names[i]);
    base_free((void *)(uintptr_t)names);
}
