"""Recomputes what `assay mix` and `assay contamination` report, with NumPy, SciPy and plain Python, and prints the
largest difference of each figure. Run in the repository's root:

    python tests/oracle/mix.py
"""
import json
import re
import subprocess
import tempfile
import unicodedata

import numpy as np
import scipy.stats as st
from scipy.optimize import brentq

worst = {}


def assay(*arguments):
    return json.loads(subprocess.run(["./assay", *arguments, "--json"], check=True, capture_output=True, text=True).stdout)


def same(name, a, b):
    worst[name] = max(worst.get(name, 0.0), float(np.max(np.abs(np.asarray(a, float) - np.asarray(b, float)))))


rng = np.random.default_rng(5)
names, n = ["math", "code", "facts"], np.array([200, 100, 300])
a = [rng.random(k) < p for k, p in zip(n, (0.62, 0.40, 0.71))]
b = [rng.random(k) < p for k, p in zip(n, (0.55, 0.52, 0.70))]
files = []
for scores in (a, b):
    f = tempfile.NamedTemporaryFile("w", suffix=".csv")
    f.write("category,score,id\n" + "".join(f"{c},{int(x)},{c}{i}\n" for c, s in zip(names, scores) for i, x in enumerate(s)))
    f.flush()
    files.append(f)
w = np.array([0.5, 0.3, 0.2])
out = assay("mix", "--mix", "math=5,code=3,facts=2", "--draws", "200000", files[0].name, files[1].name)["mixes"][0]
for scores, got in zip((a, b), out["scores"]):
    p = np.array([s.mean() for s in scores])
    var = np.array([s.var(ddof=1) for s in scores])
    se = np.sqrt((w**2 * var / n).sum())
    same("mean, stderr, ci", [w @ p, se, *st.norm.interval(0.95, w @ p, se)], [got["mean"], got["stderr"], *got["ci"]])
    same("effective items", 1 / (w**2 / n).sum(), got["effective_items"])
    simulated = rng.binomial(600, w @ p, 200000) / 600
    same("simulated sd (Monte Carlo)", np.sqrt(w @ p * (1 - w @ p) / 600), got["simulated"]["sd"])
    same("simulated interval (1/600 is a step)", st.binom.ppf([0.025, 0.975], 600, w @ p) / 600, got["simulated"]["interval"])
    draws = sum(wk * rng.binomial(k, pk, 200000) / k for wk, k, pk in zip(w, n, p))
    same("resampled interval (Monte Carlo)", np.quantile(draws, [0.025, 0.975]), got["resampled"]["interval"])
c = out["comparison"]
d = np.array([x.mean() - y.mean() for x, y in zip(a, b)])
se = np.sqrt(sum(wk**2 * (x.astype(float) - y).var(ddof=1) / k for wk, x, y, k in zip(w, a, b, n)))
same("difference, stderr, ln p", [w @ d, se, np.log(2 * st.norm.sf(abs(w @ d) / se))], [c["difference"], c["stderr"], np.log(c["p"])])
share = (rng.dirichlet(np.ones(3), 400000) @ d > 0).mean()
same("share of mixes (Monte Carlo)", share, c["a_ahead_share_of_mixes"])
for k, name in enumerate(names):
    rest = np.delete(w, k) @ np.delete(d, k) / (1 - w[k])
    ahead = c["categories"][name]["a_ahead_for_weight"]
    if ahead and rest * d[k] < 0:
        same("turning points", brentq(lambda t: t * d[k] + (1 - t) * rest, 0, 1), ahead[0] if d[k] > 0 else ahead[1])

# ---- contamination: the same items by Python's own means, over text with accents and punctuation ----
text = open("README.md").read() + open("docs/memorize.md").read() + " Étude naïve — “l’Été”, ﬁn de ＳＩÈＣＬＥ; groß. "
items = [text[i : i + 160] for i in range(0, len(text) - 160, 173)]
corpus = text.upper().replace("’", "'")


def words(s):
    s = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", s).casefold())
    return re.sub(r"[^\s\w]|_", "", "".join(ch for ch in s if unicodedata.category(ch)[0] in "LMN" or ch.isspace())).split()


with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f, tempfile.NamedTemporaryFile("w", suffix=".txt") as g:
    f.write("".join(json.dumps({"t": t}) + "\n" for t in items))
    g.write(corpus)
    f.flush(), g.flush()
    out = assay("contamination", "--ngram", "5", "--field", "t", f.name, g.name)
grams = lambda ws: [tuple(ws[i : i + 5]) for i in range(len(ws) - 4)]
there = set(grams(words(corpus)))
same("contamination: corpus words", len(words(corpus)), out["corpus"]["words"])
for t, got in zip(items, out["item_list"]):
    ours = grams(words(t))
    same("contamination: words, runs, hits", [len(words(t)), len(ours), sum(g in there for g in ours)],
         [got["words"], got["runs"], got["hits"]])

for name, difference in worst.items():
    print(f"{name:40} {difference:.2e}")
