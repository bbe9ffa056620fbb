/* Configurations of models that people measure with, for `assay bench --make`: the published
 * shapes, weights are random. */
#include "cli/bench.h"
#include <string.h>

static const struct {
    const char *name, *config;
} shapes[] = {
    { "gpt2-124m", "{\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"gpt2\",\"vocab_"
                   "size\":50257,\"n_positions\":1024,\"n_embd\":768,"
                   "\"n_layer\":12,\"n_head\":12,\"activation_function\":\"gelu_new\",\"layer_norm_"
                   "epsilon\":1e-05,"
                   "\"initializer_range\":0.02,\"bos_token_id\":50256,\"eos_token_id\":50256}" },
    { "llama-160m", "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"vocab_"
                    "size\":32000,\"max_position_embeddings\":2048,"
                    "\"hidden_size\":768,\"intermediate_size\":3072,\"num_hidden_layers\":12,\"num_"
                    "attention_heads\":12,"
                    "\"num_key_value_heads\":12,\"hidden_act\":\"silu\",\"rms_norm_eps\":1e-06,"
                    "\"rope_theta\":10000.0,"
                    "\"tie_word_embeddings\":false,\"initializer_range\":0.02,\"bos_token_id\":1,"
                    "\"eos_token_id\":2}" },
    { "pythia-160m",
      "{\"architectures\":[\"GPTNeoXForCausalLM\"],\"model_type\":\"gpt_neox\",\"vocab_size\":"
      "50304,"
      "\"max_position_embeddings\":2048,\"hidden_size\":768,\"intermediate_size\":3072,\"num_"
      "hidden_layers\":12,"
      "\"num_attention_heads\":12,\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-05,\"rotary_pct\":"
      "0.25,"
      "\"rotary_emb_base\":10000,\"use_parallel_residual\":true,\"tie_word_embeddings\":false,"
      "\"initializer_range\":0.02,\"bos_token_id\":0,\"eos_token_id\":0}" },
    { "opt-125m",
      "{\"architectures\":[\"OPTForCausalLM\"],\"model_type\":\"opt\",\"vocab_size\":50272,\"max_"
      "position_embeddings\":2048,"
      "\"hidden_size\":768,\"ffn_dim\":3072,\"num_hidden_layers\":12,\"num_attention_heads\":12,"
      "\"word_embed_proj_dim\":768,\"activation_function\":\"relu\",\"do_layer_norm_before\":true,"
      "\"init_std\":0.02,\"bos_token_id\":2,\"eos_token_id\":2,\"pad_token_id\":1}" },
};

json_t *bench_shape_config(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (!strcmp(shapes[i].name, name))
            return json_loads(shapes[i].config, 0, NULL);
    return NULL;
}

const char *bench_shape_names(void)
{
    return "gpt2-124m, llama-160m, pythia-160m, opt-125m";
}
