#!/usr/bin/env python3
"""Reference values of tests/eval/test_compare_runs.c: scipy's paired t test."""
from scipy import stats

a = [1.5, 2.25, 3.0, 4.75, 2.0, 6.5]
b = [2.0, 2.0, 3.5, 5.5, 2.25, 6.25]
r = stats.ttest_rel(a, b)
ci = r.confidence_interval(0.95)
print("T_STATISTIC", repr(float(r.statistic)))
print("T_P", repr(float(r.pvalue)))
print("T_LOW", repr(float(ci.low)))
print("T_HIGH", repr(float(ci.high)))
