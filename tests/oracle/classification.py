#!/usr/bin/env python3
"""Makes tests/stats/data/classification.json with scikit-learn. Usage:
python3 tests/oracle/classification.py > tests/stats/data/classification.json"""
import json, warnings
import numpy as np
from sklearn import metrics as m
warnings.filterwarnings("ignore")
g = np.random.default_rng(7)
out = {"labels": [], "scores": [], "calibration": []}
for k, n, miss in [(2, 60, None), (3, 90, None), (5, 40, 4), (4, 30, 0), (2, 12, 1)]:
    truth = g.integers(0, k, n); pred = np.where(g.random(n) < .6, truth, g.integers(0, k, n))
    if miss is not None: pred[pred == miss] = (miss + 1) % k  # a label that is never predicted
    row = {"k": k, "truth": truth.tolist(), "predicted": pred.tolist(), "confusion": m.confusion_matrix(truth, pred, labels=range(k)).tolist(),
           "accuracy": m.accuracy_score(truth, pred), "balanced_accuracy": m.balanced_accuracy_score(truth, pred),
           "mcc": m.matthews_corrcoef(truth, pred), "kappa": m.cohen_kappa_score(truth, pred)}
    for zd in (0, 1, np.nan):
        z = {}
        for avg in ("micro", "macro", "weighted") + (("binary",) if k == 2 else ()):
            for name, f in (("precision", m.precision_score), ("recall", m.recall_score), ("f1", m.f1_score)):
                v = float(f(truth, pred, average=avg, zero_division=zd))
                z[name if avg == "binary" else f"{name}_{avg}"] = v if v == v else None
        row[f"zero_{zd}"] = z
    out["labels"].append(row)
for n, digits in [(50, 6), (200, 1), (30, 0)]:
    truth = g.integers(0, 2, n); s = np.round(truth * .8 + g.normal(0, 1, n), digits)
    p, r, _ = m.precision_recall_curve(truth, s); fpr, tpr, _ = m.roc_curve(truth, s, drop_intermediate=False)
    # DeLong by its definition
    pos, neg = s[truth == 1], s[truth == 0]
    psi = (pos[:, None] > neg[None]) + .5 * (pos[:, None] == neg[None])
    var = psi.mean(1).var(ddof=1) / len(pos) + psi.mean(0).var(ddof=1) / len(neg)
    out["scores"].append({"truth": truth.tolist(), "score": s.tolist(), "roc_auc": m.roc_auc_score(truth, s), "se": var ** .5,
                          "average_precision": m.average_precision_score(truth, s), "pr_auc": m.auc(r, p),
                          "tpr": [[f, float(tpr[fpr <= f].max())] for f in (0, .01, .1, .5, 1)]})
q = np.round(g.random(300), 2); truth = (g.random(300) < q ** 1.5).astype(int)
conf = np.where(q > .5, q, 1 - q); right = ((q > .5) == truth).astype(int)
ece = mce = 0
for b in range(10):
    lo, hi = b / 10, (b + 1) / 10
    sel = (conf > lo) & (conf <= hi) | ((b == 0) & (conf == 0))
    if sel.any():
        gap = abs(conf[sel].mean() - right[sel].mean()); ece += gap * sel.mean(); mce = max(mce, gap)
out["calibration"].append({"confidence": conf.tolist(), "right": right.tolist(), "square": ((q - truth) ** 2).tolist(), "ece": ece, "mce": mce,
                           "brier": m.brier_score_loss(truth, q)})
print(json.dumps(out))
