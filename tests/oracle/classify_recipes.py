"""The lesson of `assay classify` with scikit-learn and imbalanced-learn: confusion matrices for
tests/classify/test_recipes.c, coefficients, and the time without the imports.

    zstdcat ../shared/data/sampling/recipes/recipes.csv.zst >/tmp/recipes.csv
    python3 tests/oracle/classify_recipes.py /tmp/recipes.csv [auto|dual] [seeds]

needs scikit-learn (1.9.1 was used) and imbalanced-learn (0.14.2)."""
import csv
import json
import resource
import sys
import time
import warnings

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def compare(x, y, test, seed, dual, parts):
    xtr, ytr, xte, yte = x[~test], y[~test], x[test], y[test]
    out = {}
    for name, sampler in {
        "none": None,
        "under": RandomUnderSampler(random_state=seed),
        "over": RandomOverSampler(random_state=seed),
        "smote": SMOTE(random_state=seed),
        "weights": None,
    }.items():
        t0 = cpu()
        a, b = sampler.fit_resample(xtr, ytr) if sampler else (xtr, ytr)
        t1 = cpu()
        m = LinearSVC(
            dual=dual,
            C=1,
            tol=1e-4,
            max_iter=1000,
            intercept_scaling=1,
            random_state=seed,
            class_weight="balanced" if name == "weights" else None,
        ).fit(a, b)
        t2 = cpu()
        score = m.decision_function(xte)
        matrix = confusion_matrix(yte, score > 0)
        out[name] = {
            "confusion": matrix.tolist(),
            "roc_auc": roc_auc_score(yte, score),
            "average_precision": average_precision_score(yte, score),
        }
        parts.append((name, len(b), round(t1 - t0, 3), round(t2 - t1, 3), int(np.max(m.n_iter_))))
    return out


dual = {"auto": "auto", "dual": True}[sys.argv[2] if len(sys.argv) > 2 else "auto"]
seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
wall, used = time.monotonic(), cpu()
with open(sys.argv[1], newline="") as f:
    rows = list(csv.DictReader(f))
y = np.array([r["cuisine"] == "indian" for r in rows])
read = cpu()
v = TfidfVectorizer()
x = v.fit_transform(r["ingredient_list"] for r in rows)
fitted = cpu()
parts = []
test = np.arange(len(y)) % 4 == 0
first = compare(x, y, test, 0, dual, parts)
end, wall = cpu(), time.monotonic() - wall
print(json.dumps({"terms": len(v.vocabulary_), "strategies": first}, indent=1))
print(f"CPU {end - used:.3f} s, wall {wall:.3f} s: read {read - used:.3f}, TF-IDF {fitted - read:.3f}")
for p in parts:
    print("   %-8s %6d rows, resample %.3f s, fit %.3f s, %d iterations" % p)
if seeds > 1:
    rates = {k: [] for k in first}
    for seed in range(seeds):
        for k, o in compare(x, y, test, seed, dual, []).items():
            (tn, fp), (fn, tp) = o["confusion"]
            rates[k].append((tn / (tn + fp), tp / (tp + fn)))
    for k, r in rates.items():
        r = np.array(r)
        print(k, "TNR %.4f +- %.4f  TPR %.4f +- %.4f" % (r[:, 0].mean(), r[:, 0].std(ddof=1), r[:, 1].mean(), r[:, 1].std(ddof=1)))
if len(sys.argv) > 4:  # the other values of test_recipes.c
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, brier_score_loss, f1_score, matthews_corrcoef

    q = LogisticRegression(solver="liblinear").fit(x[~test], y[~test]).predict_proba(x[test])[:, 1]
    print("logistic", confusion_matrix(y[test], q > 0.5).tolist(), brier_score_loss(y[test], q), q.mean())
    names = np.array([r["cuisine"] for r in rows])
    for weight in None, "balanced":
        p = LinearSVC(class_weight=weight).fit(x[~test], names[~test]).predict(x[test])
        t = names[test]
        print("cuisines", weight, accuracy_score(t, p), balanced_accuracy_score(t, p), f1_score(t, p, average="macro"), matthews_corrcoef(t, p))
if len(sys.argv) > 4:  # any fourth word: coefficients at tight tolerance
    for weight in None, "balanced":
        m = LinearSVC(C=1, tol=1e-11, max_iter=10**6, dual=False, class_weight=weight).fit(x[~test], y[~test])
        w = m.coef_[0]
        print("coefficients", weight, "sum", repr(float(w.sum())), "squares", repr(float(w @ w)), "intercept", repr(float(m.intercept_[0])))
        for term in ("basil", "cardamom", "chicken", "cumin", "garam", "masala", "oil", "paneer", "soy", "turmeric", "vanilla", "yogurt"):
            print("   ", term, repr(float(w[v.vocabulary_[term]])))
