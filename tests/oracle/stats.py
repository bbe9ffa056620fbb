#!/usr/bin/env python3
"""Makes tests/stats/data/stats.json: what SciPy, statsmodels and mpmath say about small samples (and NIST about Longley's).
Needs numpy, scipy, statsmodels, mpmath. Usage: python3 tests/oracle/stats.py > tests/stats/data/stats.json"""
import itertools, json, math, random
from collections import Counter
import mpmath as mp
import numpy as np
from scipy import stats
import statsmodels.api as sm
from statsmodels.stats import power as smp, proportion as prop, multitest, contingency_tables as ct

mp.mp.dps = 40
g = np.random.default_rng(20261122)
out = {}

# tails, by 40-digit arithmetic
cases = []
for k, n, p in [(0, 10, .5), (3, 10, .5), (450, 1000, .5), (49000, 100000, .5), (4990000, 10000000, .5),
                (3, 1000, 1e-3), (100, 200, .9), (7, 7, .3), (100, 5000, .01)]:
    cases.append({"f": "binomial_cdf", "args": [k, n, p], "value": float(stats.binom.cdf(k, n, p))})
for t, df in [(0, 3), (1, 1), (2.5, 7.3), (12, 4), (40, 30), (3, 1e6), (-2, 12)]:
    r = mp.mpf(t) ** 2 / df
    cases.append({"f": "t_two_sided", "args": [t, df],
                  "value": float(mp.betainc(mp.mpf(df) / 2, .5, 0, 1 / (1 + r), regularized=True))})
for p, df in [(.975, 1), (.975, 9), (.995, 2.5), (.6, 40), (1e-6, 5), (.3, 1000)]:
    cases.append({"f": "t_quantile", "args": [p, df], "value": float(stats.t.ppf(p, df))})
for p, a, b in [(.025, 8, 3), (.975, 9, 2), (.5, .5, .5), (.01, 100.5, 2000.5), (.999, 1, 30)]:
    cases.append({"f": "beta_quantile", "args": [p, a, b], "value": float(stats.beta.ppf(p, a, b))})
for t, df, d in [(2, 9, 1.5), (1.2, 3.5, -1), (4, 200, 3), (-1, 12, .3), (2, 1.2, 1)]:
    c = 2 * (mp.mpf(df) / 2) ** (mp.mpf(df) / 2) / mp.gamma(mp.mpf(df) / 2)
    f = lambda v: mp.ncdf(t * v**8 - d) * c * v ** (8 * (df - 1)) * mp.exp(-df * v**16 / 2) * 8 * v**7
    cases.append({"f": "t_noncentral_cdf", "args": [t, df, d], "value": float(mp.quad(f, mp.linspace(0, 2, 60)))})
for x, a, b in [(2, 3, 20), (.4, 1, 5), (30, 2, 9)]:
    cases.append({"f": "f_tail", "args": [x, a, b], "value": float(stats.f.sf(x, a, b))})
for x, df in [(4.5, 1), (2.8, 2), (60, 5)]:
    cases.append({"f": "chi2_tail", "args": [x, df], "value": float(stats.chi2.sf(x, df))})
out["distribution"] = cases

x = np.round(g.gamma(2, 3, 23), 3); y = np.round(x * .6 + g.normal(0, 2, 23), 3); z = np.round(g.normal(5, 4, 17), 3)
q = np.percentile(x, [25, 50, 75])
out["describe"] = {"x": list(x), "mean": x.mean(), "sd": x.std(ddof=1), "se": stats.sem(x), "min": x.min(), "max": x.max(),
                   "q1": q[0], "median": q[1], "q3": q[2], "mad": stats.median_abs_deviation(x),
                   "skewness": stats.skew(x, bias=False), "kurtosis": stats.kurtosis(x, bias=False)}

names = {"wilson": "wilson", "clopper_pearson": "beta", "agresti_coull": "agresti_coull", "jeffreys": "jeffreys", "wald": "normal"}
out["proportion"] = []
for s, n, level in [(8, 10, .95), (1, 3, .9), (50, 100, .99), (999, 1000, .95), (37, 12345, .95), (400000, 1000000, .95)]:
    row = {"x": s, "n": n, "level": level}
    for ours, theirs in names.items():
        row[ours] = [float(v) for v in prop.proportion_confint(s, n, 1 - level, method=theirs)]
    out["proportion"].append(row)

def test(r, effect=None):
    ci = r.confidence_interval(.95)
    return {"t": float(r.statistic), "p": float(r.pvalue), "df": float(r.df), "ci": [float(ci.low), float(ci.high)]}
def sided(f):
    return {a: float(f(a).pvalue) for a in ("two-sided", "greater", "less")}
a10 = np.array([1.2, 2.4, 1.3, 1.3, 0, 1.0, 1.8, .8, 4.6, 1.4, -.7, .3]); b10 = np.round(g.normal(.7, 1, 12), 2)
out["tests"] = {
    "x": list(x), "y": list(y), "z": list(z), "d": list(a10), "mu": 4.5,
    "one": test(stats.ttest_1samp(x, 4.5)), "one_p": sided(lambda a: stats.ttest_1samp(x, 4.5, alternative=a)),
    "welch": test(stats.ttest_ind(x, z, equal_var=False)), "welch_p": sided(lambda a: stats.ttest_ind(x, z, equal_var=False, alternative=a)),
    "student": test(stats.ttest_ind(x, z)), "paired": test(stats.ttest_rel(x, y)),
    "permutation": sided(lambda a: stats.permutation_test((a10,), np.mean, permutation_type="samples", alternative=a, n_resamples=np.inf)),
}

tied_x = g.integers(0, 6, 60); tied_y = tied_x + g.integers(0, 8, 60)
out["correlation"] = []
for u, v in [(x, y), (list(map(float, tied_x)), list(map(float, tied_y))), (z, z[::-1].copy()), (x[:6], -y[:6] * y[:6])]:
    u, v = np.array(u), np.array(v)
    r = stats.pearsonr(u, v); ci = r.confidence_interval(.95); s = stats.spearmanr(u, v); k = stats.kendalltau(u, v)
    out["correlation"].append({"x": list(u), "y": list(v), "pearson": [r.statistic, r.pvalue], "pearson_ci": [ci.low, ci.high],
                               "spearman": [s.statistic, s.pvalue], "kendall": [k.statistic, k.pvalue]})

X = np.column_stack([x, np.round(g.normal(100, 3, 23), 2), g.integers(0, 2, 23)]); yy = np.round(3 + 2 * X[:, 0] - .5 * X[:, 1] + g.normal(0, 2, 23), 3)
m = sm.OLS(yy, sm.add_constant(X)).fit()
out["regression"] = {"x": X.T.tolist(), "y": list(yy), "coef": list(m.params), "se": list(m.bse), "t": list(m.tvalues), "p": list(m.pvalues),
                     "ci": m.conf_int().tolist(), "r2": m.rsquared, "r2_adjusted": m.rsquared_adj, "f": m.fvalue, "f_p": m.f_pvalue,
                     "sigma": math.sqrt(m.scale)}
# NIST StRD Longley: https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml (certified to 14 digits)
L = sm.datasets.longley.load().data
out["longley"] = {"y": [float(v) for v in L["TOTEMP"]], "x": [[float(v) for v in L[c]] for c in ["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]],
    "coef": [-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359, -0.511041056535807e-01, 1829.15146461355],
    "se": [890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699, 0.214274163161675, 0.226073200069370, 455.478499142212]}

out["mcnemar"] = []
for b, c in [(1, 7), (10, 10), (0, 5), (3, 4), (25, 40), (121, 59), (1000, 1100), (100000, 101000), (50000000, 50020000)]:
    lo, n = min(b, c), b + c
    pmf, cdf = stats.binom.pmf(lo, n, .5), stats.binom.cdf(lo, n, .5)
    exact = min(1, 2 * cdf); mid = 1 - pmf / 2 if b == c else exact - pmf
    chi = (b - c) ** 2 / n; cor = max(0, abs(b - c) - 1) ** 2 / n
    out["mcnemar"].append({"b": b, "c": c, "exact": float(exact), "midp": float(mid), "chi2": float(stats.chi2.sf(chi, 1)),
                           "chi2_corrected": float(stats.chi2.sf(cor, 1))})
Q = g.integers(0, 2, (40, 4)) | (g.random((40, 4)) < [.1, .2, .5, .3])
r = ct.cochrans_q(Q.astype(int)); out["cochran"] = {"x": Q.astype(int).tolist(), "q": r.statistic, "p": r.pvalue}

out["power"] = []
for d, n, alpha, alt in [(.5, 20, .05, "two-sided"), (.1, 900, .01, "two-sided"), (-.4, 15, .05, "larger"), (.8, 5, .1, "smaller")]:
    out["power"].append({"d": d, "n": n, "alpha": alpha, "alternative": {"larger": "greater", "smaller": "less"}.get(alt, alt),
                         "one": smp.TTestPower().power(d, n, alpha, alternative=alt), "two": smp.TTestIndPower().power(d, n, alpha, 1.5, alternative=alt),
                         "z": smp.NormalIndPower().power(d, n, alpha, 1.5, alternative=alt)})
out["power_n"] = [{"d": d, "power": p, "one": smp.TTestPower().solve_power(d, None, .05, p), "two": smp.TTestIndPower().solve_power(d, None, .05, p)}
                  for d, p in [(.2, .8), (.5, .9), (1.5, .8)]]
out["power_mcnemar"] = []
for p10, p01, n in [(.2, .1, 60), (.05, .01, 150), (.3, .3, 50), (.6, .4, 30)]:
    pd, tot = p10 + p01, [0, 0]
    for mm in range(1, n + 1):
        for b in range(mm + 1):
            lo = min(b, mm - b)
            e = min(1, 2 * stats.binom.cdf(lo, mm, .5)); md = 1 - stats.binom.pmf(lo, mm, .5) / 2 if 2 * b == mm else e - stats.binom.pmf(lo, mm, .5)
            w = stats.binom.pmf(mm, n, pd) * stats.binom.pmf(b, mm, p10 / pd)
            tot[0] += w * (e <= .05); tot[1] += w * (md <= .05)
    out["power_mcnemar"].append({"p10": p10, "p01": p01, "n": n, "exact": tot[0], "midp": tot[1]})

p = [.01, .04, .03, .005, .2, .04, 1, 0, .5, .049]
sm_names = {"bonferroni": "bonferroni", "sidak": "sidak", "holm": "holm", "holm-sidak": "holm-sidak", "hochberg": "simes-hochberg", "bh": "fdr_bh", "by": "fdr_by"}
out["adjust"] = {"p": p, **{o: multitest.multipletests(p, method=t)[1].tolist() for o, t in sm_names.items()}}

# maj@k by listing every subset
out["maj"] = []
for counts, correct, k in [([3, 2, 1], 0, 3), ([3, 2, 1], 1, 3), ([2, 2, 2, 2], 1, 4), ([5, 4, 3], 0, 5), ([1, 6, 3], 2, 1), ([4, 4], 0, 8), ([2, 3, 3, 1, 1], 2, 6)]:
    items = [a for a, c in enumerate(counts) for _ in range(c)]
    total = n = 0
    for sub in itertools.combinations(items, k):
        c = Counter(sub); top = max(c.values()); best = [a for a in c if c[a] == top]
        total += (correct in best) / len(best); n += 1
    out["maj"].append({"counts": counts, "correct": correct, "k": k, "value": total / n})
out["pass"] = [{"n": n, "c": c, "k": k, "any": float(1 - mp.binomial(n - c, k) / mp.binomial(n, k)), "all": float(mp.binomial(c, k) / mp.binomial(n, k))}
               for n, c, k in [(10, 3, 1), (10, 3, 5), (200, 7, 100), (5, 0, 2), (5, 5, 3), (20, 15, 8)]]

groups = [g.integers(0, 2, n).astype(float) for n in (30, 55, 12)]
allv = np.concatenate(groups)
out["group"] = {"tasks": [[v.mean(), stats.sem(v), len(v)] for v in groups], "micro": [allv.mean(), stats.sem(allv)],
                "macro": [np.mean([v.mean() for v in groups]), math.sqrt(sum(stats.sem(v) ** 2 for v in groups)) / 3]}

# the bootstrap: SciPy with many resamples, for agreement within its own noise
rng = np.random.default_rng(5)
out["bootstrap"] = []
for name, f in [("mean", np.mean), ("median", np.median), ("sd", lambda v, axis: np.std(v, axis=axis, ddof=1))]:
    row = {"stat": name, "x": list(x)}
    for method in ("percentile", "basic", "BCa"):
        ci = stats.bootstrap((x,), f, n_resamples=200000, method=method, rng=rng, batch=20000).confidence_interval
        row[method.lower()] = [ci.low, ci.high]
    out["bootstrap"].append(row)

# cluster-robust standard error of a mean: statsmodels' OLS on a constant, cov_type cluster with C/(C-1) only
cl = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4, 5, 5, 5, 6, 6, 7, 7, 7, 8, 8, 9]
mc = sm.OLS(x, np.ones(23)).fit(cov_type="cluster", cov_kwds={"groups": cl, "use_correction": False})
out["clustered"] = {"x": list(x), "cluster": cl, "mean": x.mean(), "se": float(mc.bse[0]) * math.sqrt(10 / 9)}
print(json.dumps(out, indent=1, default=float))
