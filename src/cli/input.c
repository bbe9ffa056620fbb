/* Text and ids from the command line: see input.h. */
#include "cli/input.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include <string.h>

int cli_input_policies(const struct cli_input *input, enum eval_bos *bos,
                       enum eval_overlength *overlength)
{
    *bos = EVAL_BOS_AUTO;
    *overlength = EVAL_OVERLENGTH_ERROR;
    if (input->bos) {
        if (strcmp(input->bos, "yes") == 0)
            *bos = EVAL_BOS_YES;
        else if (strcmp(input->bos, "no") == 0)
            *bos = EVAL_BOS_NO;
        else if (strcmp(input->bos, "auto") != 0)
            return base_error_set(BASE_E_ARGUMENT, "--bos %s: choose auto, yes or no", input->bos);
    }
    return input->overlength ? eval_overlength_parse(input->overlength, overlength) : 0;
}

int cli_input_text(const char *argument, char **text, size_t *bytes)
{
    if (strcmp(argument, "-") == 0)
        return base_file_read("-", 0, text, bytes);
    *bytes = strlen(argument);
    *text = base_strdup(argument);
    return *text ? 0 : BASE_E_MEMORY;
}

static int check_range(const struct model *m, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= model_vocabulary(m))
            return base_error_set(BASE_E_ARGUMENT,
                                  "id %d at position %zu is not in the vocabulary of %s (0 to %zu)",
                                  ids[i], i, model_path(m), model_vocabulary(m) - 1);
    return 0;
}

int cli_input_ids(const struct cli_input *input, struct model *m, const char *what,
                  const char *argument, struct eval_ids *out)
{
    *out = (struct eval_ids){ 0 };
    enum eval_bos bos;
    enum eval_overlength overlength;
    int rc = cli_input_policies(input, &bos, &overlength);
    if (rc)
        return rc;
    if (input->ids) {
        if ((rc = cli_parse_ids(input->ids, &out->at, &out->count)))
            return rc;
        rc = out->count
                 ? check_range(m, out->at, out->count)
                 : base_error_set(BASE_E_ARGUMENT, "--ids is empty: at least one id is needed");
        if (rc)
            eval_ids_free(out);
        return rc;
    }
    const struct tokenizer *t;
    if ((rc = model_tokenizer(m, &t)))
        return base_error_prefix(rc, "text needs a tokenizer (or give --ids)");
    char *text;
    size_t bytes;
    if ((rc = cli_input_text(argument, &text, &bytes)))
        return rc;
    rc = eval_encode(t, what, text, bytes, bos, out);
    base_free(text);
    if (rc == 0 && (rc = check_range(m, out->at, out->count)))
        eval_ids_free(out);
    return rc;
}

int cli_input_fit(const struct cli_input *input, struct eval_ids *ids, size_t tail, size_t limit,
                  struct eval_cut *cut)
{
    enum eval_bos bos;
    enum eval_overlength overlength;
    size_t before = ids->count;
    int rc = cli_input_policies(input, &bos, &overlength);
    if (rc == 0)
        rc = eval_overlength_apply(ids->at, &ids->count, ids->fixed, tail, limit, overlength, cut);
    if (rc == 0 && cut->count)
        base_log("dropped %zu of %zu tokens (positions %zu to %zu): the model takes %zu",
                 cut->count, before, cut->first, cut->first + cut->count - 1, limit);
    return rc;
}

json_t *cli_json_cut(const struct eval_cut *cut)
{
    if (cut->count == 0)
        return json_null();
    return json_pack("{s:I, s:I}", "first", (json_int_t)cut->first, "count",
                     (json_int_t)cut->count);
}

json_t *cli_json_ids(const int32_t *ids, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_integer(ids[i]));
    return array;
}

/* Rows of a matrix that is padded beyond the vocabulary have no text. */
static bool is_text(const struct tokenizer *t, int32_t id)
{
    return (size_t)id < tokenizer_vocabulary(t) && tokenizer_piece(t, id);
}

int cli_token_text(const struct tokenizer *t, int32_t before, int32_t id, char **text,
                   size_t *bytes)
{
    const int32_t both[2] = { before, id };
    *text = NULL;
    if (!is_text(t, id)) {
        *bytes = 0;
        *text = base_strdup("");
        return *text ? 0 : BASE_E_MEMORY;
    }
    if (before < 0 || !is_text(t, before))
        return tokenizer_decode(t, &id, 1, false, text, bytes);
    char *stem = NULL;
    size_t stem_bytes;
    int rc = tokenizer_decode(t, both, 2, false, text, bytes);
    if (rc == 0)
        rc = tokenizer_decode(t, both, 1, false, &stem, &stem_bytes);
    if (rc == 0 && stem_bytes <= *bytes && memcmp(stem, *text, stem_bytes) == 0) {
        *bytes -= stem_bytes;
        memmove(*text, *text + stem_bytes, *bytes + 1);
    } else if (rc == 0) { /* the two share a character: show the token by itself */
        base_free(*text);
        rc = tokenizer_decode(t, &id, 1, false, text, bytes);
    }
    base_free(stem);
    if (rc) {
        base_free(*text);
        *text = NULL;
    }
    return rc;
}
