#!/bin/bash
# All samplers of `assay graph sample` on one graph, half of its nodes each: the table of lesson-graphs.md.
# Usage: bench/graph_samplers.sh EDGES (needs jq; `assay` in the PATH)
d=$(mktemp -d) || exit 1
trap 'rm -rf "$d"' EXIT
printf '%-24s%8s%10s%10s%12s%10s\n' method edges 'D chosen' 'D degree' clustering 'estimate'
assay graph sample --methods --json | jq -r '.methods[].method' | while read -r m; do
    edges=$(assay graph sample "$m" --frac 0.5 --seed 1 "$1" -o "$d/s.graphml" --nodes "$d/n.csv" --json | jq .edges)
    compared=$(assay graph compare "$d/s.graphml" "$1" --json | jq -r '.measures | [.choice.ks_d, .degree.ks_d, .clustering.mean_sample] | @tsv')
    mean=$(awk -F, 'NR>1 && $4 != "" {w+=$2*$4; wd+=$2*$4*$3} END {if (w) printf "%.2f", wd/w; else printf "-"}' "$d/n.csv")
    # shellcheck disable=SC2086
    printf '%-24s%8s%10.3f%10.3f%12.3f%10s\n' "$m" "$edges" $compared "$mean"
done
