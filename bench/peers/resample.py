#!/usr/bin/env python3
"""Times imbalanced-learn's resampling of recipes, for bench/RESULTS.md.

    zstd -dc recipes.csv.zst | python bench/peers/resample.py MATRIX [METHOD ...]

The TF-IDF rows and labels go to the file MATRIX, which build/release/bench/resample reads: rows,
columns, values as uint64, then row starts (uint64), columns (uint32), values (float64), labels
(uint32). Prints wall and CPU seconds of fit_resample and the rows of each class. With
OMP_NUM_THREADS=1 the CPU time is that of one thread."""
import csv, io, sys, time, warnings
import numpy as np
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import (AllKNN, EditedNearestNeighbours, NearMiss, NeighbourhoodCleaningRule,
                                     RandomUnderSampler, RepeatedEditedNearestNeighbours, TomekLinks)
from sklearn.feature_extraction.text import TfidfVectorizer

warnings.filterwarnings("ignore")
rows = list(csv.DictReader(io.TextIOWrapper(sys.stdin.buffer, "utf-8")))
x = TfidfVectorizer().fit_transform(r["ingredient_list"] for r in rows)
x.sort_indices()
y = np.array([r["cuisine"] == "indian" for r in rows], dtype=np.uint32)
with open(sys.argv[1], "wb") as f:
    for part, kind in (((*x.shape, x.nnz), np.uint64), (x.indptr, np.uint64), (x.indices, np.uint32),
                       (x.data, np.float64), (y, np.uint32)):
        np.asarray(part).astype(kind).tofile(f)
methods = {
    "under": RandomUnderSampler(random_state=0), "over": RandomOverSampler(random_state=0),
    "smote": SMOTE(random_state=0), "borderline-1": BorderlineSMOTE(random_state=0),
    "borderline-2": BorderlineSMOTE(random_state=0, kind="borderline-2"), "adasyn": ADASYN(random_state=0),
    "nearmiss-1": NearMiss(version=1), "nearmiss-2": NearMiss(version=2), "nearmiss-3": NearMiss(version=3),
    "tomek": TomekLinks(), "enn": EditedNearestNeighbours(), "renn": RepeatedEditedNearestNeighbours(),
    "allknn": AllKNN(), "ncr": NeighbourhoodCleaningRule(), "smote-tomek": SMOTETomek(random_state=0),
    "smote-enn": SMOTEENN(random_state=0),
}
for name in sys.argv[2:] or methods:
    wall, cpu = time.time(), time.process_time()
    try:
        kept = methods[name].fit_resample(x, y.astype(int))[1]
    except ValueError as e:
        print(f"{name:13s} fails: {e}", flush=True)
        continue
    print(f"{name:13s} wall {time.time() - wall:7.2f} s, CPU {time.process_time() - cpu:7.2f} s, rows "
          f"{np.bincount(kept)}", flush=True)
