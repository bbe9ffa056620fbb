/* Columns of numbers and labels for `assay stats`: the first byte chooses format and fields, the
 * rest is the file. Whatever it holds, reading ends; what is read is finite, labels are numbered
 * without gaps, and everything is given back. The reader belongs to the command line, which is no
 * library: it is compiled in here, with the three functions of the command line that it calls. */
#include "../../src/cli/cmd_stats_input.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int cli_fail(const struct cli_command *command)
{
    (void)command;
    return 1;
}
int cli_usage(const struct cli_command *command, const char *format, ...)
{
    (void)command;
    (void)format;
    return 2;
}
int cli_append_wrapped(struct base_buffer *b, int indent, const char *text)
{
    (void)b;
    (void)indent;
    (void)text;
    return 0;
}

static void check(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = { NULL, "csv", "tsv", "json", "jsonl", "lines" };
    static const char *const names[] = { NULL, "a", "1", "2" };
    static int file = -1;
    char path[64];
    if (size < 1)
        return 0;
    if (file < 0)
        file = memfd_create("fuzz", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (ftruncate(file, 0) || pwrite(file, data + 1, size - 1, 0) != (ssize_t)(size - 1))
        return 0;
    struct stats_how how = { .format = formats[data[0] % 6], .skip_missing = data[0] & 8 };
    size_t fields = data[0] & 16 ? 2 : 1;
    struct stats_field field[2] = {
        { .name = names[data[0] >> 6], .option = "--column" },
        { .name = data[0] >> 6 ? "b" : NULL, .option = "--by", .label = data[0] & 32 },
    };
    struct stats_sample sample;
    long live = base_alloc_live();
    int rc = stats_sample_read(&sample, path, &how, field, fields);
    for (size_t f = 0; rc == 0 && f < fields; f++) {
        uint32_t next = 0;
        check(sample.n > 0 && field[f].title != NULL);
        check(sample.skipped == 0 || how.skip_missing);
        for (size_t i = 0; i < sample.n; i++) {
            if (!field[f].label) {
                check(isfinite(field[f].x[i]));
                continue;
            }
            check(field[f].id[i] <= next && field[f].id[i] < field[f].n_labels);
            next += field[f].id[i] == next;
        }
        check(!field[f].label || next == field[f].n_labels);
    }
    stats_sample_free(&sample);
    check(base_alloc_live() == live);
    return 0;
}
