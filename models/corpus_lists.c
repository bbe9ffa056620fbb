/* Word lists and how many words of a category they hold; small sums.
 *
 * The categories are clean: no word belongs to two of them (no orange, lime, rose, organ, date,
 * plum as a colour, ...), so the count is never in doubt. No word comes twice in a list. The count
 * asked for is drawn first (uniform over 0..length), then the list: counts are as flat as they can
 * be.
 *
 *   List: apple dog pear car            direct: the form that is tested
 *   How many fruits? 2
 *   How many animals? 1
 *
 *   List: apple dog pear car            step by step: the words are copied out, then counted
 *   fruits: apple pear = 2
 *
 *   List: apple dog pear car            said again: looking back at the list, which counting needs,
 *   Again: apple dog pear car           is learned here first */
#include "corpus.h"
#include "base/hash.h"
#include <stdio.h>
#include <string.h>

#define LIST_MAX     8  /* words in the longest list */
#define WORDS        16 /* words of a category */
#define LIST_FOLDS   16 /* one list in so many is held out */
#define SUM_MAX      20 /* largest summand */
#define SUM_FOLDS    8
#define LISTS_TESTED 400
#define PAIRS_TESTED 200

struct category {
    const char *name; /* plural, as questions use it */
    const char *words[WORDS];
};
static const struct category categories[] = {
    { "animals",
      { "dog", "cat", "cow", "horse", "sheep", "pig", "goat", "lion", "tiger", "bear", "wolf",
        "fox", "mouse", "rabbit", "camel", "donkey" } },
    { "fruits",
      { "apple", "pear", "banana", "grape", "cherry", "lemon", "melon", "mango", "fig", "apricot",
        "strawberry", "raspberry", "blueberry", "pineapple", "papaya", "coconut" } },
    { "colours",
      { "red", "blue", "green", "yellow", "black", "white", "brown", "pink", "purple", "grey",
        "beige", "maroon", "magenta", "turquoise", "crimson", "scarlet" } },
    { "vehicles",
      { "car", "bus", "train", "truck", "bicycle", "boat", "ship", "plane", "tram", "taxi", "van",
        "scooter", "tractor", "helicopter", "ferry", "ambulance" } },
    { "tools",
      { "hammer", "saw", "drill", "spade", "axe", "wrench", "chisel", "rake", "shovel",
        "screwdriver", "pliers", "hoe", "crowbar", "trowel", "mallet", "sickle" } },
    { "clothes",
      { "shirt", "coat", "hat", "sock", "shoe", "scarf", "glove", "skirt", "jacket", "sweater",
        "dress", "trousers", "belt", "cap", "boot", "vest" } },
    { "furniture",
      { "table", "chair", "bed", "sofa", "desk", "shelf", "wardrobe", "stool", "bench", "cupboard",
        "armchair", "cabinet", "bookcase", "couch", "cradle", "sideboard" } },
    { "vegetables",
      { "carrot", "potato", "onion", "cabbage", "spinach", "leek", "beetroot", "radish", "turnip",
        "celery", "lettuce", "broccoli", "garlic", "cauliflower", "asparagus", "parsnip" } },
    { "instruments",
      { "piano", "violin", "guitar", "flute", "drum", "trumpet", "harp", "cello", "clarinet",
        "banjo", "trombone", "accordion", "saxophone", "oboe", "tuba", "bassoon" } },
    { "flowers",
      { "tulip", "daisy", "lily", "orchid", "sunflower", "daffodil", "poppy", "dandelion",
        "carnation", "jasmine", "lotus", "marigold", "geranium", "petunia", "peony", "dahlia" } },
};
#define CATEGORIES CORPUS_COUNT(categories)

struct list {
    size_t length;
    size_t word[LIST_MAX]; /* category * WORDS + index */
    size_t present[4];     /* categories it was drawn from; the first is the one asked for */
    size_t n_present;
};

static const char *word_text(size_t word)
{
    return categories[word / WORDS].words[word % WORDS];
}

static size_t list_count(const struct list *l, size_t category)
{
    size_t n = 0;
    for (size_t i = 0; i < l->length; i++)
        n += l->word[i] / WORDS == category;
    return n;
}

static bool list_held_out(const struct list *l)
{
    uint64_t h = 0x1157;
    for (size_t i = 0; i < l->length; i++)
        h = corpus_hash(word_text(l->word[i]), "", h);
    return h % LIST_FOLDS == 0;
}

static bool list_has(const struct list *l, size_t n, size_t word)
{
    for (size_t i = 0; i < n; i++)
        if (l->word[i] == word)
            return true;
    return false;
}

/* A list of `length` words, `count` of them of category present[0], the others of the others. */
static void list_fill(struct corpus *c, struct list *l, size_t length, size_t count)
{
    size_t order[CATEGORIES], place[LIST_MAX];
    l->length = length;
    l->n_present = 2 + corpus_below(c, 3);
    corpus_sample(c, order, CATEGORIES, l->n_present);
    memcpy(l->present, order, l->n_present * sizeof *order);
    corpus_sample(c, place, length, length);
    for (size_t i = 0; i < length; i++)
        l->word[i] = SIZE_MAX;
    for (size_t i = 0; i < length; i++) {
        size_t category = l->present[i < count ? 0 : 1 + corpus_below(c, l->n_present - 1)], word;
        do
            word = category * WORDS + corpus_below(c, WORDS);
        while (list_has(l, length, word));
        l->word[place[i]] = word;
    }
}

/* A list from the wanted side of the split. */
static void list_make(struct corpus *c, struct list *l, bool held_out)
{
    do {
        size_t length = 1 + corpus_below(c, LIST_MAX);
        list_fill(c, l, length, corpus_below(c, length + 1));
    } while (list_held_out(l) != held_out);
}

static void list_line(struct corpus *c, const char *name, const struct list *l)
{
    corpus_printf(c, "%s:", name);
    for (size_t i = 0; i < l->length; i++)
        corpus_printf(c, " %s", word_text(l->word[i]));
    corpus_put(c, "\n");
}

/* The categories to ask about, in random order: the one the list was made for, the others it holds,
 * and now and then one it does not hold (more would make 0 the answer to most questions). */
static size_t list_questions(struct corpus *c, const struct list *l, size_t ask[6])
{
    size_t n = 1, extra = corpus_below(c, CATEGORIES), order[6], all[6] = { l->present[0] };
    for (size_t i = 1; i < l->n_present; i++)
        if (list_count(l, l->present[i]) > 0)
            all[n++] = l->present[i];
    if (corpus_chance(c, 25) && extra != l->present[0] && list_count(l, extra) == 0)
        all[n++] = extra;
    corpus_sample(c, order, n, n);
    for (size_t i = 0; i < n; i++)
        ask[i] = all[order[i]];
    return n;
}

static void list_copy(struct corpus *c, const struct list *l, size_t category)
{
    corpus_printf(c, "%s:", categories[category].name);
    for (size_t i = 0; i < l->length; i++)
        if (l->word[i] / WORDS == category)
            corpus_printf(c, " %s", word_text(l->word[i]));
    corpus_printf(c, " = %zu\n", list_count(l, category));
}

/* Words with their categories, and categories with words of theirs: what belongs where, said
 * densely. */
static void kinds_document(struct corpus *c)
{
    size_t lines = 2 + corpus_below(c, 3), order[WORDS];
    for (size_t i = 0; i < lines; i++)
        if (corpus_chance(c, 60)) {
            size_t n = 4 + corpus_below(c, 5);
            corpus_put(c, "Kinds:");
            for (size_t k = 0; k < n; k++) {
                size_t word = corpus_below(c, CATEGORIES * WORDS);
                corpus_printf(c, " %s %s%s", word_text(word), categories[word / WORDS].name,
                              k + 1 < n ? "," : "\n");
            }
        } else {
            size_t category = corpus_below(c, CATEGORIES), n = 4 + corpus_below(c, 6);
            corpus_sample(c, order, WORDS, n);
            corpus_printf(c, "Some %s:", categories[category].name);
            for (size_t k = 0; k < n; k++)
                corpus_printf(c, " %s", categories[category].words[order[k]]);
            corpus_put(c, "\n");
        }
}

/* One list with its questions. layout: 0 direct, 1 step by step, 2 instruction, 3 cloze. */
static void list_block(struct corpus *c, size_t layout)
{
    struct list l;
    size_t ask[6], n;
    list_make(c, &l, false);
    n = list_questions(c, &l, ask);
    if (layout == 2)
        corpus_printf(c, "Count the words of the list that are %s.\n", categories[ask[0]].name);
    list_line(c, "List", &l);
    if (layout < 2 && corpus_chance(c, 35))
        list_line(c, "Again", &l);
    if (layout == 2)
        corpus_printf(c, "Answer: %zu\n", list_count(&l, ask[0]));
    for (size_t q = 0; layout != 2 && q < n; q++)
        if (layout == 1 && corpus_chance(c, 65))
            list_copy(c, &l, ask[q]);
        else if (layout == 3)
            corpus_printf(c, "The number of %s in the list is %zu.\n", categories[ask[q]].name,
                          list_count(&l, ask[q]));
        else
            corpus_printf(c, "How many %s? %zu\n", categories[ask[q]].name, list_count(&l, ask[q]));
}

/* Most documents hold one list: attention then has nothing else to look at, and counting is learned
 * much sooner; the longer ones teach to keep lists apart, which few-shot prompts need. */
void corpus_lists_document(struct corpus *c)
{
    size_t kind = corpus_below(c, 100), layout = corpus_below(c, 100);
    size_t lists = kind < 86 ? 1 : 3 + corpus_below(c, 4);
    layout = layout < 50 ? 0 : layout < 84 ? 1 : layout < 92 ? 2 : 3;
    if (kind >= 91) {
        kinds_document(c);
        return;
    }
    for (size_t i = 0; i < lists; i++) {
        if (i > 0)
            corpus_put(c, "\n");
        list_block(c, layout);
    }
}

/* The list's words as an array of strings. */
static json_t *list_json(const struct list *l)
{
    json_t *words = json_array();
    for (size_t i = 0; words && i < l->length; i++)
        json_array_append_new(words, json_string(word_text(l->word[i])));
    return words;
}

/* "List: ...\nHow many ...?" as a new JSON string. */
static json_t *list_prompt(const struct list *l, size_t category)
{
    char text[256];
    size_t n = (size_t)snprintf(text, sizeof text, "List:");
    for (size_t i = 0; i < l->length; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s", word_text(l->word[i]));
    snprintf(text + n, sizeof text - n, "\nHow many %s?", categories[category].name);
    return json_string(text);
}

json_t *corpus_lists_heldout(uint64_t seed)
{
    struct corpus c = { .rng = base_rng_make(seed, BASE_RNG_CORPUS, UINT64_MAX - 1) };
    json_t *items = json_array();
    for (size_t i = 0; items && i < LISTS_TESTED; i++) {
        struct list l;
        char answer[8];
        size_t count;
        /* lengths take turns, so that the table by length is balanced */
        do {
            size_t length = 1 + i % LIST_MAX;
            list_fill(&c, &l, length, corpus_below(&c, length + 1));
        } while (!list_held_out(&l));
        count = list_count(&l, l.present[0]);
        snprintf(answer, sizeof answer, "%zu", count);
        json_array_append_new(items,
                              json_pack("{s:o,s:s,s:i,s:o,s:s}", "words", list_json(&l), "category",
                                        categories[l.present[0]].name, "count", (int)count,
                                        "prompt", list_prompt(&l, l.present[0]), "answer", answer));
    }
    return items;
}

/* Pairs of lists that differ in one word, which leaves or enters the category: both held out. */
json_t *corpus_list_pairs_heldout(uint64_t seed)
{
    struct corpus c = { .rng = base_rng_make(seed, BASE_RNG_CORPUS, UINT64_MAX - 2) };
    json_t *items = json_array();
    for (size_t i = 0; items && i < PAIRS_TESTED; i++) {
        struct list l, other;
        size_t at, category, word;
        bool found = false;
        while (!found) {
            size_t length = 2 + i % (LIST_MAX - 1);
            do
                list_fill(&c, &l, length, corpus_below(&c, length + 1));
            while (!list_held_out(&l));
            category = l.present[0];
            for (size_t tries = 0; tries < 64 && !found; tries++) {
                other = l;
                at = corpus_below(&c, length);
                word = l.word[at] / WORDS == category ? l.present[1] : category;
                word = word * WORDS + corpus_below(&c, WORDS);
                if (list_has(&l, length, word))
                    continue;
                other.word[at] = word;
                found = list_held_out(&other);
            }
        }
        json_array_append_new(
            items,
            json_pack("{s:s,s:i,s:o,s:o,s:i,s:i,s:o,s:o}", "category", categories[category].name,
                      "position", (int)at, "words", list_json(&l), "words_changed",
                      list_json(&other), "count", (int)list_count(&l, category), "count_changed",
                      (int)list_count(&other, category), "prompt", list_prompt(&l, category),
                      "prompt_changed", list_prompt(&other, category)));
    }
    return items;
}

/* ---- sums ---- */
static bool sum_held_out(size_t a, size_t b)
{
    char left[8], right[8];
    snprintf(left, sizeof left, "%zu", a);
    snprintf(right, sizeof right, "%zu", b);
    return corpus_hash(left, right, 0x50) % SUM_FOLDS == 0;
}

void corpus_sums_document(struct corpus *c)
{
    size_t layout = corpus_below(c, 3), n = 8 + corpus_below(c, 12);
    for (size_t i = 0; i < n; i++) {
        size_t a, b;
        do {
            a = corpus_below(c, SUM_MAX + 1);
            b = corpus_below(c, SUM_MAX + 1);
        } while (sum_held_out(a, b));
        if (layout < 2)
            corpus_printf(c, "%zu + %zu = %zu\n", a, b, a + b);
        else
            corpus_printf(c, "%sQuestion: What is %zu plus %zu?\nAnswer: %zu\n", i ? "\n" : "", a,
                          b, a + b);
    }
}

json_t *corpus_sums_heldout(uint64_t seed)
{
    json_t *items = json_array();
    (void)seed; /* all held-out sums, no draw */
    for (size_t a = 0; items && a <= SUM_MAX; a++)
        for (size_t b = 0; b <= SUM_MAX; b++) {
            char prompt[32], answer[8];
            if (!sum_held_out(a, b))
                continue;
            snprintf(prompt, sizeof prompt, "%zu + %zu =", a, b);
            snprintf(answer, sizeof answer, "%zu", a + b);
            json_array_append_new(items,
                                  json_pack("{s:s,s:s}", "prompt", prompt, "answer", answer));
        }
    return items;
}
