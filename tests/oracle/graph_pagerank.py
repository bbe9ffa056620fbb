"""PageRank three ways, for tests/graph/test_pagerank.c and bench/RESULTS.md.

    python tests/oracle/graph_pagerank.py EDGES.csv [assay.json]

exact: a float64 sparse LU solve of (I - d W) y = p with two steps of iterative refinement in long double;
networkx: its default tolerance (1e-6) and 1e-14; igraph: PRPACK. With a second argument, the output of
`assay graph pagerank --json EDGES.csv`, the largest relative difference of every node from the exact value.
"""
import csv, json, sys, time
import numpy as np, scipy.sparse as sp, scipy.sparse.linalg as sl
import networkx as nx, igraph

rows = list(csv.reader(open(sys.argv[1])))[1:]
names = sorted({int(x) for r in rows for x in r})
at = {n: i for i, n in enumerate(names)}
e = np.array([(at[int(a)], at[int(b)]) for a, b in rows])
n, d = len(names), .85
A = sp.coo_matrix((np.ones(2 * len(e)), (np.r_[e[:, 0], e[:, 1]], np.r_[e[:, 1], e[:, 0]])), shape=(n, n)).tocsr()
deg = np.asarray(A.sum(0)).ravel()
p = np.full(n, 1 / n)


def exact():
    """Conjugate gradients to the end in double, refined with residuals in long double: the refinement, not the
    solver, decides the digits."""
    h = 1 / np.sqrt(deg)
    S = sp.diags(h) @ A @ sp.diags(h)
    M = sp.identity(n) - d * S
    y = np.zeros(n, np.longdouble)
    idx, ptr = A.indices, A.indptr
    for _ in range(6):
        z = y / deg
        r = p - y + d * np.add.reduceat(z[idx], ptr[:-1])
        u, info = sl.cg(M, np.asarray(r, float) * h, rtol=1e-13, maxiter=1000)
        y = y + u / h
    return np.asarray(y / y.sum(), np.longdouble)


x = exact()


def off(name, value, seconds):
    rel = np.abs(value - x) / x
    print(f"{name:28s} {seconds*1e3:8.1f} ms   largest relative error {float(rel.max()):.3g}"
          f"   sum of absolute errors {float(np.abs(value - x).sum()):.3g}")


G = nx.Graph()
G.add_nodes_from(range(n))
G.add_edges_from(map(tuple, e.tolist()))
for tol in (1e-6, 1e-14):
    t = time.process_time()
    r = nx.pagerank(G, d, tol=tol, max_iter=1000)
    off(f"networkx tol {tol:g}", np.array([r[i] for i in range(n)]), time.process_time() - t)
g = igraph.Graph(n, e.tolist())
t = time.process_time()
off("igraph prpack", np.array(g.pagerank(damping=d)), time.process_time() - t)
if len(sys.argv) > 2:
    o = json.load(open(sys.argv[2]))
    off("assay", np.array([o["pagerank"][str(i)] for i in names]), 0)
