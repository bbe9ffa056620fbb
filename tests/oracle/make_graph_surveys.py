"""Makes tests/graph/data/known.csv (a survey for network scale-up: 200 respondents with networks of about 300, groups known in
proportion to their size, the hidden one 2,500 of a million) and tests/graph/data/referrals.csv (80 pupils of builtin:friends
who recruited each other with three coupons each, three in ten of them lost).

    python tests/oracle/make_graph_surveys.py        (in the repository's root)
"""
import csv, random
from math import exp

random.seed(5)


def poisson(mean):
    t, n = 0, -1
    while t < mean:
        t, n = t + random.expovariate(1), n + 1
    return n


with open("tests/graph/data/known.csv", "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["respondent", "nurses", "twins", "vets", "postmen", "homeless"])
    for i in range(200):
        d = 300 * exp(random.gauss(0, .6))
        w.writerow([i + 1] + [poisson(d * s / 1e6) for s in (8000, 5000, 3000, 1500, 2500)])

people = {r["person"]: r for r in csv.DictReader(open("examples/people.csv"))}
near = {}
for r in csv.DictReader(open("examples/friends.csv")):
    near.setdefault(r["person"], set()).add(r["friend"])
    near.setdefault(r["friend"], set()).add(r["person"])
random.seed(12)
names = sorted(n for n in near if people[n]["club"] != "no club")
rows, there, at = [], set(), 0
while len(rows) < 80:
    if at >= len(rows) or len(rows) < 5:
        v = random.choices(names, [len(near[n]) for n in names])[0]
        if v not in there:
            there.add(v)
            rows.append((v, ""))
        continue
    v = rows[at][0]
    fresh = sorted(near[v] - there)
    random.shuffle(fresh)
    for u in fresh[:3]:
        if random.random() < .7 and len(rows) < 80:
            there.add(u)
            rows.append((u, v))
    at += 1
with open("tests/graph/data/referrals.csv", "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["person", "by", "knows", "plays"])
    w.writerows([v, by, len(near[v]), people[v]["plays"]] for v, by in rows)
