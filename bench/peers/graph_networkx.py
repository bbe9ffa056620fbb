"""What networkx needs for what `assay graph sample random-walk --frac 0.5`, `pagerank` and `describe` do, in CPU seconds.

    python bench/peers/graph_networkx.py EDGES.csv
"""
import csv, random, sys, time
import networkx as nx

clock = time.process_time
t0 = clock()
rows = csv.reader(open(sys.argv[1]))
next(rows)
G = nx.Graph()
G.add_edges_from((int(a), int(b)) for a, b in rows)
t1 = clock()
random.seed(1)
near = {v: list(G[v]) for v in G}
v = random.choice(list(G))
seen = {v}
while len(seen) < len(G) // 2:
    v = random.choice(near[v])
    seen.add(v)
t2 = clock()
H = G.subgraph(seen).copy()
t3 = clock()
with open("/dev/null", "w") as f:
    csv.writer(f).writerows(H.edges())
t4 = clock()
print(f"load {t1-t0:.2f}  walk {t2-t1:.2f}  induced {t3-t2:.2f}  write {t4-t3:.2f}  together {t4-t0:.2f}")
t = clock()
nx.pagerank(G)
print(f"pagerank {clock()-t:.2f}")
t = clock()
nx.average_clustering(G), nx.transitivity(G), nx.core_number(G), nx.degree_assortativity_coefficient(G)
print(f"clustering, transitivity, cores, assortativity {clock()-t:.2f}")
