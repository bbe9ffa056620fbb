"""Expected rows and values of tests/classify/test_resample_*.c, from imbalanced-learn 0.14.2.

    python tests/oracle/resample.py rows > tests/classify/data/resample_rows.h
    python tests/oracle/resample.py draws > tests/classify/data/resample_draws.h

Needs imbalanced-learn 0.14.2 with scikit-learn 1.9 and NumPy. The data are made from a linear congruential
generator, here and in tests/classify/resample_data.h alike, so that no file is shared.

Which rows stay is printed as a string of hexadecimal digits, four rows a digit, the first row the highest
bit. "stock" is imbalanced-learn as it is. "ordered" is its code with the search for neighbours replaced
by one that orders ties as Assay does (the row itself
first, then by distance as Assay defines it, then by row number);
it is used where the data have ties, whose order in scikit-learn is the state of a heap. Rows carry their
number in a last column that this search does not look at.
"""

import math
import sys

import imblearn
import numpy as np
import scipy.sparse as sp
from imblearn.combine import SMOTEENN, SMOTETomek  # noqa: F401  (their steps are tested one by one)
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, BorderlineSMOTE
from imblearn.under_sampling import (
    AllKNN,
    EditedNearestNeighbours,
    NearMiss,
    NeighbourhoodCleaningRule,
    RepeatedEditedNearestNeighbours,
    TomekLinks,
)
from imblearn.under_sampling._prototype_selection import _neighbourhood_cleaning_rule, _tomek_links
from imblearn.utils import _validation


class Lcg:
    def __init__(self, state):
        self.state = state

    def u(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**53


def data(name):
    r = Lcg(ord(name))
    if name == "A":  # two classes, four columns
        y = np.array([1 if i % 6 == 0 else 0 for i in range(240)])
        x = np.array([[r.u() + 0.25 * y[i] for _ in range(4)] for i in range(240)])
    elif name == "B":  # three classes, twenty columns
        y = np.array([0 if i % 10 < 6 else 1 if i % 10 < 9 else 2 for i in range(260)])
        x = np.array([[r.u() + (0.25 * y[i] if j < 5 else 0) for j in range(20)] for i in range(260)])
    elif name == "C":  # sparse rows of length 1
        y = np.array([1 if i % 7 == 0 else 0 for i in range(300)])
        x = np.zeros((300, 60))
        for i in range(300):
            for j in range(60):
                if r.u() < (0.3 if y[i] and j < 10 else 0.08):
                    x[i, j] = r.u() + 0.01
            if not x[i].any():
                x[i, 0] = 1
            s = 0.0
            for v in x[i]:
                s += v * v
            x[i] /= math.sqrt(s)
    elif name == "D":  # a grid: ties and identical rows of different classes
        y = np.array([(2 if i % 9 == 0 else 1 if i % 3 == 1 else 0) for i in range(300)])
        x = np.array([[float(int(4 * r.u() + 0.5 * y[i])) for _ in range(3)] for i in range(300)])
    else:  # E: columns 1 and 3 are categories
        y = np.array([1 if i % 5 == 0 else 0 for i in range(150)])
        x = np.zeros((150, 5))
        for i in range(150):
            for j in range(5):
                x[i, j] = float(int(4 * r.u())) if j in (1, 3) else r.u() * (j + 1)
    return x, y


class Ordered:
    """kneighbors in Assay's order; rows end in their number."""

    def __init__(self, n_neighbors=5, n_jobs=None):
        self.n_neighbors = n_neighbors

    def get_params(self, deep=True):
        return {"n_neighbors": self.n_neighbors}

    def set_params(self, **p):
        self.n_neighbors = p.get("n_neighbors", self.n_neighbors)
        return self

    def fit(self, x, y=None):
        self.x, self.y = np.asarray(x), y
        return self

    def kneighbors(self, q, n_neighbors=None, return_distance=True):
        k = n_neighbors or self.n_neighbors
        if k > len(self.x):
            raise ValueError(f"{k} neighbours of {len(self.x)} rows")
        at, far = [], []
        for row in np.asarray(q):
            d2 = np.zeros(len(self.x))
            for c in range(self.x.shape[1] - 1):
                d2 = d2 + (row[c] - self.x[:, c]) ** 2
            own = self.x[:, -1] != row[-1]
            order = np.lexsort((self.x[:, -1], d2, own))[:k]
            at.append(order)
            far.append(np.sqrt(d2[order]))
        return (np.array(far), np.array(at)) if return_distance else np.array(at)

    def kneighbors_graph(self):
        raise NotImplementedError

    def predict(self, q):
        at = self.kneighbors(q, return_distance=False)
        return np.array([np.argmax(np.bincount(self.y[row])) for row in at])


def ordered(on):
    for module, name in (
        (_validation, "NearestNeighbors"),
        (_tomek_links, "NearestNeighbors"),
        (_neighbourhood_cleaning_rule, "KNeighborsClassifier"),
    ):
        kept = getattr(module, "_kept_" + name, None) or getattr(module, name)
        setattr(module, "_kept_" + name, kept)
        setattr(module, name, Ordered if on else kept)


def bits(n, kept):
    mask = np.zeros((n + 3) // 4 * 4, dtype=int)
    mask[np.asarray(kept)] = 1
    return "".join("%x" % (8 * a + 4 * b + 2 * c + d) for a, b, c, d in mask.reshape(-1, 4))


CLEANERS = [
    ("NEARMISS1", 0, lambda: NearMiss(version=1)),
    ("NEARMISS2", 0, lambda: NearMiss(version=2)),
    ("NEARMISS3", 0, lambda: NearMiss(version=3)),
    ("TOMEK", 0, TomekLinks),
    ("ENN", 0, EditedNearestNeighbours),
    ("ENN", 1, lambda: EditedNearestNeighbours(kind_sel="mode")),
    ("RENN", 0, RepeatedEditedNearestNeighbours),
    ("RENN", 1, lambda: RepeatedEditedNearestNeighbours(kind_sel="mode")),
    ("ALLKNN", 0, AllKNN),
    ("ALLKNN", 1, lambda: AllKNN(kind_sel="mode")),
    ("NCR", 0, NeighbourhoodCleaningRule),
]


def kept_rows(sampler, x, y):
    """Rows that stay, by the number in the last column (RENN's sample_indices_ are applied twice)."""
    r = sampler.fit_resample(x, y)[0]
    r = r.toarray() if sp.issparse(r) else r
    return sorted(r[:, -1].astype(int))


def clean():
    print("static const struct expected_rows {")
    print("    char data;\n    const char *search;\n    enum classify_resampler method;\n    int mode;")
    print("    const char *rows;\n} expected_rows[] = {")
    for name in "ABCD":
        x, y = data(name)
        number = np.arange(len(x))[:, None]
        for method, mode, make in CLEANERS:
            for search in ("stock", "ordered"):
                if search == "stock" and (name == "D" or (name == "C" and method == "NEARMISS2")):
                    continue
                ordered(search == "ordered")
                if search == "ordered":
                    kept = kept_rows(make(), np.hstack((x, number)), y)
                else:
                    sampler = make()
                    sampler.fit_resample(sp.csr_matrix(x) if name == "C" else x, y)
                    kept = sampler.sample_indices_
                if search == "ordered" and name != "D" and method != "NEARMISS2":
                    assert list(kept) == sorted(stock), (name, method)
                    continue
                stock = kept
                print(f"    {{ '{name}', \"{search}\", CLASSIFY_RESAMPLE_{method}, {mode},")
                print(f'      "{bits(len(x), kept)}" }},')
    print("};\n")
    ordered(False)


def made(label, pairs, rows):
    """Draws (place in the bases, in the neighbours, lambda) and the rows they give."""
    print(f"static const struct expected_draw expected_{label}_draw[] = {{")
    for p, q, t in pairs:
        print(f"    {{ {p}, {q}, {t!r} }},")
    print("};")
    print(f"static const double expected_{label}_row[][{rows.shape[1]}] = {{")
    for row in rows:
        print("    { " + ", ".join(repr(float(v)) for v in row) + " },")
    print("};")


def replay(n_pairs, k, n, seed):
    r = np.random.RandomState(seed)
    index = r.randint(low=0, high=n_pairs, size=n)
    step = r.uniform(size=n)
    return [(int(i) // k, int(i) % k, float(s)) for i, s in zip(index, step)]


def make_rows():
    print("struct expected_draw {\n    size_t base, neighbor;\n    double lambda;\n};")
    from sklearn.neighbors import NearestNeighbors

    x, y = data("A")
    own = np.flatnonzero(y == 1)
    n, seed = 24, 7
    ratio = (len(own) + n) / (y == 0).sum()
    s = SMOTE(sampling_strategy=ratio, random_state=seed)
    rows = s.fit_resample(x, y)[0][len(x) :]
    made("smote", replay(len(own) * 5, 5, n, seed), rows)

    b = BorderlineSMOTE(sampling_strategy=ratio, random_state=seed)
    rows = b.fit_resample(x, y)[0][len(x) :]
    danger = b.in_danger_indices[1]
    print("static const uint32_t expected_danger[] = { " + ", ".join(map(str, danger)) + " };")
    made("borderline1", replay(len(danger) * 5, 5, n, seed), rows)

    b = BorderlineSMOTE(sampling_strategy=ratio, random_state=seed, kind="borderline-2")
    rows = b.fit_resample(x, y)[0][len(x) :]
    near = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x[danger], return_distance=False)[:, 1:]
    pairs = replay(len(danger) * 5, 5, n, seed)
    other = [y[near[p, q]] != 1 for p, q, _ in pairs]
    less = iter(np.random.RandomState(seed).uniform(0.0, 0.5, size=(sum(other), 1))[:, 0])
    pairs = [(p, q, t * float(next(less)) if o else t) for (p, q, t), o in zip(pairs, other)]
    made("borderline2", pairs, rows)

    a = ADASYN(sampling_strategy=ratio, random_state=seed)
    rows = a.fit_resample(x, y)[0][len(x) :]
    near = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x[own], return_distance=False)[:, 1:]
    share = np.sum(y[near] != 1, axis=1) / 5
    share /= np.sum(share)
    times = np.rint(share * n).astype(int)
    r = np.random.RandomState(seed)
    column = r.choice(5, size=times.sum())
    step = r.uniform(size=(times.sum(), 1))[:, 0]
    base = np.repeat(np.arange(len(own)), times)
    assert len(rows) == times.sum()
    print("static const size_t expected_adasyn_times[] = { " + ", ".join(map(str, times)) + " };")
    made("adasyn", [(int(p), int(q), float(t)) for p, q, t in zip(base, column, step)], rows)
    # all of them, where the rounding matters: how many rows each wanted number gives
    counts = []
    for want in range(60, 200):
        a = ADASYN(sampling_strategy={1: want}, random_state=0)
        counts.append(int((a.fit_resample(x, y)[1] == 1).sum()))
    print("/* rows of class 1 of data A after ADASYN to 60, 61 ... 199 */")
    print("static const size_t expected_adasyn_rows[] = { " + ", ".join(map(str, counts)) + " };")

    x, y = data("E")
    own = np.flatnonzero(y == 1)
    ratio = (len(own) + n) / (y == 0).sum()
    s = SMOTENC([1, 3], sampling_strategy=ratio, random_state=seed)
    rows = s.fit_resample(x, y)[0][len(x) :]
    print(f"static const double expected_smotenc_median = {float(s.median_std_[1])!r};")
    made("smotenc", replay(len(own) * 5, 5, n, seed), rows)


if __name__ == "__main__":
    assert imblearn.__version__ == "0.14.2", imblearn.__version__
    print("/* Made by tests/oracle/resample.py with imbalanced-learn 0.14.2. */")
    {"rows": clean, "draws": make_rows}[sys.argv[1]]()
