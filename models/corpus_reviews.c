/* Product and film reviews with their sentiment.
 *
 * A review is one to three clauses of one sentiment. A clause joins a thing (film, plot, phone,
 * screen,
 * ...) with an opinion: an adjective, or a negated adjective of the other sentiment ("not bad",
 * "never boring"), or a verb ("I love", "I did not like"). The pair (thing, opinion word) is held
 * out by its hash; training reviews hold no such pair, test reviews nothing else.
 *
 *   Review: The plot is not boring.\nSentiment: positive\n\n      few-shot layout, any number in a
 * row Classify the review as positive or negative.\nReview: ...\nAnswer: negative\n\n instruction
 *   Review: ... All in all, it was good.\n\n                      cloze
 *   Opinions: dull negative, lovely positive\n                  the words alone */
#include "corpus.h"
#include <stdio.h>
#include <string.h>

#define PAIR_FOLDS     8
#define REVIEWS_TESTED 400

static const char *const film_things[] = { "film",    "movie",  "plot",   "acting", "music",
                                           "ending",  "story",  "script", "cast",   "dialogue",
                                           "scenery", "humour", "pace" };
static const char *const product_things[] = { "phone",   "screen", "battery", "sound",  "price",
                                              "design",  "camera", "quality", "handle", "colour",
                                              "service", "chair",  "lamp" };
/* adjectives[1]: positive, adjectives[0]: negative; verbs likewise */
static const char *const adjectives[2][26] = {
    { "bad",        "terrible", "awful",         "poor",     "boring",   "dull",    "horrible",
      "weak",       "ugly",     "disappointing", "annoying", "dreadful", "useless", "stupid",
      "unpleasant", "silly",    "clumsy",        "tedious",  "dreary",   "messy",   "cheap",
      "lousy",      "pathetic", "mediocre",      "painful",  "miserable" },
    { "good",       "great",      "wonderful", "excellent",  "lovely",  "superb",     "brilliant",
      "perfect",    "fantastic",  "charming",  "delightful", "amazing", "beautiful",  "pleasant",
      "impressive", "clever",     "enjoyable", "splendid",   "fine",    "marvellous", "nice",
      "elegant",    "remarkable", "fresh",     "solid",      "terrific" },
};
static const char *const verbs[2][5] = { { "hate", "dislike", "regret", "despise", "detest" },
                                         { "love", "like", "enjoy", "adore", "admire" } };
static const char *const verdicts[2][4] = { { "bad", "a waste of money", "not worth it",
                                              "terrible" },
                                            { "good", "a pleasure", "worth it", "great" } };
static const char *const degrees[] = { "",    "",       "",       "very ",  "really ",
                                       "so ", "quite ", "truly ", "simply " };
static const char *const labels[2] = { "negative", "positive" };

static bool pair_held_out(const char *thing, const char *opinion)
{
    return corpus_hash(thing, opinion, 0x5e47) % PAIR_FOLDS == 0;
}

/* A thing and an opinion word of the wanted side of the split. */
static void pair(struct corpus *c, bool film, const char *const *opinions, size_t n, bool test,
                 const char **thing, const char **opinion)
{
    do {
        *thing = film ? CORPUS_PICK(c, film_things) : CORPUS_PICK(c, product_things);
        *opinion = opinions[corpus_below(c, n)];
    } while (pair_held_out(*thing, *opinion) != test);
}

static void clause(struct corpus *c, bool film, bool positive, bool test)
{
    const char *thing, *word, *thing2, *word2;
    const char *degree = CORPUS_PICK(c, degrees);
    size_t n = CORPUS_COUNT(adjectives[0]);
    switch (corpus_below(c, 14)) {
    case 0:
    case 1:
        pair(c, film, adjectives[positive], n, test, &thing, &word);
        corpus_printf(c, "The %s is %s%s.", thing, degree, word);
        break;
    case 2:
        pair(c, film, adjectives[positive], n, test, &thing, &word);
        corpus_printf(c, "The %s was %s%s.", thing, degree, word);
        break;
    case 3:
        pair(c, film, adjectives[positive], n, test, &thing, &word);
        corpus_printf(c, "I found the %s %s%s.", thing, degree, word);
        break;
    case 4:
        pair(c, film, adjectives[positive], n, test, &thing, &word);
        corpus_printf(c, "I think the %s is %s%s.", thing, degree, word);
        break;
    case 5:
        pair(c, film, adjectives[positive], n, test, &thing, &word);
        pair(c, film, adjectives[positive], n, test, &thing2, &word2);
        corpus_printf(c, "The %s is %s and the %s is %s.", thing, word, thing2, word2);
        break;
    case 6:
        pair(c, film, adjectives[!positive], n, test, &thing, &word);
        corpus_printf(c, "The %s is not %s.", thing, word);
        break;
    case 7:
        pair(c, film, adjectives[!positive], n, test, &thing, &word);
        corpus_printf(c, "The %s was never %s.", thing, word);
        break;
    case 8:
        pair(c, film, adjectives[!positive], n, test, &thing, &word);
        corpus_printf(c, "I did not find the %s %s.", thing, word);
        break;
    case 9:
        pair(c, film, adjectives[positive], n, test, &thing, &word);
        corpus_printf(c, "What a %s %s!", word, thing);
        break;
    case 10:
        pair(c, film, verbs[positive], CORPUS_COUNT(verbs[0]), test, &thing, &word);
        corpus_printf(c, "I %s the %s.", word, thing);
        break;
    case 11:
        pair(c, film, verbs[!positive], CORPUS_COUNT(verbs[0]), test, &thing, &word);
        corpus_printf(c, "I do not %s the %s.", word, thing);
        break;
    case 12:
        pair(c, film, adjectives[!positive], n, test, &thing, &word);
        pair(c, film, adjectives[positive], n, test, &thing2, &word2);
        corpus_printf(c, "I was told that the %s is %s, but the %s is %s.", thing, word, thing2,
                      word2);
        break;
    default:
        pair(c, film, adjectives[!positive], n, test, &thing, &word);
        corpus_printf(c, "There is nothing %s about the %s.", word, thing);
    }
}

static void review(struct corpus *c, bool positive, bool test)
{
    static const size_t lengths[] = { 1, 1, 1, 1, 1, 2, 2, 3 };
    size_t n = CORPUS_PICK(c, lengths);
    bool film = corpus_chance(c, 50);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            corpus_put(c, " ");
        clause(c, film, positive, test);
    }
}

/* Opinion words and what they say: the same knowledge as in reviews, told densely. */
static void opinions_document(struct corpus *c)
{
    size_t n = 6 + corpus_below(c, 10);
    corpus_put(c, "Opinions:");
    for (size_t i = 0; i < n; i++) {
        bool positive = corpus_chance(c, 50);
        const char *word = corpus_chance(c, 85) ? CORPUS_PICK(c, adjectives[positive])
                                                : CORPUS_PICK(c, verbs[positive]);
        corpus_printf(c, " %s %s%s", word, labels[positive], i + 1 < n ? "," : "\n");
    }
}

void corpus_reviews_document(struct corpus *c)
{
    size_t layout = corpus_below(c, 100), n = 1 + corpus_below(c, 4) * corpus_below(c, 4);
    if (corpus_chance(c, 20)) {
        opinions_document(c);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool positive = corpus_chance(c, 50);
        if (i > 0)
            corpus_put(c, "\n");
        if (layout >= 65 && layout < 85)
            corpus_put(c, "Classify the review as positive or negative.\n");
        corpus_put(c, "Review: ");
        review(c, positive, false);
        if (layout < 65)
            corpus_printf(c, "\nSentiment: %s\n", labels[positive]);
        else if (layout < 85)
            corpus_printf(c, "\nAnswer: %s\n", labels[positive]);
        else
            corpus_printf(c, " All in all, it was %s.\n", CORPUS_PICK(c, verdicts[positive]));
    }
}

json_t *corpus_reviews_heldout(uint64_t seed)
{
    struct base_buffer text = { 0 };
    struct corpus c = { .rng = base_rng_make(seed, BASE_RNG_CORPUS, UINT64_MAX - 4), .out = &text };
    json_t *items = json_array();
    for (size_t i = 0; items && i < REVIEWS_TESTED; i++) {
        base_buffer_clear(&text);
        review(&c, i % 2, true);
        if (c.error)
            break;
        json_array_append_new(items,
                              json_pack("{s:s,s:s}", "text", text.data, "label", labels[i % 2]));
    }
    base_buffer_free(&text);
    return items;
}
