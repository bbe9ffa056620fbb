/* A model for tests, made in code: a two-layer Llama of random weights (large enough that its
 * distributions are far from flat) with a byte-level BPE trained on a few sentences, saved as a
 * directory in HF layout under $TMPDIR and removed when the program ends. */
#ifndef TESTS_TINY_MODEL_H
#define TESTS_TINY_MODEL_H
#include "model/gradient.h"
#include "support.h"
#include <assay/tokenizer.h>

/* The matrices have ten rows more than the tokenizer has pieces, as those of padded models do. */
enum { TEST_TINY_CONTEXT = 48, TEST_TINY_VOCABULARY = 300, TEST_TINY_PIECES = 290 };

static char test_tiny_directory[600];

static inline void test_tiny_remove(void)
{
    static const char *const names[] = { "config.json", "model.safetensors", "tokenizer.json",
                                         "text.txt", "generation_config.json" };
    char path[700];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", test_tiny_directory, names[i]);
        unlink(path);
    }
    rmdir(test_tiny_directory);
}

static inline void test_tiny_need(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "test model: %s: %s\n", what, base_error_message());
        abort();
    }
}

/* The directory's path. */
static inline const char *test_tiny_model(void)
{
    if (*test_tiny_directory)
        return test_tiny_directory;
    const char *root = test_temporary_path("");
    snprintf(test_tiny_directory, sizeof test_tiny_directory, "%s", root);
    mkdir(test_tiny_directory, 0700);
    atexit(test_tiny_remove);
    char text[700], tokenizer[700];
    snprintf(text, sizeof text, "%s/text.txt", test_tiny_directory);
    snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer.json", test_tiny_directory);
    FILE *f = fopen(text, "w");
    for (int i = 0; f && i < 20; i++)
        fputs("The cat sat on the mat. The dog ran to the house, and the cat ran after the dog.\n"
              "Once upon a time there was a little house on a hill; the sun was warm.\n",
              f);
    if (f)
        fclose(f);
    const char *const files[] = { text };
    const char *const special[] = { "<|endoftext|>", NULL };
    struct tokenizer_train_options o = TOKENIZER_TRAIN_OPTIONS_DEFAULT;
    o.vocabulary = TEST_TINY_PIECES;
    o.special = special;
    test_tiny_need(tokenizer_train(files, 1, &o, tokenizer), "tokenizer");
    json_t *config =
        json_pack("{s:s, s:[s], s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:b, s:s, s:i, s:i}",
                  "model_type", "llama", "architectures", "LlamaForCausalLM", "hidden_size", 32,
                  "intermediate_size", 64, "num_hidden_layers", 2, "num_attention_heads", 4,
                  "num_key_value_heads", 2, "vocab_size", (int)TEST_TINY_VOCABULARY,
                  "max_position_embeddings", (int)TEST_TINY_CONTEXT, "rms_norm_eps", 1e-5,
                  "rope_theta", 10000.0, "tie_word_embeddings", 0, "hidden_act", "silu",
                  "bos_token_id", 0, "eos_token_id", 0);
    struct model *m = NULL;
    test_tiny_need(model_create(&m, config, 11), "create");
    json_decref(config);
    for (size_t i = 0; i < model_parameter_count(m); i++) {
        struct model_parameter *p = model_parameter_at(m, i);
        for (size_t k = 0; p->decay && k < p->rows * p->columns; k++)
            p->value[k] *= 12;
    }
    test_tiny_need(model_save(m, test_tiny_directory, "f32", NULL), "save");
    model_free(m);
    return test_tiny_directory;
}
#endif
