# How often 95 % intervals of the mean stress hold the true one, over N samples of 25 companies.
truth=4.5732
for seed in $(seq "$1"); do
    assay sample cluster --cluster company -n 25 --seed "$seed" --quiet -o /tmp/again.csv builtin:survey
    for how in --design= --no-design; do
        assay estimate mean /tmp/again.csv --var stress --skip-missing --json ${how#--design=} |
            sed "s/.*\"ci\": \[\([^,]*\), \([^]]*\)\], \"deff\".*/${how%=} \1 \2/"
    done
done | awk -v t=$truth '{ n[$1]++; hit[$1] += $2 <= t && t <= $3 }
    END { for (h in n) printf "%-11s %d of %d intervals hold %g\n", h, hit[h], n[h], t }' | sort
