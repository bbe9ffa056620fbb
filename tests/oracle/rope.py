"""Writes tests/tensor/data/rope_frequencies.h: rotary frequencies of transformers' rope_utils for the
scalings that tensor/rope.c knows. Run from the repository's root with torch and transformers."""
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

CASES = [
    # (rope_parameters, C initialiser beyond rotary and base)
    ({"rope_type": "linear", "factor": 4.0}, ".scaling = TENSOR_ROPE_LINEAR, .factor = 4"),
    ({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192},
     ".scaling = TENSOR_ROPE_LLAMA3, .factor = 8, .low_frequency_factor = 1, .high_frequency_factor = 4, "
     ".original_context = 8192"),
    ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048},
     ".scaling = TENSOR_ROPE_YARN, .factor = 4, .beta_fast = 32, .beta_slow = 1, .original_context = 2048"),
    ({"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 0.707,
      "mscale_all_dim": 0.5, "beta_fast": 16.0, "beta_slow": 2.0},
     ".scaling = TENSOR_ROPE_YARN, .factor = 40, .beta_fast = 16, .beta_slow = 2, .original_context = 4096, "
     ".mscale = 0.707, .mscale_all_dim = 0.5"),
    ({"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False,
      "beta_fast": 32.0, "beta_slow": 1.0},
     ".scaling = TENSOR_ROPE_YARN, .factor = 32, .beta_fast = 32, .beta_slow = 1, .original_context = 4096, "
     ".no_truncate = true"),
    ({"rope_type": "longrope", "factor": 8.0, "original_max_position_embeddings": 4096,
      "long_factor": [1.0 + 0.37 * i for i in range(16)], "short_factor": [1.0] * 16},
     ".scaling = TENSOR_ROPE_LONGROPE, .factor = 8, .original_context = 4096, "
     ".divisors = (const double[]){ " + ", ".join("%.2f" % (1 + 0.37 * i) for i in range(16)) + " }"),
]
lines = ["/* Written by tests/oracle/rope.py: cases for check_frequencies, head of 32 dims. */"]
for parameters, initialiser in CASES:
    for theta in (10000.0, 500000.0):
        config = LlamaConfig(hidden_size=64, num_attention_heads=2, max_position_embeddings=32768,
                             rope_parameters={"rope_theta": theta, **parameters})
        kind = parameters["rope_type"]
        frequencies, attention = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=32768)
        lines.append("check_frequencies(&(struct tensor_rope_options){ .rotary = 32, .base = %g, %s }," % (theta, initialiser))
        lines.append("                  (const double[]){ " + ", ".join("%.9g" % f for f in frequencies.tolist()) + " },")
        lines.append("                  %.12g);" % attention)
open("tests/tensor/data/rope_frequencies.h", "w").write("\n".join(lines) + "\n")
