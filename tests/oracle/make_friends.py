"""Makes examples/friends.csv and examples/people.csv: who is a friend of whom in a made-up school of 300.

    python tests/oracle/make_friends.py        (in the repository's root)

Six clubs of different size; persons differ in how sociable they are (lognormal); friendships form mostly within a
club, a third of them through a common friend. Sociable persons rather play an instrument, so that a walk, which comes
by sociable persons more often, overstates the share of players unless it is re-weighted. A few persons stand apart in
small groups. Names are random syllables; nobody real is meant.
"""
import csv, random

random.seed(20240229)
sizes = {"astronomy": 34, "chess": 40, "choir": 74, "climbing": 46, "drama": 58, "robotics": 36}
apart = 12
heads = "Al Be Ca Da El Fe Ga Hi Io Ja Ka Le Mi No Ol Pe Ra Sa Ti Ul Va Wi Yo Ze".split()
tails = "bor dan fie gus lia mar na nor ra ris sa sel so ta thea tin va vin wen za".split()
names = [a + b for a in heads for b in tails]
random.shuffle(names)
people = [(names.pop(), club) for club, n in sizes.items() for _ in range(n)]
n = len(people)
social = [min(random.lognormvariate(0, .75), 6) for _ in range(n)]
edges, near = set(), [set() for _ in range(n)]


def befriend(a, b):
    if a != b and b not in near[a]:
        near[a].add(b), near[b].add(a), edges.add((min(a, b), max(a, b)))


while len(edges) < 1080:
    a = random.choices(range(n), social)[0]
    if near[a] and random.random() < .34:  # a friend of a friend
        b = random.choice(sorted(near[random.choice(sorted(near[a]))]))
    else:
        same = random.random() < .88
        pool = [i for i in range(n) if (people[i][1] == people[a][1]) == same]
        b = random.choices(pool, [social[i] for i in pool])[0]
    befriend(a, b)
for i in range(n):  # nobody is without a friend
    if not near[i]:
        befriend(i, random.choice([j for j in range(n) if people[j][1] == people[i][1] and j != i]))
for group in ([0, 1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]):
    people += [(names.pop(), "no club") for _ in group]
    social += [.5] * len(group)
    near += [set() for _ in group]
    for i, a in enumerate(group):
        befriend(n + a, n + group[(i + 1) % len(group)])
order = list(range(len(people)))
random.shuffle(order)  # the files tell nothing by their order
with open("examples/people.csv", "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["person", "club", "plays", "hours"])
    for i in order:
        plays = random.random() < min(.9, .08 + .055 * len(near[i]) ** .9)
        w.writerow([*people[i], "yes" if plays else "no", round(max(0, random.gauss(2 + .35 * len(near[i]), 2)), 1)])
with open("examples/friends.csv", "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["person", "friend"])
    for a, b in random.sample(sorted(edges), len(edges)):
        w.writerow([people[a][0], people[b][0]])
