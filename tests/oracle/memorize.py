"""Recomputes what `assay memorize` and `assay memorize texts` report, with NumPy, SciPy, scikit-learn and
transformers, and prints the largest difference of each figure. Run in the repository's root:

    python tests/oracle/memorize.py
"""
import json
import subprocess
import zlib

import numpy as np
import scipy.stats as st
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.naive_bayes import MultinomialNB
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

FACTS, LOCKERS = "models/heldout/facts.jsonl", "models/heldout/lockers.jsonl"


def assay(*arguments):
    return json.loads(subprocess.run(["./assay", *arguments, "--json"], check=True, capture_output=True, text=True).stdout)


def rows(path):
    return [json.loads(line) for line in open(path)]


tokenizer = PreTrainedTokenizerFast(tokenizer_file="models/tiny/tokenizer.json")
model = AutoModelForCausalLM.from_pretrained("models/tiny", dtype=torch.float32).eval()
worst = {}


def same(name, a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    worst[name] = max(worst.get(name, 0.0), float(np.max(np.abs(a - b))))


def logprobs(text):
    """ln p of tokens 1.. and mean and deviation of ln p under p at each place."""
    ids = torch.tensor([tokenizer(text, add_special_tokens=False).input_ids])
    with torch.no_grad():
        lp = torch.log_softmax(model(ids).logits[0, :-1].double(), -1)
    mu = (lp.exp() * lp).sum(-1)
    sigma = ((lp.exp() * lp * lp).sum(-1) - mu * mu).sqrt()
    return lp.gather(1, ids[0, 1:, None])[:, 0].numpy(), mu.numpy(), sigma.numpy()


def target(prompt, answer):
    # blanks at the prompt's end count as the answer's, as in lm-eval
    before = tokenizer(prompt.rstrip(), add_special_tokens=False).input_ids
    ids = torch.tensor([tokenizer(prompt + " " + answer, add_special_tokens=False).input_ids])
    with torch.no_grad():
        lp = torch.log_softmax(model(ids).logits[0, :-1].double(), -1)
    return lp.gather(1, ids[0, 1:, None])[len(before) - 1 :, 0].sum().item()


# ---- exact against paraphrase ----
out, facts = assay("memorize", "-m", "builtin:tiny", FACTS), rows(FACTS)
lp = {}
for kind, key in (("exact", "seen_prompt"), ("paraphrase", "prompt")):
    lp[kind] = np.array([target(f[key], f["answer"]) for f in facts])
    same("logp", lp[kind], [r[kind]["logp"] for r in out["records"]])
odds = {k: v - np.log(-np.expm1(v)) for k, v in lp.items()}
keys = {}
cluster = np.array([keys.setdefault((f["seen_prompt"], f["answer"]), len(keys)) for f in facts])
for name, values in (("logp", lp), ("log_odds", odds), ("p", {k: np.exp(v) for k, v in lp.items()})):
    d = values["exact"] - values["paraphrase"]
    sums = np.bincount(cluster, d - d.mean())
    c = len(sums)
    se = np.sqrt(c / (c - 1) * (sums**2).sum()) / len(d)
    got = out["difference"][name]
    same("paired " + name, [d.mean(), se, *st.t.interval(0.95, c - 1, d.mean(), se)],
         [got["difference"], got["stderr"], *got["ci"]])
    same("paired p relative " + name, np.log(2 * st.t.sf(abs(d.mean()) / se, c - 1)), np.log(got["p_t"]))

out, lockers = assay("memorize", "-m", "builtin:tiny", LOCKERS), rows(LOCKERS)
y = np.array([r["exact"]["log_odds"] for r in out["records"]])
fit = st.linregress(np.log2(1 + np.array([r["repeats"] for r in lockers])), y)
same("slope", [fit.slope, fit.stderr], [out["slope"]["log_odds_per_doubling"], out["slope"]["stderr"]])

# ---- members against others ----
out = assay("memorize", "texts", "-m", "builtin:tiny", "--members", FACTS, "--others", FACTS, "--text",
            "{seen_prompt} {answer}.", "--others-text", "{prompt} {answer}.")
texts = [f"{f['seen_prompt']} {f['answer']}." for f in facts] + [f"{f['prompt']} {f['answer']}." for f in facts]
label = np.array([1] * len(facts) + [0] * len(facts))
records = out["records"]
for text, r in zip(texts, records):
    v, mu, sigma = logprobs(text)
    low = logprobs(text.lower())[0]
    same("ln PPL", -v.mean(), r["ln_ppl"])
    same("ln PPL lowercased", -low.mean(), r["ln_ppl_lowercased"])
    same("zlib", len(zlib.compress(text.encode())), r["zlib"])
    same("zlib score", len(zlib.compress(text.encode())) / -v.mean(), r["scores"]["zlib bytes / ln PPL"])
    for k in (5, 20, 50):
        take = max(1, int(len(v) * k / 100))
        same("Min-K%", np.sort(v)[:take].mean(), r["scores"][f"Min-{k}%"])
        same("Min-K%++", np.sort((v - mu) / sigma)[:take].mean(), r["scores"][f"Min-{k}%++"])

fold = np.array([r["fold"] for r in records])
for which in range(fold.max() + 1):
    train, test = np.where(fold != which)[0], np.where(fold == which)[0]
    words = CountVectorizer(token_pattern=r"(?u)[^\W_]+").fit([texts[i] for i in train])
    bayes = MultinomialNB(alpha=1, fit_prior=False).fit(words.transform([texts[i] for i in train]), label[train])
    score = words.transform([texts[i] for i in test]) @ (bayes.feature_log_prob_[1] - bayes.feature_log_prob_[0])
    same("naive Bayes", score, [records[i]["baseline"] for i in test])


def delong(x):
    m, n = x[label == 1], x[label == 0]
    wins = (m[:, None] > n) + 0.5 * (m[:, None] == n)
    return wins.mean(), wins.mean(1), wins.mean(0)


base = np.array([r["baseline"] for r in records])
_, base10, base01 = delong(base)
for name, got in [*out["scores"].items(), ("baseline", out["baseline"])]:
    x = base if name == "baseline" else np.array([r["scores"][name] for r in records])
    auc, v10, v01 = delong(x)
    same("AUC", roc_auc_score(label, x), got["auc"])
    se = np.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))
    same("AUC stderr", se, got["stderr"])
    fpr, tpr, _ = roc_curve(label, x, drop_intermediate=False)
    same("TPR@1%FPR", tpr[fpr <= 0.01].max(), got["tpr"])
    if "lead" in got:
        se = np.sqrt((v10 - base10).var(ddof=1) / len(v10) + (v01 - base01).var(ddof=1) / len(v01))
        same("lead", [auc - base10.mean(), se], [got["lead"]["difference"], got["lead"]["stderr"]])

for name, difference in worst.items():
    print(f"{name:32} {difference:.2e}")
