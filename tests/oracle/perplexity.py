#!/usr/bin/env python3
"""Prints the perplexities of tests/eval/test_perplexity.c's real model and text, computed with
transformers in float64: the loop of Hugging Face's documentation (with its own weighting and exactly
counted), lm-eval's rolling windows, llama.cpp's chunks. Arguments: model directory, text file."""
import sys, math, torch
from transformers import AutoModelForCausalLM
from tokenizers import Tokenizer

path, file = sys.argv[1:3]
model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64).eval()
tok = Tokenizer.from_file(path + "/tokenizer.json")
text = open(file).read()
plain = tok.encode(text, add_special_tokens=False).ids
bos = model.config.bos_token_id
W, S, C = 128, 64, 96

def logp(ids, targets_from):
    """Sum of log p(ids[i]) for i >= targets_from given the ids before, and how many."""
    with torch.no_grad():
        lp = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
    return sum(lp[i - 1, ids[i]].item() for i in range(targets_from, len(ids))), len(ids) - targets_from

# rolling: lm-eval's get_rolling_token_windows with context 1
total = count = 0
first = min(W, len(plain))
s, n = logp([bos] + plain[:first], 1); total += s; count += n
done = first
while done < len(plain):
    k = min(len(plain) - done, W); end = done + k
    ids = plain[end - W - 1:end]
    s, n = logp(ids, len(ids) - k); total += s; count += n
    done += k
print("rolling", math.exp(-total / count), count)

# strided, as documented and exactly counted
ids = [bos] + plain
prev = nll = weight = exact = scored = 0
for begin in range(0, len(ids), S):
    end = min(begin + W, len(ids)); new = end - prev
    s, n = logp(ids[begin:end], max(end - begin - new, 1))
    exact -= s; scored += n
    nll += -s / n * (new - 1); weight += new - 1
    prev = end
    if end == len(ids): break
print("strided", math.exp(exact / scored), scored, "documented", math.exp(nll / weight))

total = count = 0
for c in range(len(ids) // C):
    chunk = ids[c * C:(c + 1) * C]; chunk[0] = bos
    s, n = logp(chunk, C // 2 + 1); total += s; count += n
print("chunk", math.exp(-total / count), count)
print("ids", plain[:8], len(plain))
