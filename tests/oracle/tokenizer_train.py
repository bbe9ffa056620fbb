"""Trains with Hugging Face's BpeTrainer and with `assay tokenizer train` on the same file, compares the
vocabularies and merges, then encodes a multilingual text with both libraries.

    python tests/oracle/tokenizer_train.py ./assay TEXT [VOCAB]

Hugging Face reads files line by line, and so never sees a run of line ends; it is given the whole text
here, as Assay takes it. Needs: tokenizers."""
import json, subprocess, sys, tempfile
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

assay, path = sys.argv[1], sys.argv[2]
size = int(sys.argv[3]) if len(sys.argv) > 3 else 1024
text = open(path, encoding="utf-8", newline="").read()
sample = text[: 200000] + "\nПривет, мир! 你好，世界 😀 नमस्ते दुनिया مرحبا  tabs\tand   blanks\r\n\r\n 12345 it's IT'S\u3000x\u00a0y\n"

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
def split(name):
    B = lambda regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
    S = lambda p: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated"), B(False)])
    return {"gpt2": lambda: B(True), "llama3": lambda: S(LLAMA3),
            "qwen2": lambda: S(LLAMA3.replace("{1,3}", "")),
            "digits": lambda: pre_tokenizers.Sequence([pre_tokenizers.Digits(True), B(True)])}[name]()

bad = 0
for name in ("gpt2", "llama3", "qwen2", "digits"):
    t = Tokenizer(models.BPE()); t.pre_tokenizer = split(name)
    t.train_from_iterator([text], trainers.BpeTrainer(vocab_size=size, min_frequency=2, show_progress=False,
        special_tokens=["<|endoftext|>", "<pad>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    want = json.loads(t.to_str())["model"]
    out = tempfile.mktemp(suffix=".json")
    subprocess.run([assay, "tokenizer", "train", path, "--vocab-size", str(size), "--split", name, "--special", "<|endoftext|>",
                    "--special", "<pad>", "-o", out], check=True, capture_output=True)
    got = json.load(open(out))["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in want["merges"]]
    same = got["vocab"] == want["vocab"] and [tuple(m) for m in got["merges"]] == merges
    ours = Tokenizer.from_file(out)
    ids = json.loads(subprocess.run([assay, "tokenize", "-m", out, "--json", "-"], input=sample.encode(), capture_output=True, check=True).stdout)["ids"]
    agree = ids == ours.encode(sample).ids
    back = ours.decode(ids) == sample
    print(f"{name}: vocabulary of {len(got['vocab'])} and {len(merges)} merges {'equal' if same else 'DIFFER'}; "
          f"{len(ids)} ids {'agree' if agree else 'DIFFER'}; decode {'agrees' if back else 'DIFFERS'}")
    bad += not (same and agree and back)
sys.exit(bad != 0)
