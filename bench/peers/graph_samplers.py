"""Every sampler of `assay graph sample` and its namesake in littleballoffur on networkx, end to end, in turns.

    python3 bench/peers/graph_samplers.py [--edges ../shared/data/sampling/graphs/github_edges.csv.zst] [--frac 0.5]
                                          [--limit 120] [--method NAME ...]

End to end is: edge list in, sample out as an edge list. littleballoffur: networkx graph from the decompressed CSV
(read by pandas), sampler.sample(), nx.write_edgelist; imports are not counted. Assay: the whole process, start-up and
decompression included. CPU seconds (user and system) of one thread, the figure to use on a machine with other work.
A littleballoffur sampler that needs more than --limit CPU seconds is stopped; those that raise are named. Methods whose
size is a number of edges there get as many as Assay's sample drew. Every edge of Assay's sample is looked up in the
graph, and its nodes are counted.
"""

import argparse
import csv
import json
import os
import pickle
import resource
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = {
    "random-node": "RandomNodeSampler",
    "degree": "DegreeBasedSampler",
    "pagerank": "PageRankBasedSampler",
    "random-edge": "RandomEdgeSampler",
    "edge-induction": "RandomEdgeSamplerWithInduction",
    "edge-partial-induction": "RandomEdgeSamplerWithPartialInduction",
    "node-edge": "RandomNodeEdgeSampler",
    "hybrid": "HybridNodeEdgeSampler",
    "random-walk": "RandomWalkSampler",
    "restart": "RandomWalkWithRestartSampler",
    "jump": "RandomWalkWithJumpSampler",
    "metropolis-hastings": "MetropolisHastingsRandomWalkSampler",
    "non-backtracking": "NonBackTrackingRandomWalkSampler",
    "circulated": "CirculatedNeighborsRandomWalkSampler",
    "common-neighbor": "CommonNeighborAwareRandomWalkSampler",
    "loop-erased": "LoopErasedRandomWalkSampler",
    "frontier": "FrontierSampler",
    "snowball": "SnowBallSampler",
    "forest-fire": "ForestFireSampler",
    "spikyball": "SpikyBallSampler",
    "diffusion": "DiffusionSampler",
    "diffusion-tree": "DiffusionTreeSampler",
    "community": "CommunityStructureExpansionSampler",
    "bfs": "BreadthFirstSearchSampler",
    "dfs": "DepthFirstSearchSampler",
    "shortest-path": "ShortestPathSampler",
    "node-neighbors": "RandomNodeNeighborSampler",
}


def cpu(children=False):
    r = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


def assay(program, method, frac, edges, out, nodes):
    before, wall = cpu(True), time.perf_counter()
    run = subprocess.run([program, "graph", "sample", method, "--frac", str(frac), "--seed", "1", edges, "-o", out, "--json"],
                         capture_output=True, text=True, check=True)
    used, wall = cpu(True) - before, time.perf_counter() - wall
    summary = json.loads(run.stdout)
    return used, wall, summary


def check(out, graph, summary):
    with open(out) as f:
        rows = list(csv.reader(f))[1:]
    for u, v in rows:
        assert graph.has_edge(int(u), int(v)), (u, v)
    assert len(rows) == summary["edges"]
    assert summary["status"] == "complete", summary


def peer(make, graph, limit):
    """CPU seconds of sample and write in a child process, or a word for what went wrong."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu() + limit) + 1, int(cpu() + limit) + 5))
        try:
            import networkx as nx

            start = cpu()
            sample = make().sample(graph)
            sampled = cpu()
            nx.write_edgelist(sample, os.devnull, data=False)
            bad = sum(not graph.has_edge(u, v) for u, v in sample.edges())
            answer = (sampled - start, cpu() - sampled, sample.number_of_nodes(), sample.number_of_edges(), bad)
        except BaseException as e:
            answer = f"raises {type(e).__name__}"
        os.write(write, pickle.dumps(answer))
        os._exit(0)
    os.close(write)
    data = b""
    while part := os.read(read, 65536):
        data += part
    os.close(read)
    os.waitpid(child, 0)
    return pickle.loads(data) if data else f"over {limit:g} s"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--edges", default="../shared/data/sampling/graphs/github_edges.csv.zst")
    p.add_argument("--frac", type=float, default=0.5)
    p.add_argument("--limit", type=float, default=120)
    p.add_argument("--method", action="append")
    p.add_argument("--assay", default=str(Path(__file__).parents[2] / "assay"))
    a = p.parse_args()
    import littleballoffur
    import networkx as nx
    import pandas

    with tempfile.TemporaryDirectory() as d:
        plain, out = f"{d}/edges.csv", f"{d}/sample.csv"
        if a.edges.endswith(".zst"):
            subprocess.run(["zstd", "-q", "-d", a.edges, "-o", plain], check=True)
        else:
            plain = a.edges
        start = cpu()
        frame = pandas.read_csv(plain)
        graph = nx.from_edgelist(frame.values.tolist())
        load = cpu() - start
        n = round(a.frac * graph.number_of_nodes())
        print(f"{graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges; samples of {n} nodes. "
              f"Loading into networkx: {load:.2f} s CPU")
        print(f"{'method':24s} {'Assay':>7s} {'wall':>6s}  {'load+sample+write':>20s} {'ratio':>7s}  nodes, edges there (not in the graph)")
        ratios = []
        for method, name in NAMES.items():
            if a.method and method not in a.method:
                continue
            used, wall, summary = min((assay(a.assay, method, a.frac, a.edges, out, None) for _ in range(3)), key=lambda r: r[0])
            check(out, graph, summary)
            kind = getattr(littleballoffur, name)
            if method in ("random-edge", "node-edge", "hybrid"):
                make = lambda: kind(number_of_edges=summary["edges"])
            elif method == "edge-induction":
                make = lambda: kind(number_of_edges=summary["steps"])
            elif method == "edge-partial-induction":
                make = lambda: kind(p=0.5)
            else:
                make = lambda: kind(number_of_nodes=n)
            got = peer(make, graph, a.limit)
            if isinstance(got, str):
                print(f"{method:24s} {used:7.3f} {wall:6.2f}  {got:>20s}", flush=True)
                continue
            total = load + got[0] + got[1]
            ratios.append(total / used)
            print(f"{method:24s} {used:7.3f} {wall:6.2f}  {load:5.2f}+{got[0]:6.2f}+{got[1]:5.2f} {total / used:7.1f}  "
                  f"{got[2]}, {got[3]} ({got[4]})", flush=True)
        print(f"ratios: least {min(ratios):.1f}, median {sorted(ratios)[len(ratios) // 2]:.1f}, {len(ratios)} methods")


if __name__ == "__main__":
    main()
