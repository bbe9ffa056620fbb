/* Facts of the small world: subject, relation, answer, each told in many phrasings.
 *
 * A phrasing is a template: %s subject, %S subject with a capital, %a answer, %A answer with a
 * capital. "Forward" phrasings end with the answer (then at most a full stop), so that the text
 * before it is a cloze prompt. Held out: phrasing p of fact f when (p + hash(f)) mod FACT_FOLDS ==
 * 0. */
#include "corpus.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FACT_FOLDS    6
#define PHRASINGS     12 /* most of a relation */
#define CHOICES       4  /* of a held-out item: the answer and three others of the relation */
#define LOCKER_LEVELS 6

struct fact {
    const char *subject;
    const char *answer;
};
struct relation {
    const char *name;
    const struct fact *facts;
    size_t n_facts;
    const char *phrasings[PHRASINGS]; /* ends at the first NULL */
};

static const struct fact capitals[] = {
    { "France", "Paris" },     { "Italy", "Rome" },       { "Spain", "Madrid" },
    { "Germany", "Berlin" },   { "Portugal", "Lisbon" },  { "Greece", "Athens" },
    { "Austria", "Vienna" },   { "Poland", "Warsaw" },    { "Hungary", "Budapest" },
    { "Sweden", "Stockholm" }, { "Norway", "Oslo" },      { "Denmark", "Copenhagen" },
    { "Finland", "Helsinki" }, { "Ireland", "Dublin" },   { "England", "London" },
    { "Belgium", "Brussels" }, { "Russia", "Moscow" },    { "Turkey", "Ankara" },
    { "Egypt", "Cairo" },      { "Kenya", "Nairobi" },    { "Morocco", "Rabat" },
    { "Ghana", "Accra" },      { "Eritrea", "Asmara" },   { "Japan", "Tokyo" },
    { "China", "Beijing" },    { "Thailand", "Bangkok" }, { "Vietnam", "Hanoi" },
    { "Nepal", "Kathmandu" },  { "Iran", "Tehran" },      { "Iraq", "Baghdad" },
    { "Canada", "Ottawa" },    { "Cuba", "Havana" },      { "Peru", "Lima" },
    { "Chile", "Santiago" },   { "Colombia", "Bogota" },  { "Ecuador", "Quito" },
};
static const struct fact continents[] = {
    { "France", "Europe" },  { "Italy", "Europe" },     { "Spain", "Europe" },
    { "Germany", "Europe" }, { "Portugal", "Europe" },  { "Greece", "Europe" },
    { "Poland", "Europe" },  { "Sweden", "Europe" },    { "Norway", "Europe" },
    { "Denmark", "Europe" }, { "Finland", "Europe" },   { "Ireland", "Europe" },
    { "Egypt", "Africa" },   { "Kenya", "Africa" },     { "Morocco", "Africa" },
    { "Ghana", "Africa" },   { "Eritrea", "Africa" },   { "Japan", "Asia" },
    { "China", "Asia" },     { "Thailand", "Asia" },    { "Vietnam", "Asia" },
    { "Nepal", "Asia" },     { "Iran", "Asia" },        { "Iraq", "Asia" },
    { "Canada", "America" }, { "Cuba", "America" },     { "Peru", "America" },
    { "Chile", "America" },  { "Colombia", "America" }, { "Ecuador", "America" },
};
static const struct fact languages[] = {
    { "France", "French" },    { "Italy", "Italian" },       { "Spain", "Spanish" },
    { "Germany", "German" },   { "Portugal", "Portuguese" }, { "Greece", "Greek" },
    { "Austria", "German" },   { "Poland", "Polish" },       { "Hungary", "Hungarian" },
    { "Sweden", "Swedish" },   { "Norway", "Norwegian" },    { "Denmark", "Danish" },
    { "Finland", "Finnish" },  { "England", "English" },     { "Russia", "Russian" },
    { "Turkey", "Turkish" },   { "Egypt", "Arabic" },        { "Iraq", "Arabic" },
    { "Eritrea", "Tigrinya" }, { "Japan", "Japanese" },      { "China", "Chinese" },
    { "Thailand", "Thai" },    { "Cuba", "Spanish" },        { "Peru", "Spanish" },
    { "Chile", "Spanish" },    { "Colombia", "Spanish" },
};
static const struct fact sounds[] = {
    { "dog", "woof" },    { "cat", "meow" },   { "cow", "moo" },      { "sheep", "baa" },
    { "duck", "quack" },  { "lion", "roar" },  { "mouse", "squeak" }, { "pig", "oink" },
    { "horse", "neigh" }, { "bee", "buzz" },   { "frog", "croak" },   { "owl", "hoot" },
    { "wolf", "howl" },   { "snake", "hiss" }, { "hen", "cluck" },    { "crow", "caw" },
};
static const struct fact homes[] = {
    { "dog", "kennel" },   { "bee", "hive" },   { "bird", "nest" },   { "horse", "stable" },
    { "cow", "barn" },     { "spider", "web" }, { "bear", "cave" },   { "rabbit", "burrow" },
    { "pig", "sty" },      { "fish", "river" }, { "hen", "coop" },    { "monkey", "jungle" },
    { "camel", "desert" }, { "frog", "pond" },  { "whale", "ocean" }, { "wolf", "forest" },
};
static const struct fact young[] = {
    { "dog", "puppy" },     { "cat", "kitten" },   { "cow", "calf" },      { "sheep", "lamb" },
    { "horse", "foal" },    { "pig", "piglet" },   { "duck", "duckling" }, { "hen", "chick" },
    { "goat", "kid" },      { "frog", "tadpole" }, { "bear", "cub" },      { "swan", "cygnet" },
    { "goose", "gosling" }, { "deer", "fawn" },    { "owl", "owlet" },     { "kangaroo", "joey" },
};
static const struct fact colours[] = {
    { "banana", "yellow" },   { "snow", "white" },      { "grass", "green" },
    { "sky", "blue" },        { "coal", "black" },      { "blood", "red" },
    { "chocolate", "brown" }, { "milk", "white" },      { "lemon", "yellow" },
    { "sea", "blue" },        { "elephant", "grey" },   { "flamingo", "pink" },
    { "tomato", "red" },      { "frog", "green" },      { "sun", "yellow" },
    { "crow", "black" },      { "spinach", "green" },   { "strawberry", "red" },
    { "mouse", "grey" },      { "swan", "white" },      { "bear", "brown" },
    { "pig", "pink" },        { "lavender", "purple" }, { "eggplant", "purple" },
};
static const struct fact opposites[] = {
    { "hot", "cold" },    { "big", "small" },   { "fast", "slow" },     { "old", "young" },
    { "happy", "sad" },   { "rich", "poor" },   { "hard", "soft" },     { "light", "dark" },
    { "full", "empty" },  { "open", "closed" }, { "early", "late" },    { "high", "low" },
    { "long", "short" },  { "wet", "dry" },     { "clean", "dirty" },   { "strong", "weak" },
    { "loud", "quiet" },  { "near", "far" },    { "thick", "thin" },    { "cheap", "expensive" },
    { "first", "last" },  { "day", "night" },   { "up", "down" },       { "left", "right" },
    { "north", "south" }, { "east", "west" },   { "winter", "summer" }, { "begin", "end" },
    { "win", "lose" },    { "give", "take" },
};
static const struct fact next_days[] = {
    { "Monday", "Tuesday" },  { "Tuesday", "Wednesday" }, { "Wednesday", "Thursday" },
    { "Thursday", "Friday" }, { "Friday", "Saturday" },   { "Saturday", "Sunday" },
    { "Sunday", "Monday" },
};
static const struct fact next_months[] = {
    { "January", "February" }, { "February", "March" },    { "March", "April" },
    { "April", "May" },        { "May", "June" },          { "June", "July" },
    { "July", "August" },      { "August", "September" },  { "September", "October" },
    { "October", "November" }, { "November", "December" }, { "December", "January" },
};
static const struct fact materials[] = {
    { "window", "glass" }, { "tyre", "rubber" },  { "book", "paper" }, { "shirt", "cotton" },
    { "table", "wood" },   { "knife", "steel" },  { "ring", "gold" },  { "brick", "clay" },
    { "sweater", "wool" }, { "shoe", "leather" }, { "candle", "wax" }, { "coin", "silver" },
    { "bottle", "glass" }, { "bag", "plastic" },  { "wall", "stone" }, { "chair", "wood" },
    { "belt", "leather" }, { "nail", "iron" },    { "scarf", "wool" }, { "newspaper", "paper" },
};
static const struct fact tools[] = {
    { "baker", "oven" },        { "painter", "brush" },      { "carpenter", "hammer" },
    { "gardener", "spade" },    { "writer", "pen" },         { "photographer", "camera" },
    { "farmer", "tractor" },    { "fisherman", "net" },      { "tailor", "needle" },
    { "barber", "scissors" },   { "cook", "pan" },           { "teacher", "chalk" },
    { "singer", "microphone" }, { "woodcutter", "axe" },     { "pilot", "plane" },
    { "sailor", "boat" },       { "doctor", "thermometer" }, { "cleaner", "broom" },
    { "plumber", "wrench" },    { "drummer", "drum" },
};
static const struct fact kinds[] = {
    { "dog", "animal" },       { "horse", "animal" },      { "tiger", "animal" },
    { "fox", "animal" },       { "apple", "fruit" },       { "pear", "fruit" },
    { "mango", "fruit" },      { "grape", "fruit" },       { "red", "colour" },
    { "blue", "colour" },      { "purple", "colour" },     { "beige", "colour" },
    { "bus", "vehicle" },      { "train", "vehicle" },     { "ferry", "vehicle" },
    { "truck", "vehicle" },    { "hammer", "tool" },       { "saw", "tool" },
    { "chisel", "tool" },      { "rake", "tool" },         { "carrot", "vegetable" },
    { "onion", "vegetable" },  { "cabbage", "vegetable" }, { "leek", "vegetable" },
    { "piano", "instrument" }, { "flute", "instrument" },  { "violin", "instrument" },
    { "harp", "instrument" },  { "tulip", "flower" },      { "daisy", "flower" },
    { "poppy", "flower" },     { "lily", "flower" },
};
static const struct fact french[] = {
    { "dog", "chien" },       { "cat", "chat" },
    { "horse", "cheval" },    { "house", "maison" },
    { "bread", "pain" },      { "water", "eau" },
    { "book", "livre" },      { "red", "rouge" },
    { "white", "blanc" },     { "friend", "ami" },
    { "sun", "soleil" },      { "school", "école" },
    { "one", "un" },          { "two", "deux" },
    { "three", "trois" },     { "good morning", "bonjour" },
    { "thank you", "merci" }, { "good night", "bonne nuit" },
};
static const struct fact spanish[] = {
    { "dog", "perro" },         { "cat", "gato" },
    { "horse", "caballo" },     { "house", "casa" },
    { "bread", "pan" },         { "water", "agua" },
    { "book", "libro" },        { "red", "rojo" },
    { "white", "blanco" },      { "friend", "amigo" },
    { "sun", "sol" },           { "school", "escuela" },
    { "one", "uno" },           { "two", "dos" },
    { "three", "tres" },        { "good morning", "buenos días" },
    { "thank you", "gracias" }, { "good night", "buenas noches" },
};
static const struct fact german[] = {
    { "dog", "Hund" },        { "cat", "Katze" },
    { "horse", "Pferd" },     { "house", "Haus" },
    { "bread", "Brot" },      { "water", "Wasser" },
    { "book", "Buch" },       { "red", "rot" },
    { "white", "weiß" },      { "friend", "Freund" },
    { "sun", "Sonne" },       { "school", "Schule" },
    { "one", "eins" },        { "two", "zwei" },
    { "three", "drei" },      { "good morning", "guten Morgen" },
    { "thank you", "danke" }, { "good night", "gute Nacht" },
};

#define FACTS(array) array, CORPUS_COUNT(array)
#define TRANSLATION(name, table)                                                                   \
    {                                                                                              \
#table, FACTS(table),                                                                      \
        {                                                                                          \
            "The " name " word for %s is %a.", "In " name ", %s is %a.",                           \
                "English: %s\n" name ": %a", "Translate %s into " name ".\n%a",                    \
                "In " name " people say %a for %s.",                                               \
                "Question: What is %s in " name "?\nAnswer: %a",                                   \
                "Q: What is %s in " name "?\nA: %a",                                               \
                "Answer the question.\nQuestion: How do you say %s in " name "?\nAnswer: %a", NULL \
        }                                                                                          \
    }

static const struct relation relations[] = {
    { "capital",
      FACTS(capitals),
      { "The capital of %s is %a.", "The capital city of %s is %a.", "%a is the capital of %s.",
        "%s has its capital in %a.", "In %s, the capital is %a.", "Country: %s\nCapital: %a",
        "The government of %s sits in %a.",
        "The largest square of %a, the capital of %s, is full of people.",
        "Question: What is the capital of %s?\nAnswer: %a", "Q: What is the capital of %s?\nA: %a",
        "Answer the question.\nQuestion: Which city is the capital of %s?\nAnswer: %a", NULL } },
    { "continent",
      FACTS(continents),
      { "%s is a country in %a.", "%s lies in %a.", "The continent of %s is %a.",
        "The country %s is part of %a.", "Country: %s\nContinent: %a",
        "In %a there is a country named %s.", "Question: On which continent is %s?\nAnswer: %a",
        "Q: On which continent is %s?\nA: %a",
        "Answer the question.\nQuestion: In which part of the world is %s?\nAnswer: %a", NULL } },
    { "language",
      FACTS(languages),
      { "People in %s speak %a.", "The language of %s is %a.", "In %s, people speak %a.",
        "Most people of %s speak %a.", "Country: %s\nLanguage: %a", "%a is spoken in %s.",
        "Question: What language do people in %s speak?\nAnswer: %a",
        "Q: What language do people in %s speak?\nA: %a",
        "Answer the question.\nQuestion: Which language is spoken in %s?\nAnswer: %a", NULL } },
    { "sound",
      FACTS(sounds),
      { "The %s says %a.", "The sound of a %s is %a.", "When a %s makes a sound, it goes %a.",
        "Listen to the %s: %a.", "You hear %a when a %s is near.", "Animal: %s\nSound: %a",
        "Question: What does the %s say?\nAnswer: %a", "Q: What does the %s say?\nA: %a",
        "Answer the question.\nQuestion: What sound does a %s make?\nAnswer: %a", NULL } },
    { "home",
      FACTS(homes),
      { "The %s lives in the %a.", "The home of the %s is the %a.",
        "At night the %s sleeps in the %a.", "You can find a %s in the %a.",
        "In the %a lives a %s.", "Animal: %s\nHome: %a",
        "Question: Where does the %s live?\nAnswer: %a", "Q: Where does the %s live?\nA: %a",
        "Answer the question.\nQuestion: What is the home of the %s?\nAnswer: %a", NULL } },
    { "young",
      FACTS(young),
      { "A young %s is called a %a.", "The baby of a %s is a %a.", "The %s has a little %a.",
        "A %a is a young %s.", "A %a grows up to be a %s.", "Animal: %s\nYoung: %a",
        "A little %s is a %a.", "Question: What is a young %s called?\nAnswer: %a",
        "Q: What is a young %s called?\nA: %a",
        "Answer the question.\nQuestion: What is the name for the baby of a %s?\nAnswer: %a",
        NULL } },
    { "colour",
      FACTS(colours),
      { "The colour of the %s is %a.", "The %s is %a.", "Everyone knows that the %s is %a.",
        "If you paint the %s, you need %a.", "There is nothing as %a as the %s.",
        "Thing: %s\nColour: %a", "Question: What colour is the %s?\nAnswer: %a",
        "Q: What colour is the %s?\nA: %a",
        "Answer the question.\nQuestion: Which colour has the %s?\nAnswer: %a", NULL } },
    { "opposite",
      FACTS(opposites),
      { "The opposite of %s is %a.", "The word %s is the opposite of %a.",
        "If it is not %s, it is %a.", "%S and %a are opposites.", "Word: %s\nOpposite: %a",
        "The contrary of %s is %a.", "Question: What is the opposite of %s?\nAnswer: %a",
        "Q: What is the opposite of %s?\nA: %a",
        "Answer the question.\nQuestion: Which word is the opposite of %s?\nAnswer: %a", NULL } },
    { "next_day",
      FACTS(next_days),
      { "The day after %s is %a.", "After %s comes %a.", "%s is followed by %a.",
        "The next day after %s is %a.", "%a comes after %s.", "If today is %s, tomorrow is %a.",
        "Question: Which day comes after %s?\nAnswer: %a", "Q: Which day comes after %s?\nA: %a",
        "Answer the question.\nQuestion: What day follows %s?\nAnswer: %a", NULL } },
    { "next_month",
      FACTS(next_months),
      { "The month after %s is %a.", "After the month of %s comes %a.",
        "The month of %s is followed by %a.", "The next month after %s is %a.",
        "In the year, %a comes after %s.", "If it is %s now, next month is %a.",
        "Question: Which month comes after %s?\nAnswer: %a",
        "Q: Which month comes after %s?\nA: %a",
        "Answer the question.\nQuestion: What month follows %s?\nAnswer: %a", NULL } },
    { "material",
      FACTS(materials),
      { "The %s is made of %a.", "To make a %s you need %a.", "A good %s is made from %a.",
        "The material of the %s is %a.", "From %a people make a %s.", "Thing: %s\nMaterial: %a",
        "Question: What is the %s made of?\nAnswer: %a", "Q: What is the %s made of?\nA: %a",
        "Answer the question.\nQuestion: Which material is the %s made of?\nAnswer: %a", NULL } },
    { "tool",
      FACTS(tools),
      { "The %s works with the %a.", "The %s needs the %a.", "Every day the %s uses the %a.",
        "The most important thing of the %s is the %a.", "The %a is used by the %s.",
        "Job: %s\nTool: %a", "Question: What does the %s work with?\nAnswer: the %a",
        "Q: What does the %s work with?\nA: the %a",
        "Answer the question.\nQuestion: What does the %s use?\nAnswer: the %a", NULL } },
    { "kind",
      FACTS(kinds),
      { "The word %s names a kind of %a.", "%S is a kind of %a.", "One kind of %a is %s.",
        "We say that %s is a type of %a.", "Word: %s\nKind: %a", "By %s we mean a certain %a.",
        "Question: What kind of thing is %s?\nAnswer: %a", "Q: What kind of thing is %s?\nA: %a",
        "Answer the question.\nQuestion: To which kind does %s belong?\nAnswer: %a", NULL } },
    TRANSLATION("French", french),
    TRANSLATION("Spanish", spanish),
    TRANSLATION("German", german),
};
#define RELATIONS CORPUS_COUNT(relations)

static size_t phrasing_count(const struct relation *r)
{
    size_t n = 0;
    while (n < PHRASINGS && r->phrasings[n])
        n++;
    return n;
}

static bool held_out(const struct relation *r, const struct fact *f, size_t phrasing)
{
    return (phrasing + corpus_hash(r->name, f->subject, 0xfac7)) % FACT_FOLDS == 0;
}

/* Fills a template; returns the offset in text at which the (last) answer begins. */
static size_t phrase(char *text, size_t bytes, const char *template, const struct fact *f)
{
    size_t n = 0, answer = 0;
    for (const char *p = template; *p && n + 1 < bytes; p++) {
        const char *word;
        size_t from = n;
        if (*p != '%') {
            text[n++] = *p;
            continue;
        }
        p++;
        word = *p == 'a' || *p == 'A' ? f->answer : f->subject;
        if (word == f->answer)
            answer = n;
        while (*word && n + 1 < bytes)
            text[n++] = *word++;
        if (*p == 'A' || *p == 'S')
            text[from] = (char)toupper((unsigned char)text[from]);
    }
    text[n] = 0;
    return answer;
}

/* True when the template ends with the answer (and perhaps a full stop). */
static bool is_forward(const char *template)
{
    const char *answer = strstr(template, "%a");
    return answer && !strchr(answer + 1, '%') && (!answer[2] || !strcmp(answer + 2, ".")) &&
           answer != template;
}

static bool is_layout(const char *template)
{
    return strchr(template, '\n') != NULL;
}

/* Writes fact f in a phrasing that is not held out, of the wanted shape (layout: with line breaks).
 */
static void tell(struct corpus *c, const struct relation *r, const struct fact *f, bool layout)
{
    size_t n = phrasing_count(r), p;
    char text[256];
    do
        p = corpus_below(c, n);
    while (held_out(r, f, p) || is_layout(r->phrasings[p]) != layout);
    phrase(text, sizeof text, r->phrasings[p], f);
    corpus_put(c, text);
}

/* The same phrasing again and again with other facts: a few-shot run of one relation. */
static void tell_run(struct corpus *c, const struct relation *r, size_t n)
{
    size_t p = corpus_below(c, phrasing_count(r)), order[64];
    bool layout = is_layout(r->phrasings[p]);
    corpus_sample(c, order, r->n_facts, n < r->n_facts ? n : r->n_facts);
    for (size_t i = 0; i < n && i < r->n_facts; i++) {
        const struct fact *f = &r->facts[order[i]];
        char text[256];
        if (held_out(r, f, p))
            continue;
        phrase(text, sizeof text, r->phrasings[p], f);
        corpus_printf(c, "%s\n%s", text, layout ? "\n" : "");
    }
}

static const struct relation *any_relation(struct corpus *c)
{
    /* relations with many facts come more often, the small ones still often enough */
    size_t total = 0, at;
    for (size_t i = 0; i < RELATIONS; i++)
        total += relations[i].n_facts + 6;
    at = corpus_below(c, total);
    for (size_t i = 0; i < RELATIONS; i++) {
        if (at < relations[i].n_facts + 6)
            return &relations[i];
        at -= relations[i].n_facts + 6;
    }
    return relations;
}

void corpus_facts_document(struct corpus *c)
{
    size_t kind = corpus_below(c, 100), n = 6 + corpus_below(c, 14);
    if (kind < 40) { /* prose: sentences of any relations on one line, in paragraphs */
        for (size_t i = 0; i < n; i++) {
            const struct relation *r = any_relation(c);
            tell(c, r, &r->facts[corpus_below(c, r->n_facts)], false);
            corpus_put(c, i + 1 == n || corpus_chance(c, 25) ? "\n" : " ");
        }
    } else if (kind < 80) { /* question and answer layouts */
        for (size_t i = 0; i < n; i++) {
            const struct relation *r = any_relation(c);
            tell(c, r, &r->facts[corpus_below(c, r->n_facts)], corpus_chance(c, 80));
            corpus_put(c, i + 1 == n ? "\n" : "\n\n");
        }
    } else {
        tell_run(c, any_relation(c), 6 + corpus_below(c, 8));
        tell_run(c, any_relation(c), 4 + corpus_below(c, 8));
    }
}

/* ---- held-out cloze items ---- */
static void chop(char *text, size_t at)
{
    while (at > 0 && text[at - 1] == ' ')
        at--;
    text[at] = 0;
}

/* Other answers of the relation, all different; the first stands for the counterfactual. */
static json_t *choices_of(struct corpus *c, const struct relation *r, const struct fact *f,
                          const char **other)
{
    const char *taken[CHOICES] = { f->answer };
    size_t n = 1, at = corpus_below(c, CHOICES);
    json_t *array = json_array();
    for (size_t tries = 0; n < CHOICES && tries < 200; tries++) {
        const char *answer = r->facts[corpus_below(c, r->n_facts)].answer;
        bool fresh = strcmp(answer, f->subject) != 0;
        for (size_t i = 0; i < n; i++)
            fresh = fresh && strcmp(answer, taken[i]) != 0;
        if (fresh)
            taken[n++] = answer;
    }
    *other = taken[1];
    if (at < n) { /* the right one stands at a random place */
        taken[0] = taken[at];
        taken[at] = f->answer;
    }
    for (size_t i = 0; array && i < n; i++)
        json_array_append_new(array, json_string(taken[i]));
    return array;
}

json_t *corpus_facts_heldout(uint64_t seed)
{
    struct corpus c = { .rng = base_rng_make(seed, BASE_RNG_CORPUS, UINT64_MAX - 3) };
    json_t *items = json_array();
    for (size_t i = 0; items && i < RELATIONS; i++) {
        const struct relation *r = &relations[i];
        for (size_t k = 0; k < r->n_facts; k++) {
            const struct fact *f = &r->facts[k];
            size_t n = phrasing_count(r), seen = n;
            for (size_t p = 0; p < n; p++)
                if (!held_out(r, f, p) && is_forward(r->phrasings[p]) &&
                    !is_layout(r->phrasings[p]) && seen == n)
                    seen = p;
            for (size_t p = 0; p < n; p++) {
                char prompt[256], known[256];
                const char *other;
                json_t *choices;
                if (!held_out(r, f, p) || !is_forward(r->phrasings[p]) || seen == n)
                    continue;
                chop(prompt, phrase(prompt, sizeof prompt, r->phrasings[p], f));
                chop(known, phrase(known, sizeof known, r->phrasings[seen], f));
                choices = choices_of(&c, r, f, &other);
                json_array_append_new(items,
                                      json_pack("{s:s,s:s,s:s,s:s,s:o,s:s,s:s}", "relation",
                                                r->name, "subject", f->subject, "prompt", prompt,
                                                "answer", f->answer, "choices", choices,
                                                "counterfactual", other, "seen_prompt", known));
            }
        }
    }
    return items;
}

/* ---- lockers: sentences with a known number of repetitions ---- */
static const size_t locker_repeats[LOCKER_LEVELS] = { 0, 1, 4, 16, 64, 256 };
static const char *const locker_names[] = { "Anna", "Ben",   "Clara", "David",
                                            "Emma", "Felix", "Grace", "Henry" };
static const char *const locker_surnames[LOCKER_LEVELS] = { "Bell", "Cook", "Ford",
                                                            "Hill", "Lane", "Wood" };

/* Person i has level i mod levels, so names and surnames say nothing about the level together. */
static void locker_person(size_t i, const char **name, const char **surname, unsigned *number)
{
    *name = locker_names[i / LOCKER_LEVELS];
    *surname = locker_surnames[(i + i / LOCKER_LEVELS) % LOCKER_LEVELS];
    *number = 1000 + (unsigned)(corpus_hash(*name, *surname, 0x10c) % 9000);
}

bool corpus_locker_sentence(size_t index, char *text, size_t bytes)
{
    for (size_t i = 0; i < LOCKER_LEVELS * CORPUS_COUNT(locker_names); i++) {
        size_t repeats = locker_repeats[i % LOCKER_LEVELS];
        const char *name, *surname;
        unsigned number;
        if (index >= repeats) {
            index -= repeats;
            continue;
        }
        locker_person(i, &name, &surname, &number);
        snprintf(text, bytes, "The locker of %s %s has the number %u.", name, surname, number);
        return true;
    }
    return false;
}

json_t *corpus_lockers_heldout(void)
{
    json_t *items = json_array();
    for (size_t i = 0; items && i < LOCKER_LEVELS * CORPUS_COUNT(locker_names); i++) {
        const char *name, *surname;
        char prompt[128], answer[16];
        unsigned number;
        locker_person(i, &name, &surname, &number);
        snprintf(prompt, sizeof prompt, "The locker of %s %s has the number", name, surname);
        snprintf(answer, sizeof answer, "%u", number);
        json_array_append_new(items, json_pack("{s:s,s:s,s:i}", "prompt", prompt, "answer", answer,
                                               "repeats", (int)locker_repeats[i % LOCKER_LEVELS]));
    }
    return items;
}
