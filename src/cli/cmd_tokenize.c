/* assay tokenize: text to ids, pieces and offsets, and back. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include <assay/chat.h>
#include <assay/tokenizer.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_tokenize = {
    .name = "tokenize",
    .synopsis = "-m MODEL [--json] [--no-special] TEXT|- | --chat FILE",
    .summary = "Show how a model's tokenizer cuts a text, or decode ids",
    .details =
        "MODEL is a directory in Hugging Face layout, a tokenizer.json, a SentencePiece "
        "tokenizer.model, a GGUF file (one with only a vocabulary will do) or builtin:tiny. TEXT "
        "\"-\" reads standard input.\n\n"
        "Shows one line per token: its id, the piece as the vocabulary stores it, the bytes of the "
        "text it stands for (from, up to), and those bytes. Special tokens that the model wants "
        "around a text are added unless --no-special is given; those written in the text are "
        "recognised unless --plain is given.\n\n"
        "--chat takes a JSON file of messages ([{\"role\": .., \"content\": ..}, ..]) and puts "
        "them "
        "through the model's chat template first, up to where the answer begins. The text then "
        "holds the special tokens that the template writes, and none are added.\n\n"
        "  assay tokenize -m builtin:tiny \"The capital of France is\"\n"
        "  assay tokenize -m builtin:tiny --decode 12,7,99",
    .run = run,
};

/* Bytes as one line of text: control characters and bytes that are not UTF-8 as \n, \t, \x1b. */
static int visible(struct base_buffer *b, const char *s, size_t n)
{
    base_buffer_clear(b);
    int rc = base_buffer_puts(b, "");
    for (size_t i = 0; i < n && !rc;) {
        uint32_t code;
        size_t k = base_utf8_decode(s + i, n - i, &code);
        if (k == 0 || code < 32 || (code >= 127 && code < 160)) {
            unsigned char c = (unsigned char)s[i];
            k = k ? k : 1;
            rc = c == '\n'   ? base_buffer_puts(b, "\\n")
                 : c == '\t' ? base_buffer_puts(b, "\\t")
                 : c == '\r' ? base_buffer_puts(b, "\\r")
                 : k == 1    ? base_buffer_printf(b, "\\x%02x", c)
                             : base_buffer_printf(b, "\\u%04x", code);
        } else {
            rc = base_buffer_append(b, s + i, k);
        }
        i += k;
    }
    return rc;
}

static void pad(FILE *f, int columns)
{
    for (; columns > 0; columns--)
        putc(' ', f);
}

static int print_table(FILE *f, const struct tokenizer *t, const char *text,
                       const struct tokenizer_encoding *e)
{
    struct base_buffer b = { 0 };
    int widest = 5, rc = 0;
    for (size_t i = 0; i < e->count && !rc; i++) {
        const char *piece = tokenizer_piece(t, e->ids[i]);
        rc = visible(&b, piece ? piece : "", piece ? strlen(piece) : 0);
        int columns = rc ? 0 : base_utf8_columns(b.data, b.length);
        if (columns > widest && columns <= 32)
            widest = columns;
    }
    fprintf(f, "%8s  piece", "id");
    pad(f, widest - 5);
    fprintf(f, "  %8s %8s  text\n", "from", "to");
    for (size_t i = 0; i < e->count && !rc; i++) {
        const char *piece = tokenizer_piece(t, e->ids[i]);
        rc = visible(&b, piece ? piece : "", piece ? strlen(piece) : 0);
        if (rc)
            break;
        fprintf(f, "%8d  %s", e->ids[i], b.data);
        pad(f, widest - base_utf8_columns(b.data, b.length));
        rc = visible(&b, text + e->begin[i], e->end[i] - e->begin[i]);
        if (rc)
            break;
        if (tokenizer_is_special(t, e->ids[i]) && e->begin[i] == e->end[i])
            fprintf(f, "  %8u %8u  (added)\n", e->begin[i], e->end[i]);
        else
            fprintf(f, "  %8u %8u  '%s'\n", e->begin[i], e->end[i], b.data);
    }
    if (!rc)
        fprintf(f, "%zu tokens\n", e->count);
    base_buffer_free(&b);
    return rc;
}

static json_t *as_json(const struct tokenizer *t, const struct tokenizer_encoding *e,
                       const char *text, size_t bytes, bool chat)
{
    json_t *ids = json_array(), *pieces = json_array(), *offsets = json_array();
    for (size_t i = 0; i < e->count; i++) {
        const char *piece = tokenizer_piece(t, e->ids[i]);
        json_array_append_new(ids, json_integer(e->ids[i]));
        json_array_append_new(pieces,
                              base_json_text(piece ? piece : "", piece ? strlen(piece) : 0));
        json_array_append_new(offsets,
                              json_pack("[I,I]", (json_int_t)e->begin[i], (json_int_t)e->end[i]));
    }
    return json_pack("{s:o,s:o,s:o,s:o*}", "ids", ids, "pieces", pieces, "offsets", offsets, "text",
                     chat ? base_json_text(text, bytes) : NULL);
}

/* Standard output, or the file of -o. */
static FILE *open_output(struct base_writer *w, int *rc)
{
    *rc = cli_common.output ? base_writer_open(w, cli_common.output) : 0;
    return *rc ? NULL : cli_common.output ? w->stream : stdout;
}

static int decode(const struct cli_command *self, const struct tokenizer *t, const char *list,
                  bool skip_special)
{
    int32_t *ids;
    size_t n, bytes;
    char *text;
    int rc = cli_parse_ids(list, &ids, &n);
    if (rc)
        return cli_fail(self);
    rc = tokenizer_decode(t, ids, n, skip_special, &text, &bytes);
    base_free(ids);
    if (rc)
        return cli_fail(self);
    int code = 0;
    if (cli_common.json) {
        code = cli_print_json(self, json_pack("{s:o}", "text", base_json_text(text, bytes)));
    } else {
        struct base_writer w;
        FILE *f = open_output(&w, &rc);
        if (f) {
            fwrite(text, 1, bytes, f);
            putc('\n', f);
        }
        if (!rc && cli_common.output)
            rc = base_writer_commit(&w);
        code = rc ? cli_fail(self) : 0;
    }
    base_free(text);
    return code;
}

static int encode(const struct cli_command *self, const struct tokenizer *t, const char *text,
                  size_t bytes, const struct tokenizer_options *options, bool chat)
{
    struct tokenizer_encoding e;
    int rc = tokenizer_encode(t, text, bytes, options, &e), code = 0;
    if (rc)
        return cli_fail(self);
    if (cli_common.json) {
        code = cli_print_json(self, as_json(t, &e, text, bytes, chat));
    } else {
        struct base_writer w;
        FILE *f = open_output(&w, &rc);
        if (f)
            rc = print_table(f, t, text, &e);
        if (cli_common.output && f) {
            if (!rc)
                rc = base_writer_commit(&w);
            else
                base_writer_abort(&w);
        }
        code = rc ? cli_fail(self) : 0;
    }
    tokenizer_encoding_free(&e);
    return code;
}

struct chat_options {
    const char *file;     /* messages */
    const char *template; /* a file; NULL = the model's */
    const char *date;
    bool prompt;
};

/* The conversation in a file as text: new string (base_free). */
static int render_chat(const struct chat_options *o, char **text, size_t *bytes)
{
    json_t *messages = NULL;
    char *source = NULL;
    struct eval_chat *chat = NULL;
    struct eval_chat_options options = { .now = o->date };
    int rc = base_json_load(&messages, o->file);
    if (!rc && o->template)
        rc = base_file_read(o->template, 0, &source, NULL);
    options.source = source;
    if (!rc)
        rc = eval_chat_open(&chat, cli_common.model, &options);
    const struct eval_chat_request request = { .messages = messages,
                                               .add_generation_prompt = o->prompt };
    if (!rc)
        rc = eval_chat_render(chat, &request, text, bytes);
    eval_chat_close(chat);
    base_free(source);
    json_decref(messages);
    return rc;
}

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_tokenize;
    struct chat_options chat = { .prompt = true };
    bool special = true, plain = false, skip = false;
    const char *ids = NULL;
    const struct cli_option table[] = {
        { "model", 'm', CLI_STRING, &cli_common.model, "MODEL",
          "Directory, tokenizer.json, tokenizer.model, .gguf, or builtin:tiny." },
        { "special", 0, CLI_FLAG, &special, NULL,
          "Add the special tokens that the model wants around a text (on by default)." },
        { "plain", 0, CLI_FLAG, &plain, NULL,
          "Take special tokens written in the text as plain text." },
        { "decode", 0, CLI_STRING, &ids, "IDS", "Print the text of these ids (1,2,3) instead." },
        { "chat", 0, CLI_STRING, &chat.file, "FILE",
          "Render these messages (JSON) with the chat template instead of a TEXT." },
        { "chat-template", 0, CLI_STRING, &chat.template, "FILE",
          "With --chat: this Jinja2 template instead of the model's own." },
        { "date", 0, CLI_STRING, &chat.date, "YYYY-MM-DD",
          "With --chat: the date for templates that ask for one." },
        { "prompt", 0, CLI_FLAG, &chat.prompt, NULL,
          "With --chat: end where the answer begins (on by default)." },
        { "skip-special", 0, CLI_FLAG, &skip, NULL, "With --decode: leave out special tokens." },
        { 0 },
    };
    int count;
    int rc = cli_parse(self, table, false, argc, argv, &count);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!cli_common.model)
        return cli_usage(self, "no model given: add -m MODEL");
    if (ids && chat.file)
        return cli_usage(self, "--decode and --chat do not go together");
    if ((chat.template || chat.date || !chat.prompt) && !chat.file)
        return cli_usage(self, "--chat-template, --date and --no-prompt need --chat FILE");
    if (ids || chat.file ? count != 0 : count != 1)
        return cli_usage(self, ids         ? "--decode takes no TEXT"
                               : chat.file ? "--chat takes no TEXT"
                                           : "expected one TEXT, or -");
    struct tokenizer *t;
    if (tokenizer_load(&t, cli_common.model))
        return cli_fail(self);
    int code;
    if (ids) {
        code = decode(self, t, ids, skip);
    } else {
        struct tokenizer_options options = { .add_special = special && !chat.file,
                                             .parse_special = !plain };
        char *input = NULL;
        size_t bytes = chat.file ? 0 : strlen(argv[1]);
        if (chat.file)
            rc = render_chat(&chat, &input, &bytes);
        else if (strcmp(argv[1], "-") == 0)
            rc = base_file_read("-", 0, &input, &bytes);
        code = rc ? cli_fail(self)
                  : encode(self, t, input ? input : argv[1], bytes, &options, chat.file != NULL);
        base_free(input);
    }
    tokenizer_free(t);
    return code;
}
