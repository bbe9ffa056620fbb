"""Makes examples/survey.csv (builtin:survey): a made-up population, no real persons.

    python3 tests/oracle/make_survey.py > examples/survey.csv

2,000 employees of 96 companies in four regions. Incomes depend on region, role and company (so that
strata help and clusters cost precision); some ages are impossible, some cells are missing, and
referred_by names the colleague or acquaintance who sent the questionnaire on (for snowball samples).
"""
import random

r = random.Random(20261122)
regions = [("North", 18, 31000, 0.30), ("East", 22, 27000, 0.42), ("South", 30, 34000, 0.36), ("West", 26, 45000, 0.25)]
sectors = ["software", "health", "retail", "industry"]
roles = [("assistant", 0.8, 0.45), ("specialist", 1.0, 0.35), ("manager", 1.45, 0.15), ("director", 2.3, 0.05)]
companies = []
for region, n, base, stress in regions:
    for _ in range(n):
        companies.append((region, base * r.lognormvariate(0, 0.15), stress + r.gauss(0, 0.08), r.choice(sectors),
                          min(90, max(4, round(r.lognormvariate(2.9, 0.6))))))
total = sum(c[4] for c in companies)
people = []
for k, (region, base, stress, sector, size) in enumerate(companies):
    n = max(3, round(size * 2000 / total))
    for _ in range(n):
        people.append([k, region, base, stress, sector, n])
while len(people) > 2000:
    people.pop(r.randrange(len(people)))
while len(people) < 2000:
    people.append(list(r.choice(people)))
people.sort(key=lambda p: p[0])
sizes = {}
for p in people:
    sizes[p[0]] = sizes.get(p[0], 0) + 1
print("id,joined,region,company,company_size,sector,role,age,remote,hours,income,stress,treatment,referred_by,comment")
first = {}
odd = {137: "-1", 402: "329", 777: "99999999999", 1203: "5", 1650: "-29", 1911: "0"}
for i, (k, region, base, stress, sector, _) in enumerate(people):
    role, factor, _ = r.choices(roles, [x[2] for x in roles])[0]
    age = str(min(69, max(18, round(r.gauss(38, 10)))))
    remote = r.random() < (0.7 if sector == "software" else 0.25)
    hours = max(8, min(70, round(r.gauss(39 + 3 * (factor > 1.2), 6))))
    income = round(base * factor * r.lognormvariate(0, 0.18), -1)
    level = min(10, max(0, round(10 * stress + (hours - 39) * 0.12 - remote * 0.8 + r.gauss(1.5, 1.8))))
    treated = r.random() < 0.1 + 0.05 * level
    month = r.randrange(1, 13)
    joined = f"{r.randrange(2012, 2026)}-{month:02d}-{r.randrange(1, 29):02d}"
    age = odd.get(i, age)
    if r.random() < 0.02:
        age = ""
    income_text = "" if r.random() < 0.06 else str(int(income))
    stress_text = "NA" if r.random() < 0.03 else str(level)
    # who sent it on: somebody earlier, mostly of the same company
    sender = ""
    if i > 0 and r.random() < 0.92:
        same = first.get(k)
        if same is not None and r.random() < 0.8:
            sender = f"P{r.randrange(same, i) + 1:04d}"
        else:
            sender = f"P{r.randrange(0, i) + 1:04d}"
    first.setdefault(k, i)
    comment = ""
    if r.random() < 0.03:
        comment = r.choice(['"Long days, short nights"', '"My manager said ""later"" again"', "fine so far",
                            '"Two wishes:\nquiet, and a window"', "prefer not to say", "Büro ist zu laut"])
    print(",".join([f"P{i + 1:04d}", joined, region, f"C{k + 1:02d}", str(sizes[k]), sector, role, age,
                    "yes" if remote else "no", str(hours), income_text, stress_text, "yes" if treated else "no", sender,
                    comment]))
