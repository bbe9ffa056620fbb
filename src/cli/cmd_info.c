/* assay info: what a model or weights file is. All facts come from model_describe; this file lays
 * them out for a terminal of any width. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cli.h"
#include "model/describe.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define LABEL 14 /* columns of the labels at the left */

static int run(int argc, char **argv);
const struct cli_command cli_command_info = {
    .name = "info",
    .synopsis = "[--tensors] [--hash] MODEL",
    .summary = "Show what a model is: architecture, parameters, tensors, memory, tokenizer",
    .details = "MODEL is a directory in Hugging Face layout, a .gguf file, or a bare weights file "
               "(safetensors, PyTorch "
               ".bin, an index of shards), which is judged: exit 0 when it follows its format's "
               "rules in every "
               "detail, 1 with one line that says what is wrong where. A model whose tensors do "
               "not fit its config "
               "is shown, and exits 1 with a line about the first of them.\n\n"
               "Nothing is loaded but headers, so the answer comes at once however large the model "
               "is. --hash reads "
               "every byte: it prints the SHA-256 of each file, and a model hash over names, "
               "types, shapes and bytes of "
               "the tensors that does not depend on how they are split into files.",
    .run = run,
};

/* 1234567 as "1,234,567". */
static const char *grouped(int64_t value, char out[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRId64, value), k = 0;
    for (int i = 0; i < n; i++) {
        if (i && digits[i - 1] != '-' && (n - i) % 3 == 0)
            out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = 0;
    return out;
}

/* Bytes as people read them: 2.5 MiB. */
static const char *sized(int64_t bytes, char out[32])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    int u = 0;
    while (value >= 1024 && u < 4) {
        value /= 1024;
        u++;
    }
    snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", value, units[u]);
    return out;
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

/* "label   value", the value wrapped at blanks under itself. */
static int line(struct base_buffer *b, int columns, const char *label, const char *value)
{
    int rc = base_buffer_printf(b, "%-*s", LABEL, label), at = LABEL;
    for (const char *p = value; *p && !rc;) {
        size_t n = strcspn(p, " ");
        int width = base_utf8_columns(p, n);
        if (at > LABEL && at + 1 + width > columns) {
            rc = base_buffer_printf(b, "\n%*s", LABEL, "");
            at = LABEL;
        } else if (at > LABEL) {
            rc = base_buffer_puts(b, " ");
            at++;
        }
        if (!rc)
            rc = base_buffer_append(b, p, n);
        at += width;
        p += n + (p[n] == ' ');
    }
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int lay_out_config(struct base_buffer *b, struct base_buffer *v, int columns,
                          const json_t *d)
{
    const json_t *c = json_object_get(d, "config"), *m = json_object_get(d, "memory");
    char n[4][32];
    int rc;
    if (!c)
        return 0;
    int64_t context = integer(c, "context"), window = integer(c, "window");
    if ((rc = line(b, columns, "parameters", grouped(integer(d, "parameters"), n[0]))))
        return rc;
    base_buffer_clear(v);
    rc = base_buffer_printf(v, "%" PRId64 " layers, width %s, %" PRId64 " heads of %" PRId64,
                            integer(c, "layers"), grouped(integer(c, "width"), n[0]),
                            integer(c, "heads"), integer(c, "head_dim"));
    if (!rc && integer(c, "kv_heads") != integer(c, "heads"))
        rc = base_buffer_printf(v, " sharing %" PRId64 " of keys and values",
                                integer(c, "kv_heads"));
    if (!rc)
        rc = base_buffer_printf(
            v, ", MLP %s%s with %s, %s norm, %s positions%s%s", grouped(integer(c, "ff"), n[0]),
            json_is_true(json_object_get(c, "gated")) ? " (gated)" : "", text(c, "activation"),
            text(c, "norm"), text(c, "position"),
            json_is_true(json_object_get(c, "parallel")) ? ", attention and MLP in parallel" : "",
            json_is_true(json_object_get(c, "tied")) ? ", tied embeddings" : "");
    if (rc || (rc = line(b, columns, "shape", v->data)))
        return rc;
    base_buffer_clear(v);
    rc = context ? base_buffer_printf(v, "%s tokens", grouped(context, n[0]))
                 : base_buffer_puts(v, "unbounded");
    if (!rc && window)
        rc = base_buffer_printf(v, ", sliding window of %s", grouped(window, n[0]));
    if (rc || (rc = line(b, columns, "context", v->data)) ||
        (rc = line(b, columns, "vocabulary", grouped(integer(c, "vocabulary"), n[0]))))
        return rc;
    base_buffer_clear(v);
    rc = base_buffer_printf(v, "%s stored, %s as f32; cache %s per 1,000 tokens",
                            sized(integer(m, "stored_bytes"), n[0]),
                            sized(integer(m, "f32_bytes"), n[1]),
                            sized(integer(m, "kv_bytes_per_1k_tokens"), n[2]));
    if (!rc && context)
        rc = base_buffer_printf(v, ", %s at full context",
                                sized(integer(m, "kv_bytes_at_full_context"), n[3]));
    return rc ? rc : line(b, columns, "memory", v->data);
}

static int lay_out_tokenizer(struct base_buffer *b, struct base_buffer *v, int columns,
                             const json_t *d)
{
    static const char *const ids[] = { "bos", "eos", "pad", "unk" };
    const json_t *t = json_object_get(d, "tokenizer");
    char n[32];
    if (!json_is_object(t))
        return line(b, columns, "tokenizer",
                    *text(d, "tokenizer_error") ? text(d, "tokenizer_error") : "none here");
    base_buffer_clear(v);
    int rc = base_buffer_printf(v, "%s, %s pieces", text(t, "kind"),
                                grouped(integer(t, "vocabulary"), n));
    for (size_t i = 0; i < 4 && !rc; i++)
        if (json_is_integer(json_object_get(t, ids[i])))
            rc = base_buffer_printf(v, ", %s %" PRId64, ids[i], integer(t, ids[i]));
    if (!rc && json_is_true(json_object_get(t, "chat_template")))
        rc = base_buffer_puts(v, ", chat template");
    if (!rc)
        rc = base_buffer_printf(v, ", sha256 %.16s", text(t, "hash"));
    return rc ? rc : line(b, columns, "tokenizer", v->data);
}

static int lay_out_files(struct base_buffer *b, struct base_buffer *v, int columns, const json_t *d)
{
    char n[2][32];
    size_t i;
    json_t *item;
    const char *key;
    int rc = 0;
    json_array_foreach(json_object_get(d, "files"), i, item)
    {
        base_buffer_clear(v);
        if ((rc = base_buffer_printf(v, "%s (%s)", text(item, "path"),
                                     sized(integer(item, "bytes"), n[0]))) ||
            (rc = line(b, columns, i ? "" : "files", v->data)) ||
            (*text(item, "sha256") && (rc = line(b, columns, "  sha256", text(item, "sha256")))))
            return rc;
    }
    base_buffer_clear(v);
    if ((rc = base_buffer_printf(v, "%" PRId64 ", %s", integer(d, "tensors"),
                                 sized(integer(d, "stored_bytes"), n[0]))))
        return rc;
    json_object_foreach(json_object_get(d, "dtypes"), key, item)
    {
        if ((rc = base_buffer_printf(v, "; %s: %" PRId64 " with %s weights", key,
                                     integer(item, "tensors"),
                                     grouped(integer(item, "elements"), n[0]))))
            return rc;
    }
    return line(b, columns, "tensors", v->data);
}

/* name, dtype, shape, bytes in columns; a long name is cut in the middle where the terminal is
 * narrow. */
static int lay_out_table(struct base_buffer *b, int columns, const json_t *table)
{
    char shape[256], n[32];
    int longest = 4, widest = 5, rc;
    size_t i, k;
    json_t *row, *extent;
    for (int pass = 0; pass < 2; pass++) {
        int room = columns - widest - 9 - 16;
        int name = longest < room ? longest : room > 16 ? room : 16;
        if (pass && (rc = base_buffer_printf(b, "\n%-*s  %-7s  %-*s  %14s\n", name, "name", "dtype",
                                             widest, "shape", "bytes")))
            return rc;
        json_array_foreach(table, i, row)
        {
            int at = snprintf(shape, sizeof shape, "[");
            json_array_foreach(json_object_get(row, "shape"), k, extent)
            {
                at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%" JSON_INTEGER_FORMAT,
                               k ? ", " : "", json_integer_value(extent));
            }
            at += snprintf(shape + at, sizeof shape - (size_t)at, "]");
            const char *s = text(row, "name");
            size_t length = strlen(s);
            int width = base_utf8_columns(s, length);
            widest = at > widest ? at : widest;
            longest = width > longest ? width : longest;
            if (!pass)
                continue;
            /* names are ASCII in practice; one that is not is never cut */
            if (width > name && width == (int)length) {
                int head = (name - 3) / 2, tail = name - 3 - head;
                rc = base_buffer_printf(b, "%.*s...%s", head, s, s + length - (size_t)tail);
            } else {
                rc = base_buffer_printf(b, "%s%*s", s, width < name ? name - width : 0, "");
            }
            if (rc || (rc = base_buffer_printf(b, "  %-7s  %-*s  %14s\n", text(row, "dtype"),
                                               widest, shape, grouped(integer(row, "bytes"), n))))
                return rc;
        }
    }
    return 0;
}

/* Where there is no config, or on request, what the file says about itself. */
static int lay_out_metadata(struct base_buffer *b, int columns, const json_t *metadata)
{
    const char *key;
    json_t *value;
    int first = 1, rc = 0;
    json_object_foreach((json_t *)metadata, key, value)
    {
        char *dump = json_is_string(value) ? NULL
                     : json_is_real(value) ? base_format("%.7g", json_real_value(value))
                                           : base_json_dump(value, false);
        const char *s = json_is_string(value) ? json_string_value(value) : dump;
        struct base_buffer v = { 0 };
        if (!s || (rc = base_buffer_printf(&v, "%.60s = ", key)))
            rc = rc ? rc : BASE_E_MEMORY;
        /* one line of the value, runs of blanks as one; a long text (a template, a tokenizer) says
         * no more than how it begins */
        size_t length = s ? strlen(s) : 0, shown = length > 100 ? 40 : length;
        for (size_t i = 0; !rc && i < shown; i++) {
            bool blank = (unsigned char)s[i] <= 32 || s[i] == 127;
            if (!blank || (v.length && v.data[v.length - 1] != ' '))
                rc = base_buffer_append(&v, blank ? " " : s + i, 1);
        }
        if (!rc && shown < length) {
            v.length = base_utf8_complete(v.data, v.length);
            rc = base_buffer_printf(&v, "... (%zu bytes)", length);
        }
        if (!rc)
            rc = line(b, columns, first ? "metadata" : "", v.data);
        first = 0;
        base_buffer_free(&v);
        base_free(dump);
        if (rc)
            return rc;
    }
    return 0;
}

static int lay_out(struct base_buffer *b, int columns, const json_t *d)
{
    struct base_buffer v = { 0 };
    int rc = line(b, columns, "model", text(d, "path"));
    if (!rc)
        rc = line(b, columns, "format", text(d, "format"));
    if (!rc && *text(d, "architecture"))
        rc = line(b, columns, "architecture", text(d, "architecture"));
    if (!rc)
        rc = lay_out_config(b, &v, columns, d);
    if (!rc && *text(d, "architecture"))
        rc = lay_out_tokenizer(b, &v, columns, d);
    if (!rc)
        rc = lay_out_files(b, &v, columns, d);
    if (!rc && *text(d, "model_hash"))
        rc = line(b, columns, "model hash", text(d, "model_hash"));
    if (!rc)
        rc = lay_out_metadata(b, columns, json_object_get(d, "metadata"));
    if (!rc && json_object_get(d, "table"))
        rc = lay_out_table(b, columns, json_object_get(d, "table"));
    base_buffer_free(&v);
    return rc;
}

static int run(int argc, char **argv)
{
    bool tensors = false, hash = false;
    int positional = 0;
    const struct cli_option options[] = {
        { "tensors", 't', CLI_FLAG, &tensors, NULL,
          "List every tensor: name, dtype, shape, bytes." },
        { "hash", 0, CLI_FLAG, &hash, NULL,
          "SHA-256 of every file and of the model (reads all bytes)." },
        { 0 },
    };
    const struct cli_command *command = &cli_command_info;
    int rc = cli_parse(command, options, true, argc, argv, &positional);
    if (rc)
        return rc < 0 ? 0 : rc;
    const char *path = positional ? argv[1] : cli_common.model;
    if (!path || positional > 1 || (positional && cli_common.model))
        return cli_usage(command, "expected one MODEL");
    struct model_describe_options wanted = { .tensors = tensors, .hash = hash };
    struct base_buffer b = { 0 };
    json_t *d = NULL;
    if (model_describe(&d, path, &wanted))
        return cli_fail(command);
    const char *problem = json_string_value(json_object_get(d, "problem"));
    if (problem)
        fprintf(stderr, "assay info: %s\n", problem);
    bool sound = !problem;
    if (cli_common.json) {
        rc = cli_print_json(command, d);
        return rc ? rc : !sound;
    }
    rc = lay_out(&b, base_terminal_columns(STDOUT_FILENO), d);
    if (!rc && cli_common.output && strcmp(cli_common.output, "-"))
        rc = base_file_write(cli_common.output, b.data, b.length);
    else if (!rc)
        fwrite(b.data, 1, b.length, stdout);
    rc = rc ? cli_fail(command) : 0;
    base_buffer_free(&b);
    json_decref(d);
    return rc ? rc : !sound;
}
