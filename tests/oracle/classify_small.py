"""Values for tests/classify/test_text.c and test_linear.c.

    python3 tests/oracle/classify_small.py

needs scikit-learn (1.9 was used). Prints terms, weights and coefficients of small made-up data."""
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

TEXTS = [
    "The quick brown fox, the lazy dog; the end.",
    "A quick-witted fox_9 met 2 lazy DOGS",
    "Crème brûlée and ΟΔΟΣ ΣΑΣ, İstanbul",
    "e\u0301clair ½ ２３ x Ⅳ²",
    "the the the dog",
    "",
]
for name, options in {
    "plain": {},
    "bigrams": dict(ngram_range=(1, 2), min_df=2),
    "max_df": dict(max_df=0.4, sublinear_tf=True),
    "l1": dict(norm="l1", smooth_idf=False, stop_words=["the", "and"]),
    "count": dict(norm=None, use_idf=False, max_features=4),
    "stop bigrams": dict(ngram_range=(2, 3), stop_words=["the"], binary=True),
}.items():
    v = TfidfVectorizer(**options)
    x = v.fit_transform(TEXTS).tocsr()
    x.sort_indices()
    print(name, list(v.get_feature_names_out()))
    for i in range(len(TEXTS)):
        row = x[i]
        print("   ", i, [(int(j), repr(float(w))) for j, w in zip(row.indices, row.data)])

# 40 rows of 3 columns by a formula that C repeats exactly
n = 40
x = np.array([[((i * 7 + j * 13) % 11 - 5) / 4 for j in range(3)] for i in range(n)])
y = np.array([int(x[i] @ [1.0, -0.5, 0.25] + ((i * 5) % 7 - 3) / 3 > 0.9) for i in range(n)])
print("positives", y.sum())
for name, model in {
    "svm": LinearSVC(C=1, tol=1e-12, max_iter=10**6, dual=False),
    "svm C 10 weights": LinearSVC(C=10, tol=1e-12, max_iter=10**6, dual=False, class_weight="balanced"),
    "svm no bias": LinearSVC(C=1, tol=1e-12, max_iter=10**6, dual=False, fit_intercept=False),
    "svm bias 5": LinearSVC(C=1, tol=1e-12, max_iter=10**6, dual=False, intercept_scaling=5),
    "logistic": LogisticRegression(C=1, tol=1e-12, max_iter=10**6, solver="liblinear"),
    "logistic weights": LogisticRegression(C=2, tol=1e-12, max_iter=10**6, solver="liblinear", class_weight="balanced"),
}.items():
    model.fit(x, y)
    print(name, [repr(float(w)) for w in model.coef_[0]], repr(float(np.ravel(model.intercept_)[0])))

# the sizes of splits (tests/classify/test_split.c)
from sklearn.model_selection import StratifiedKFold, train_test_split

for sizes, fraction in (((36771, 3003), 0.25), ((50, 30, 21), 0.3), ((7, 5, 4), 0.5), ((1, 9), 0.2)):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    try:
        train, test = train_test_split(labels, test_size=fraction, stratify=labels, random_state=0)
        print("split", sizes, fraction, np.bincount(train).tolist(), np.bincount(test).tolist())
    except ValueError as e:
        print("split", sizes, fraction, e)
for sizes, k in (((50, 30, 21), 4), ((7, 8), 5)):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    print("folds", sizes, k, [np.bincount(labels[t], minlength=len(sizes)).tolist() for _, t in StratifiedKFold(k).split(labels, labels)])
