/* assay tools index: documents into an index for the tool `search`. */
#include "base/json.h"
#include "cli/display.h"
#include "base/memory.h"
#include <assay/search.h>

static int run_index(int argc, char **argv);
const struct cli_command cli_command_tools_index = {
    .name = "tools index",
    .synopsis = "[options] DIR|FILE -o INDEX",
    .summary = "Index documents for the tool search",
    .details =
        "Reads the text files of a directory (hidden files and links are left out, what is no "
        "UTF-8 text is skipped and told), the records of a .jsonl, .json, .csv or .tsv file, plain "
        "or compressed, or one text file. Texts are cut into passages at headings of Markdown, "
        "blank lines and words. The index is one SQLite file, written whole or not at all: "
        "documents and passages with their paths, titles and places, indexed with FTS5. "
        "-o postgresql://HOST/DATABASE#TABLE writes one table of a PostgreSQL database instead, "
        "which replaces an older index of that name and nothing else.\n\n"
        "  assay tools index docs -o docs.sqlite\n"
        "  assay tools index articles.jsonl --field body --title headline -o articles.sqlite\n"
        "  assay tools index docs -o postgresql:///lab#docs --tokenizer english\n"
        "  assay tools call search --documents docs.sqlite --args '{\"query\": \"audit log\"}'",
    .run = run_index,
};

static int run_index(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_tools_index;
    struct agent_index_options o = { 0 };
    int64_t passage = 1200;
    const char *target = NULL;
    const struct cli_option options[] = {
        { "output", 'o', CLI_STRING, &target, "INDEX",
          "The SQLite file, or postgresql://...#TABLE, to write." },
        { "field", 0, CLI_STRING, &o.field, "NAME", "Records: the field with the text (text)." },
        { "title", 0, CLI_STRING, &o.title, "NAME", "Records: the field with the title." },
        { "id", 0, CLI_STRING, &o.id, "NAME",
          "Records: the field that names them (their number)." },
        { "passage", 0, CLI_INT, &passage, "BYTES", "Length of a passage at most (1200)." },
        { "tokenizer", 0, CLI_STRING, &o.tokenizer, "KIND",
          "words, english (and their stems) or trigram (scripts without blanks)." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected one directory or file");
    if (!target)
        return cli_usage(self, "-o INDEX says where the index goes");
    if (passage < 200 || passage > 100000)
        return cli_usage(self, "--passage %lld: expected 200 to 100000", (long long)passage);
    o.passage = (size_t)passage;
    struct agent_index_report r;
    if (agent_index_make(argv[1], target, &o, &r))
        return cli_fail(self);
    char *shown = agent_index_public(target);
    if (!shown) {
        json_decref(r.names);
        return cli_fail(self);
    }
    if (cli_common.json) {
        code = cli_print_json(self, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "index", shown,
                                              "documents", (json_int_t)r.documents, "passages",
                                              (json_int_t)r.passages, "bytes", (json_int_t)r.bytes,
                                              "skipped", (json_int_t)r.skipped, "skipped_names",
                                              r.names));
        base_free(shown);
        return code;
    }
    struct base_buffer b = { 0 };
    int rc = base_buffer_printf(&b, "%s: %llu document%s, %llu passage%s", shown,
                                (unsigned long long)r.documents, r.documents == 1 ? "" : "s",
                                (unsigned long long)r.passages, r.passages == 1 ? "" : "s");
    for (size_t i = 0; i < json_array_size(r.names) && !rc; i++) {
        rc = base_buffer_puts(&b, i ? ", " : "; no text and skipped: ");
        const json_t *name = json_array_get(r.names, i);
        if (!rc)
            rc = cli_append_visible(&b, json_string_value(name), json_string_length(name), 0);
    }
    if (!rc && r.skipped > json_array_size(r.names))
        rc = base_buffer_printf(&b, " and %llu more",
                                (unsigned long long)(r.skipped - json_array_size(r.names)));
    if (!rc)
        rc = base_buffer_puts(&b, "\n");
    json_decref(r.names);
    base_free(shown);
    return cli_print_text(self, &b, rc);
}
