"""Makes examples/contacts.csv (builtin:contacts): who knows whom in a made-up valley, no real persons.

    python3 tests/oracle/make_contacts.py > examples/contacts.csv

Six villages grow one after the other; a newcomer gets to know somebody in proportion to acquaintances, then friends of
that friend (Holme and Kim 2002), now and then somebody elsewhere. Some households keep to themselves: small components.
Names are the village's first letters and a number.
"""

import random

VILLAGES = {"alm": 150, "bru": 120, "cor": 110, "dor": 90, "eck": 70, "fal": 60}
HERMITS = [2, 2, 3, 3, 4, 6]


def main():
    r = random.Random(20)
    edges, people = {}, []  # a dict keeps the order in which edges came

    def join(u, v):
        if u != v:
            edges[min(u, v), max(u, v)] = True
            ends.extend((u, v))

    for village, size in VILLAGES.items():
        ends = []
        names = [f"{village}{i:03d}" for i in range(1, size + 1)]
        join(names[0], names[1])
        for i, name in enumerate(names[2:], 2):
            m = r.choice([1, 1, 2, 3, 4, 5])
            last = None
            for _ in range(m):
                near = [w for e in edges if last in e for w in e if w not in (last, name)] if last and r.random() < 0.6 else []
                target = r.choice(near) if near else r.choice(ends)
                join(name, target)
                last = target
            if people and r.random() < 0.12:
                join(name, r.choice(people))
        people += names
    for k, size in enumerate(HERMITS):
        ends = []
        names = [f"her{k + 1}{chr(97 + i)}" for i in range(size)]
        for i in range(1, size):
            join(names[i], names[r.randrange(i)])
    lines = sorted(edges)
    r.shuffle(lines)
    print("source,target")
    for u, v in lines:
        print(f"{u},{v}")


if __name__ == "__main__":
    main()
