"""Makes examples/stories.txt (builtin:stories): 450 short documents, a line each, invented from six
subjects, no real persons. Words of one subject keep company, so their vectors become neighbours; a
few words (bell, water, glass) belong to two subjects.

    python3 tests/oracle/make_stories.py > examples/stories.txt
"""
import random

SUBJECTS = {
    "harbour": dict(
        who="sailor captain fisherman pilot diver keeper".split(),
        what="boat net anchor sail rope lantern oar crate".split(),
        where="harbour river pier island lighthouse beach".split(),
        do="moored repaired painted launched lowered followed".split(),
        how="before the tide|in the fog|against the wind|over the cold water|at low tide|when the bell rang".split("|"),
        extra="gulls waves salt seaweed storm tide wind fog water bell".split()),
    "kitchen": dict(
        who="cook baker grandmother waiter apprentice guest".split(),
        what="bread soup kettle pan cake spoon dough plate".split(),
        where="kitchen oven table pantry stove cellar".split(),
        do="stirred baked tasted boiled sliced served".split(),
        how="with butter and salt|over a low flame|until it was brown|for the guests|with hot water|in a clean glass".split("|"),
        extra="flour sugar pepper onions butter honey steam salt water glass".split()),
    "garden": dict(
        who="gardener neighbour beekeeper child painter aunt".split(),
        what="rose ladder basket hedge seed apple shovel tulip".split(),
        where="garden orchard greenhouse meadow fence pond".split(),
        do="planted watered trimmed picked gathered dug".split(),
        how="in the warm spring|after the rain|near the old wall|before the frost|with fresh water|behind the glass".split("|"),
        extra="bees roots leaves petals soil frost rain blossom water glass".split()),
    "school": dict(
        who="teacher pupil librarian student professor caretaker".split(),
        what="book chalk lesson map pencil poem question desk".split(),
        where="school classroom library corridor blackboard hall".split(),
        do="read explained copied answered borrowed learned".split(),
        how="before the test|for the whole class|without a mistake|in a loud voice|when the bell rang|page by page".split("|"),
        extra="homework pages ink letters numbers grammar history answers bell".split()),
    "market": dict(
        who="merchant tailor jeweller farmer buyer clerk".split(),
        what="price coin cloth ring scale bargain purse stall".split(),
        where="market shop square bank counter warehouse".split(),
        do="sold weighed counted bought paid measured".split(),
        how="for a fair price|in small change|before noon|with great care|behind thick glass|on credit".split("|"),
        extra="silver copper silk customers profit debt trade change glass".split()),
    "railway": dict(
        who="driver conductor traveller porter signalman engineer".split(),
        what="train ticket suitcase engine signal carriage timetable whistle".split(),
        where="station platform tunnel bridge crossing depot".split(),
        do="stopped boarded checked loaded missed inspected".split(),
        how="on the morning line|through the long tunnel|an hour late|at full steam|under the clock|when the bell rang".split("|"),
        extra="rails smoke steam delays tracks wagons signals coal bell".split()),
}
OPENERS = ["That morning", "Later", "On Tuesday", "All week", "In the evening", "Once more", "Quietly", "Soon"]


def sentence(r, s):
    who, other = r.sample(s["who"], 2)
    what, second = r.sample(s["what"], 2)
    a, b = r.sample(s["extra"], 2)
    return r.choice([
        f"The {who} {r.choice(s['do'])} the {what} {r.choice(s['how'])}.",
        f"{r.choice(OPENERS)} the {who} {r.choice(s['do'])} a {what} near the {r.choice(s['where'])}.",
        f"At the {r.choice(s['where'])} the {other} asked about the {what} and the {second}.",
        f"There were {a} and {b} by the {r.choice(s['where'])}, and the {who} {r.choice(s['do'])} the {what}.",
        f"The {who} and the {other} spoke of {a}, of {b} and of the {what}.",
        f"Nobody at the {r.choice(s['where'])} had seen the {what} that the {who} {r.choice(s['do'])}.",
    ])


def main():
    r = random.Random(448)
    names = list(SUBJECTS)
    for i in range(450):
        first = names[i % len(names)]
        # one document in nine wanders into a second subject
        second = r.choice(names) if i % 9 == 8 else first
        n = r.randint(4, 8)
        parts = [sentence(r, SUBJECTS[first if k < (n + 1) // 2 else second]) for k in range(n)]
        print(" ".join(parts))


main()
