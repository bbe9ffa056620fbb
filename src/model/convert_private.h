/* What convert.c and convert_gguf.c share. */
#ifndef MODEL_CONVERT_PRIVATE_H
#define MODEL_CONVERT_PRIVATE_H
#include "model/architecture.h"
#include "model/convert.h"

enum convert_layout { CONVERT_BARE, CONVERT_HF, CONVERT_GGUF };

struct convert {
    const char *src, *dst;
    enum convert_layout from, to;
    struct model_archive *archive;
    json_t *config_json;        /* HF-style; NULL for bare weights */
    struct model_config config; /* as the source's layout has it */
    bool has_config;
    bool has_dtype;
    enum tensor_dtype dtype; /* asked for */
    json_t *report;
};

/* A file of the source directory or built-in model: a new NUL-terminated copy (base_free), or *text
 * NULL when there is no such file. */
int convert_read_file(const struct convert *c, const char *name, char **text, size_t *bytes);
/* Adds a line to the report's remarks. */
int convert_remark(struct convert *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* general.architecture for a config, NULL when llama.cpp has none. */
const char *convert_gguf_name(const struct model_config *config);
/* All GGUF keys for an HF source: architecture, tokenizer, and what the way back needs. file_type
 * is the format of most matrices. New reference in *out. */
int convert_gguf_metadata(struct convert *c, enum tensor_dtype file_type, json_t **out);
/* llama3's frequency factors for the rope_freqs tensor: base frequency / scaled frequency [rotary /
 * 2], new array (base_free); *n 0 when the config needs none. */
int convert_rope_factors(const struct model_config *config, float **out, size_t *n);
/* tokenizer.json and tokenizer_config.json of a GGUF's vocabulary, into the destination directory.
 * *written false, with a remark, when there is no such form. */
int convert_write_tokenizer(struct convert *c, bool *written);
/* Compares the tokenizers of source and destination on a text with all kinds of characters; remarks
 * on differences. */
int convert_check_tokenizer(struct convert *c);
#endif
