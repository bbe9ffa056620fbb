"""What networkx says of a graph, for tests/graph/test_measure.c (zachary, lastfm, a directed graph).

    python tests/oracle/graph_measures.py EDGES.csv [directed]      or with "zachary" instead of a file
"""
import csv, sys
import networkx as nx

if sys.argv[1] == "zachary":
    G = nx.Graph()
    G.add_edges_from(nx.karate_club_graph().edges())
    print("edges", ",".join(f"{a},{b}" for a, b in sorted(map(tuple, map(sorted, G.edges())))))
else:
    rows = list(csv.reader(open(sys.argv[1])))[1:]
    G = nx.DiGraph() if "directed" in sys.argv else nx.Graph()
    G.add_edges_from((int(a), int(b)) for a, b in rows)
    G.remove_edges_from(list(nx.selfloop_edges(G)))
if G.is_directed():
    print("density %.17g reciprocity %.17g" % (nx.density(G), nx.reciprocity(G)))
    s = sorted(map(len, nx.strongly_connected_components(G)), reverse=True)
    print("strong", len(s), s[0])
    pr = nx.pagerank(G, tol=1e-16, max_iter=10000)
    print("pagerank", [(k, "%.15g" % pr[k]) for k in sorted(G)[:6]])
    pr = nx.pagerank(G, tol=1e-16, max_iter=10000, personalization={sorted(G)[0]: 1, sorted(G)[1]: 3})
    print("personal", [(k, "%.15g" % pr[k]) for k in sorted(G)[:6]])
    G = G.to_undirected()
print("nodes", len(G), "edges", G.size(), "density %.17g" % nx.density(G))
print("triangles", sum(nx.triangles(G).values()) // 3)
print("clustering %.17g transitivity %.17g" % (nx.average_clustering(G), nx.transitivity(G)))
print("assortativity %.17g" % nx.degree_assortativity_coefficient(G))
core = nx.core_number(G)
print("core", max(core.values()), sum(c == max(core.values()) for c in core.values()))
c = sorted(nx.connected_components(G), key=len, reverse=True)
H = G.subgraph(c[0])
print("components", len(c), len(c[0]), "diameter", nx.diameter(H, usebounds=True))
if len(H) < 2000:
    print("distance %.17g" % nx.average_shortest_path_length(H))
