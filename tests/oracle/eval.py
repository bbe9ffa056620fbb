"""Assay against lm-eval itself: the same task files, the same local model, document by document.

    python3 tests/oracle/eval.py --model ../shared/data/models/tinystories-656k --limit 200

For each set a task file of lm-eval is written (dataset_path json, a local file) and given to both
programs. Compared: every context and continuation, every log-likelihood (to 1e-4), and each metric and
its standard error (to 1e-9, perplexities to 1e-4 relative).

lm-eval runs the model in float32, and its own log-likelihoods are off by more than 1e-4 where they sum to hundreds of
nats. With --float64 it runs once more in float64 throughout (Llama's norm and rotation, which transformers computes in
float32 whatever the model's type, are replaced by the same formulas in float64), and that is what log-likelihoods must
agree with: to 1e-4, and beyond 500 nats to 2e-7 of the sum (float32's epsilon is 1.2e-7: the states between layers are
float32 in both programs, and their rounding is the same). The errors of both programs are printed side by side.

Where a token spans the border of context and continuation lm-eval scores a text that is not the item's; so
Assay is run with --join lm-eval here (by default it scores from that token on and says so). lm-eval puts a BOS in
front of a rolled text although its prefix token stands there already: it is run with add_bos_token=False on
rolling sets. The tokenizer is read from tokenizer.json as it stands: transformers 5 builds Llama's anew and
loses <unk> on the way.

Needs lm-eval, torch, transformers, datasets, zstd. Nothing is fetched.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")

CHOICE = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    validation: {data}
output_type: multiple_choice
validation_split: validation
fewshot_split: validation
doc_to_text: {text}
doc_to_target: "{{{{gold}}}}"
doc_to_choice: "{{{{choices}}}}"
num_fewshot: {shots}
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_norm
    aggregation: mean
    higher_is_better: true
"""
LAST_WORD = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    validation: {data}
output_type: loglikelihood
validation_split: validation
doc_to_text: "{{{{context}}}}"
doc_to_target: " {{{{continuation}}}}"
target_delimiter: ""
num_fewshot: 0
metric_list:
  - metric: perplexity
    aggregation: perplexity
    higher_is_better: false
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""
ROLLING = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    validation: {data}
output_type: loglikelihood_rolling
validation_split: validation
doc_to_text: ""
doc_to_target: "{{{{context}}}}"
num_fewshot: 0
metric_list:
  - metric: word_perplexity
    aggregation: weighted_perplexity
    higher_is_better: false
  - metric: byte_perplexity
    aggregation: weighted_perplexity
    higher_is_better: false
  - metric: bits_per_byte
    aggregation: bits_per_byte
    higher_is_better: false
"""
# set: (file, template, doc_to_text, shots)
SETS = {
    "arc_easy": ("arc_easy", CHOICE, r'"{{query}}\nAnswer:"', 0),
    "arc_easy_5shot": ("arc_easy", CHOICE, r'"{{query}}\nAnswer:"', 5),
    "piqa": ("piqa", CHOICE, r'"{{query}}Answer:"', 0),
    "copa": ("copa", CHOICE, '"{{query}}"', 0),
    "commonsense_qa": ("commonsense_qa", CHOICE, r'"{{query}}\nAnswer:"', 3),
    "openbook_qa": ("openbook_qa", CHOICE, '"{{query}}"', 0),
    "boolq": ("boolq", CHOICE, '"{{query}}"', 0),
    "lambada": ("lambada_openai", LAST_WORD, None, 0),
    "rolling": ("lambada_openai", ROLLING, None, 0),
    "rolling_long": ("lambada_openai", ROLLING, None, 0),  # ten passages in one text: several windows
}


def crashes_lm_eval(name, doc, tokenizer):
    """Whether the whole has no more tokens than the context, which lm-eval only asserts against (its #1053)."""
    context = doc["context"] if "context" in doc else SETS[name][2].strip('"').replace("{{query}}", doc["query"]).replace(r"\n", "\n")
    contexts = tokenizer.encode(context.rstrip())
    return any(len(tokenizer.encode(context + " " + c)) <= len(contexts) for c in doc.get("choices") or [doc["continuation"]])


def write_task(name, data, limit, out, tokenizer=None):
    file, template, text, shots = SETS[name]
    source, plain = Path(data) / f"{file}.jsonl.zst", Path(out) / f"{name}.jsonl"
    lines = subprocess.run(["zstd", "-dc", source], check=True, capture_output=True).stdout.decode("utf-8").splitlines()
    left_out = 0
    with open(plain, "w", encoding="utf-8") as g:
        if name == "rolling_long":
            texts = [json.loads(line)["context"] for line in lines[: limit * 10]]
            lines = [json.dumps({"context": "\n\n".join(texts[i : i + 10]), "continuation": ""}) for i in range(0, len(texts), 10)]
        for line in lines[: max(limit * 2, 400)]:
            doc = json.loads(line)
            if "choices" in doc:  # lm-eval's loader needs every document to have the same keys
                doc = {k: doc[k] for k in ("query", "choices", "gold")}
            else:
                doc = {k: doc[k] for k in ("context", "continuation")}
            if tokenizer and not name.startswith("rolling") and crashes_lm_eval(name, doc, tokenizer):
                left_out += 1
                continue
            g.write(json.dumps(doc, ensure_ascii=False) + "\n")
    if left_out:
        print(f"{name}: {left_out} documents left out, lm-eval cannot split them", flush=True)
    (Path(out) / f"oracle_{name}.yaml").write_text(template.format(name=f"oracle_{name}", data=plain, text=text, shots=shots))


def llama_in_float64():
    """transformers' Llama computes its norm and its rotation in float32; here the same in float64."""
    import torch
    from transformers.models.llama import modeling_llama as llama

    def norm(self, x):
        x = x.double()
        return self.weight.double() * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def rotation(self, x, position_ids):
        config = self.config
        parameters = getattr(config, "rope_parameters", None) or {}
        theta = parameters.get("rope_theta", getattr(config, "rope_theta", 10000.0))
        if parameters.get("rope_type", "default") != "default":
            raise SystemExit("--float64 knows Llama's plain rotation only")
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        frequency = theta ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
        angle = position_ids[..., None].double() * frequency
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()

    llama.LlamaRMSNorm.forward, llama.LlamaRotaryEmbedding.forward = norm, rotation


def load_peer(model, rolling, dtype="float32", batch=4):
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerFast

    extra = {"add_bos_token": False} if rolling else {}
    lm = HFLM(pretrained=model, tokenizer=PreTrainedTokenizerFast.from_pretrained(model), dtype=dtype, device="cpu", batch_size=batch, **extra)
    if dtype == "float64" and lm.model.config.model_type != "llama":
        raise SystemExit("--float64 is made for Llama's architecture")
    return lm


def run_lm_eval(model, names, limit, out, rolling, dtype="float32"):
    import lm_eval
    from lm_eval.tasks import TaskManager

    return lm_eval.simple_evaluate(
        model=load_peer(model, rolling, dtype), tasks=[f"oracle_{n}" for n in names], limit=limit, log_samples=True, bootstrap_iters=10,
        task_manager=TaskManager(include_path=str(out), include_defaults=False))


def run_assay(program, model, names, limit, out):
    directory = Path(out) / "run"
    command = [program, "eval", "-m", model, "-t", ",".join(f"oracle_{n}" for n in names), "--include", str(out), "--limit",
               str(limit), "--overlength", "truncate", "--join", "lm-eval", "-o", str(directory), "--store", "none", "--json", "--quiet"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    samples = {}
    for n in names:
        (file,) = directory.glob(f"**/samples_oracle_{n}_20*.jsonl")
        samples[n] = [json.loads(line) for line in open(file, encoding="utf-8")]
    return result, samples


def as_pairs(arguments):
    """lm-eval's in-memory list, or its file's {"gen_args_0": {"arg_0": ..}}."""
    if isinstance(arguments, dict):
        return [tuple(v[k] for k in sorted(v)) for _, v in sorted(arguments.items(), key=lambda kv: int(kv[0].rsplit("_", 1)[1]))]
    return [tuple(a) for a in arguments]


def logprobs(resps):
    out = []
    for r in resps:
        while isinstance(r, list) and len(r) == 1 or isinstance(r, list) and isinstance(r[0], (list, tuple)):
            r = r[0]
        value = r[0] if isinstance(r, (list, tuple)) else r
        out.append(float(value))
    return out


def compare(name, ours, theirs, our_samples, their_samples, exact_samples=None):
    bad, worst, spanning = [], 0.0, 0
    own_error = their_error = largest = 0.0
    their_samples = sorted(their_samples, key=lambda s: s["doc_id"])
    exact = {s["doc_id"]: logprobs(s["resps"]) for s in exact_samples or []}
    if len(our_samples) != len(their_samples):
        bad.append(f"{len(our_samples)} samples, lm-eval has {len(their_samples)}")
    for a, b in zip(our_samples, their_samples):
        if as_pairs(a["arguments"]) != as_pairs(b["arguments"]):
            bad.append(f"document {a['doc_id']}: prompts differ")
            continue
        flags = a.get("assay", {}).get("boundary_retokenized")
        spanning += bool(any(flags) if isinstance(flags, list) else flags)
        for i, (x, y) in enumerate(zip(logprobs(a["resps"]), logprobs(b["resps"]))):
            worst, largest = max(worst, abs(x - y)), max(largest, abs(y))
            if exact:
                z = exact[a["doc_id"]][i]
                own_error, their_error = max(own_error, abs(x - z)), max(their_error, abs(y - z))
                if abs(x - z) > max(1e-4, 2e-7 * abs(z)):
                    bad.append(f"document {a['doc_id']}: {x} against {z} in float64")
            elif abs(x - y) > 1e-4 * max(1, abs(y) / 100):
                bad.append(f"document {a['doc_id']}: {x} against {y}")
    figures = []
    for metric, value in theirs.items():
        key, _, kind = metric.partition(",")
        stderr = key.endswith("_stderr")
        if kind != "none" or not isinstance(value, (int, float)) or (stderr and not key.startswith("acc")):
            continue  # the standard errors of perplexities are a bootstrap's
        own = ours.get(key[: -len("_stderr")] if stderr else key)
        if own is None:
            bad.append(f"no {key}")
            continue
        own = own["stderr" if stderr else "value"]
        tolerance = 1e-9 if key.startswith("acc") else 1e-4 * max(1, abs(value))
        figures.append(f"{key} {own:.6g}" if not stderr else f"({own:.4g})")
        if own is None or abs(own - value) > tolerance:
            bad.append(f"{key}: {own} against {value}")
    print(f"{name:16} {len(our_samples):4} items  largest difference {worst:.1e}  {spanning} spanning  {' '.join(figures)}", flush=True)
    if exact:
        print(f"{'':16} to {largest:.0f} nats: |assay - float64| {own_error:.1e}, |lm-eval float32 - float64| {their_error:.1e}", flush=True)
    for line in bad[:5]:
        print(f"    {line}")
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--assay", default="./assay")
    p.add_argument("--model", default="../shared/data/models/tinystories-656k")
    p.add_argument("--data", default="../shared/data/eval/sets")
    p.add_argument("--limit", type=int, default=200)
    p.add_argument("--set", action="append", choices=list(SETS))
    p.add_argument("--float64", action="store_true", help="compare log-likelihoods with lm-eval's in float64")
    a = p.parse_args()
    names, failed = a.set or list(SETS), 0
    with tempfile.TemporaryDirectory() as out:
        os.environ["HF_HOME"] = out
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast.from_pretrained(a.model)
        for n in names:
            write_task(n, a.data, a.limit, out, tokenizer)
        result, samples = run_assay(a.assay, a.model, names, a.limit, out)
        for rolling in (False, True):
            group = [n for n in names if n.startswith("rolling") == rolling]
            if not group:
                continue
            theirs, exact = run_lm_eval(a.model, group, a.limit, out, rolling), {"samples": {}}
            if a.float64:
                from transformers.models.llama import modeling_llama as llama

                kept = llama.LlamaRMSNorm.forward, llama.LlamaRotaryEmbedding.forward
                llama_in_float64()
                exact = run_lm_eval(a.model, group, a.limit, out, rolling, "float64")
                llama.LlamaRMSNorm.forward, llama.LlamaRotaryEmbedding.forward = kept
            for n in group:
                failed += bool(compare(n, result["results"][f"oracle_{n}"], theirs["results"][f"oracle_{n}"], samples[n],
                                       theirs["samples"][f"oracle_{n}"], exact["samples"].get(f"oracle_{n}")))
    print("all agree" if not failed else f"{failed} sets differ")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
