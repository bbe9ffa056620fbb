"""Writes examples/recipes.csv: 2,000 made-up recipes of six cuisines, one of them rare.

    python3 tests/oracle/make_recipes.py >examples/recipes.csv

Every cuisine likes some ingredients; all share a larder, borrow from each other, and some recipes
are nearly plain, so that no classifier is perfect. The random numbers are a small generator written
out here: the same file from any Python."""

SHARES = [("italian", 700), ("mexican", 500), ("thai", 330), ("greek", 230), ("french", 140), ("indian", 100)]
LARDER = "salt,black pepper,olive oil,butter,onions,garlic,water,sugar,eggs,flour,milk,chicken breasts,rice,potatoes,carrots,tomatoes,lemon juice,vegetable oil,parsley,chicken broth".split(",")
LIKES = {
    "italian": "basil,parmesan cheese,mozzarella cheese,spaghetti,oregano,balsamic vinegar,ricotta,prosciutto,pine nuts,dried oregano,tomato paste,rosemary,arborio rice,fennel seeds,capers".split(","),
    "mexican": "tortillas,cilantro,lime juice,jalapeno peppers,cumin,black beans,avocado,chili powder,salsa,corn kernels,sour cream,cheddar cheese,chipotle peppers,red onion,ground beef".split(","),
    "thai": "fish sauce,coconut milk,lemongrass,thai basil,red curry paste,lime juice,cilantro,ginger,rice noodles,peanuts,brown sugar,green onions,chili flakes,shrimp,galangal".split(","),
    "greek": "feta cheese,dill,greek yogurt,cucumber,kalamata olives,lemon zest,dried oregano,mint,phyllo dough,ground lamb,eggplant,red wine vinegar,chickpeas,spinach,red onion".split(","),
    "french": "heavy cream,dry white wine,shallots,thyme,dijon mustard,gruyere cheese,bay leaf,leeks,tarragon,creme fraiche,cognac,puff pastry,egg yolks,mushrooms,nutmeg".split(","),
    "indian": "garam masala,turmeric,cumin,coriander,ginger,basmati rice,ghee,cardamom,chickpeas,yogurt,cilantro,mustard seeds,red lentils,coconut milk,chili powder".split(","),
}
MINUTES = {"italian": 40, "mexican": 35, "thai": 30, "greek": 45, "french": 70, "indian": 60}
COURSES = ["main", "main", "main", "side", "soup", "dessert"]

state = 20240601


def below(n):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) * n >> 31


def pick(items, n):
    items = list(items)
    out = []
    for _ in range(min(n, len(items))):
        out.append(items.pop(below(len(items))))
    return out


rows = [name for name, n in SHARES for _ in range(n)]
for i in range(len(rows) - 1, 0, -1):
    j = below(i + 1)
    rows[i], rows[j] = rows[j], rows[i]
print("id,cuisine,course,minutes,ingredients")
for number, cuisine in enumerate(rows, 1):
    own = pick(LIKES[cuisine], 1 + below(4))
    other = [c for c in LIKES if c != cuisine][below(5)]
    borrowed = pick(LIKES[other], below(2))
    plain = pick(LARDER, 2 + below(5))
    used = []
    for item in own + borrowed + plain:
        if item not in used:
            used.append(item)
    used = pick(used, len(used))
    minutes = MINUTES[cuisine] // 2 + below(MINUTES[cuisine]) + 5 * below(4)
    print('%d,%s,%s,%d,"%s"' % (number, cuisine, COURSES[below(6)], minutes, ", ".join(used)))
