"""PyTorch + transformers on the GPT-2 124M shape with random weights.

The shapes are those of `assay bench`: forward of BATCH x TOKENS with the logits of every position,
greedy decoding of TOKENS tokens with a KV cache, and a full training step (forward, backward, gradient
clipping, AdamW) of BATCH x TOKENS. Prints one JSON object; each figure is the median of --repeat runs
after one that warms up.

    python3 bench/peers/torch_gpt2.py forward --batch 1 --tokens 1024 --dtype f32 --threads 2
    python3 bench/peers/torch_gpt2.py decode --tokens 64
    python3 bench/peers/torch_gpt2.py train --batch 2 --tokens 128

`serve` reads such command lines from standard input and answers each with one line: compare.py uses it to
take turns with Assay without paying for the import each time.
"""

import argparse
import json
import resource
import shlex
import statistics
import sys
import time

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
models = {}


def model_get(dtype):
    if dtype not in models:
        torch.manual_seed(0)
        models[dtype] = GPT2LMHeadModel(GPT2Config()).to(DTYPES[dtype])
    return models[dtype]


def clock():
    return time.perf_counter(), time.process_time()


def since(start):
    now = clock()
    return now[0] - start[0], now[1] - start[1]


def forward_run(model, ids, tokens):
    start = clock()
    with torch.inference_mode():
        logits = model(ids, use_cache=False).logits
    spent = since(start)
    assert logits.shape == (*ids.shape, model.config.vocab_size)
    return spent


def decode_run(model, ids, tokens):
    """`tokens` single-token steps after a prompt of 16 tokens (the prompt is not counted)."""
    with torch.inference_mode():
        out = model(ids[:, :16], use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
        start = clock()
        for _ in range(tokens):
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
            token = out.logits[:, -1:].argmax(-1)
        return since(start)


def train_run(model, ids, tokens):
    if not hasattr(model, "optimiser"):
        model.optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    start = clock()
    model.optimiser.zero_grad(set_to_none=True)
    model(ids, labels=ids, use_cache=False).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    model.optimiser.step()
    return since(start)


RUNS = {"forward": forward_run, "decode": decode_run, "train": train_run}


def parser_make():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["forward", "decode", "train", "serve"])
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--tokens", type=int, default=1024)
    p.add_argument("--dtype", choices=list(DTYPES), default="f32")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=5)
    return p


def measure(a):
    torch.set_num_threads(a.threads)
    model = model_get(a.dtype).train(a.what == "train")
    length = max(a.tokens, 16) if a.what == "decode" else a.tokens
    ids = torch.randint(0, 50257, (a.batch, length), generator=torch.Generator().manual_seed(1))
    times = [RUNS[a.what](model, ids, a.tokens) for _ in range(a.repeat + 1)][1:]
    wall = [t[0] for t in times]
    tokens = a.batch * a.tokens
    return {
        "peer": f"torch {torch.__version__} transformers {transformers.__version__}",
        "what": a.what, "batch": a.batch, "tokens": a.tokens, "dtype": a.dtype, "threads": a.threads,
        "tokens_per_s": tokens / statistics.median(wall),
        "seconds": statistics.median(wall), "seconds_min": min(wall), "seconds_max": max(wall),
        "cpu_seconds": statistics.median(t[1] for t in times),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main():
    a = parser_make().parse_args()
    if a.what != "serve":
        print(json.dumps(measure(a)))
        return
    for line in sys.stdin:
        print(json.dumps(measure(parser_make().parse_args(shlex.split(line)))), flush=True)


if __name__ == "__main__":
    main()
