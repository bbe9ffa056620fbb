# Root mean square error of the mean over 100 samples of each design; see lesson-tables.md.
pop=/tmp/apipop.csv
assay sample purposive --plain -q --where 'enroll is not missing' --to csv ../shared/data/sampling/rsurvey/apipop.csv.zst >$pop
truth() { assay estimate mean --var "$1" --no-design --json $pop | grep -o '"estimate": [0-9.]*' | head -1 | cut -d' ' -f2; }
api=$(truth api00) enroll=$(truth enroll)
try() { # name, then the arguments of assay sample
    name=$1 && shift
    for seed in $(seq 100); do
        assay sample "$@" --seed "$seed" -q $pop -o /tmp/try.csv
        for v in api00 enroll; do
            assay estimate mean --var $v --json /tmp/try.csv | grep -o '"estimate": [0-9.]*' | head -1 | cut -d' ' -f2
        done | paste -sd' '
    done | awk -v name="$name" -v a="$api" -v e="$enroll" \
        '{ x += ($1 - a) ^ 2; y += ($2 - e) ^ 2 } END { printf "%-28s api00 %6.2f   enroll %6.2f\n", name, sqrt(x / NR), sqrt(y / NR) }'
}
try "random" random -n 200
try "systematic" systematic -n 200
try "stratified by stype" stratified --by stype -n 200
try "  neyman on enroll" stratified --by stype --allocation neyman --variable enroll -n 200
try "balanced on enroll, api99" balanced --on enroll,api99 -n 200
try "pps by enroll" pps --size enroll --using random-pivotal -n 200
try "40 districts, 5 schools" cluster --cluster dnum -n 40 --second 5
