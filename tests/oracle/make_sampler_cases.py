#!/usr/bin/env python3
"""Writes tests/model/data/sampler_cases.json: random logits and what transformers' LogitsProcessors
leave of them (which ids survive, and the log-probabilities of the survivors in float64).
Needs torch and transformers; run in the repository root. Assay's tests only read the result."""
import json, os, torch, transformers
from transformers.generation import logits_process as lp

torch.manual_seed(7)
cases = []

def add(name, processor, arguments, logits, history):
    ids = torch.tensor([history], dtype=torch.long)
    out = processor(ids, logits.clone()[None])[0]
    keep = torch.nonzero(torch.isfinite(out)).flatten().tolist()
    logp = torch.log_softmax(out.double(), -1)
    cases.append({"step": name, **arguments, "logits": [float(f"{x:.9g}") for x in logits.tolist()],
                  "history": history, "keep": keep, "logp": [round(logp[i].item(), 8) for i in keep]})

for size, spread in ((12, 1.0), (40, 2.5), (40, 0.3), (70, 4.0)):
    logits = torch.randn(size, dtype=torch.float32) * spread
    history = torch.randint(0, size, (15,)).tolist()
    for t in (0.35, 1.7):
        add("temperature", lp.TemperatureLogitsWarper(t), {"t": t}, logits, history)
    for k in (1, 5, 11):
        add("top_k", lp.TopKLogitsWarper(k), {"k": k}, logits, history)
    for p in (0.1, 0.5, 0.9, 0.99):
        add("top_p", lp.TopPLogitsWarper(p), {"p": p}, logits, history)
        add("typical", lp.TypicalLogitsWarper(p), {"p": p}, logits, history)
    add("top_p", lp.TopPLogitsWarper(0.3, min_tokens_to_keep=6), {"p": 0.3, "min_keep": 6}, logits, history)
    for p in (0.01, 0.1, 0.6):
        add("min_p", lp.MinPLogitsWarper(p), {"p": p}, logits, history)
    for r in (1.2, 0.7):
        add("repetition", lp.RepetitionPenaltyLogitsProcessor(r), {"penalty": r}, logits, history)

os.makedirs("tests/model/data", exist_ok=True)
with open("tests/model/data/sampler_cases.json", "w") as f:
    f.write('{"made_by":"tests/oracle/make_sampler_cases.py, transformers %s",\n"cases":[\n' % transformers.__version__)
    f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    f.write("\n]}\n")
print(len(cases), "cases")
