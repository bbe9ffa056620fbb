#!/usr/bin/env python3
"""Checks `assay convert` with other programs' readers: every GGUF through the gguf package and, where
transformers reads that architecture's GGUF, its logits against those of the directory it came from; every directory
written from GGUF through transformers. Usage: convert.py DIRECTORY... (Hugging Face layout; needs ./assay)."""
import os, subprocess, sys, tempfile
import numpy as np
import torch
from gguf import GGUFReader
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

ids = torch.tensor([[1, 2, 3, 4, 5, 6]])
for src in sys.argv[1:]:
    name = os.path.basename(src.rstrip("/"))
    tmp = tempfile.mkdtemp()
    gguf, back = f"{tmp}/{name}.gguf", f"{tmp}/back"
    if subprocess.run(["./assay", "convert", "-q", src, gguf], stdout=subprocess.DEVNULL).returncode:
        continue
    subprocess.run(["./assay", "convert", "-q", gguf, back], check=True, stdout=subprocess.DEVNULL)
    r = GGUFReader(gguf)
    print(name, "gguf reader:", len(r.tensors), "tensors,", len(r.fields), "fields", end="; ")
    with safe_open(back + "/model.safetensors", "pt") as f:
        print("safetensors:", len(f.keys()), end="; ")
    def logits(*a, **k):
        m = AutoModelForCausalLM.from_pretrained(*a, dtype=torch.float32, **k).eval()
        with torch.no_grad():
            return m(ids).logits
    want = logits(src)
    print("directory written back: max diff %g" % (logits(back) - want).abs().max().item(), end="; ")
    try:
        print("gguf by transformers: max diff %g" % (logits(tmp, gguf_file=name + ".gguf") - want).abs().max().item(), end="; ")
    except Exception as e:
        print("gguf by transformers: not read (%s)" % str(e).split("\n")[0][:90], end="; ")
    if os.path.exists(src + "/tokenizer.json"):
        text = "Once upon a time, there was a girl. It's 2 dogs"
        a = AutoTokenizer.from_pretrained(src)(text)["input_ids"]
        try:
            b = AutoTokenizer.from_pretrained(tmp, gguf_file=name + ".gguf")(text)["input_ids"]
            print("tokenizer:", "same ids" if a == b else f"differs {a} {b}", end="")
        except Exception as e:
            print("tokenizer: not read (%s)" % str(e).split("\n")[0][:90], end="")
    print()
