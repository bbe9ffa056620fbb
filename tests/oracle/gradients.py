"""Writes tests/model/data/<family>/: tiny random models of every architecture family with what
transformers computes for them, in float64 (its norms and softmax are float32 inside).

  config.json, model.safetensors   the model, weights rounded to float16 and stored so
  reference.json                   ids, targets, logits [tokens][vocabulary], loss (sum over targets)
  gradient/                        of the loss/targets, in the same layout: the gradients load as a model does
                                   (families in GRADIENTS only: the others are checked by finite differences)

Run from the repository's root:  python tests/oracle/gradients.py   (torch 2, transformers 5)
"""
import json
import os
import shutil
import sys
import tempfile

import torch
import transformers as hf

VOCABULARY, TOKENS = 21, 12
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8}
small = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=16)
gated = dict(small, intermediate_size=18, num_key_value_heads=2, head_dim=8, rope_parameters=ROPE)
FAMILIES = {
    "gpt2": hf.GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=4, n_positions=16, n_inner=18),
    "gpt_neo": hf.GPTNeoConfig(vocab_size=VOCABULARY, hidden_size=16, num_layers=2, num_heads=4, intermediate_size=18,
                               max_position_embeddings=16, attention_types=[[["global", "local"], 1]], window_size=4),
    "gpt_neox": hf.GPTNeoXConfig(**dict(small, num_attention_heads=2), intermediate_size=18,
                                 rope_parameters=dict(ROPE, partial_rotary_factor=0.5)),
    "opt": hf.OPTConfig(**small, ffn_dim=18, word_embed_proj_dim=16),
    "opt_post_norm": hf.OPTConfig(**small, ffn_dim=18, word_embed_proj_dim=8, do_layer_norm_before=False),
    "galactica": hf.OPTConfig(**small, ffn_dim=18, word_embed_proj_dim=16, activation_function="gelu",
                              enable_bias=False, layer_norm_elementwise_affine=False),
    "llama": hf.LlamaConfig(**dict(gated, rope_parameters=LLAMA3)),
    "mistral": hf.MistralConfig(**gated, sliding_window=4),
    "qwen2": hf.Qwen2Config(**{k: v for k, v in gated.items() if k != "head_dim"}),
    "qwen3": hf.Qwen3Config(**gated),
    "gemma2": hf.Gemma2Config(**gated, sliding_window=4, query_pre_attn_scalar=16, attn_logit_softcapping=5.0,
                              final_logit_softcapping=4.0),
    "olmo2": hf.Olmo2Config(**{k: v for k, v in gated.items() if k != "head_dim"}),
    "phi": hf.PhiConfig(**dict(small, num_attention_heads=2), intermediate_size=18,
                        rope_parameters=dict(ROPE, partial_rotary_factor=0.5)),
    "bloom": hf.BloomConfig(vocab_size=VOCABULARY, hidden_size=12, n_layer=2, n_head=3),
    "falcon": hf.FalconConfig(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
                              num_kv_heads=2, new_decoder_architecture=True, parallel_attn=True, bias=False,
                              alibi=False, rope_parameters=ROPE, max_position_embeddings=16, ffn_hidden_size=18),
}
GRADIENTS = ["gpt2", "gpt_neox", "opt", "llama"]


def save(model, folder):
    """The weights under the names of published checkpoints (which are not always the module's)."""
    with tempfile.TemporaryDirectory() as t:
        model.save_pretrained(t)
        os.makedirs(folder, exist_ok=True)
        shutil.copyfile(t + "/model.safetensors", folder + "/model.safetensors")


def write(name, config):
    torch.manual_seed(sum(map(ord, name)))
    config.use_cache = False
    for key in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout", "attention_dropout", "hidden_dropout",
                "resid_dropout", "embed_dropout", "embedding_dropout"):
        if hasattr(config, key):
            setattr(config, key, 0.0)
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager").double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            value = torch.randn(parameter.shape, dtype=torch.float64)
            # norm weights around their usual value, all else large enough for gradients to matter
            base = parameter.mean().round() if parameter.dim() == 1 else 0.0
            parameter.copy_((base + 0.3 * value).half().double())
    ids = torch.randint(3, VOCABULARY, (TOKENS,))
    targets = torch.cat([ids[1:], torch.tensor([-1])])
    targets[4] = -1  # a place without label in the middle
    logits = model(ids[None]).logits[0]
    loss = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-1, reduction="sum")
    (loss / (targets >= 0).sum()).backward()
    folder = "tests/model/data/" + name
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    settings = {k: v for k, v in config.to_diff_dict().items() if k != "transformers_version"}
    settings["model_type"] = config.model_type
    with open(folder + "/config.json", "w") as f:
        json.dump(settings, f, indent=0)
        f.write("\n")
    gradients = [parameter.grad.float() for parameter in model.parameters()]  # tied ones appear once
    save(model.half(), folder)
    with open(folder + "/reference.json", "w") as f:
        json.dump({"ids": ids.tolist(), "targets": targets.tolist(), "loss": loss.item(),
                   "logits": [[round(x, 5) for x in row] for row in logits.tolist()]}, f,
                  separators=(",", ":"))
    if name in GRADIENTS:
        model.float()
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients):
                parameter.copy_(gradient)
        save(model, folder + "/gradient")
        shutil.copy(folder + "/config.json", folder + "/gradient/config.json")


for family in sys.argv[1:] or FAMILIES:
    write(family, FAMILIES[family])
