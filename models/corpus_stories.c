/* Short stories: two people, a place, a thing that is lost, found, made or shared, an ending, and
 * now and then questions about them. Each story keeps its people, place and thing to its end. */
#include "corpus.h"

static const char *const girls[] = { "Anna", "Clara", "Emma", "Grace",
                                     "Lucy", "Mary",  "Nina", "Sara" };
static const char *const boys[] = {
    "Ben", "David", "Felix", "Henry", "Jack", "Leo", "Paul", "Tom"
};
static const char *const places[] = { "garden",  "forest", "school",  "market",
                                      "kitchen", "park",   "village", "library" };
static const char *const things[] = { "key",  "ball",   "book", "ring", "lamp",
                                      "coin", "letter", "hat",  "map",  "box" };
static const char *const animals[] = { "dog",  "cat",  "horse", "rabbit",
                                       "duck", "goat", "mouse", "owl" };
static const char *const times[] = { "One morning", "One day", "One evening", "Last summer",
                                     "On Sunday" };
static const char *const feelings[] = { "happy", "tired", "proud", "glad" };

struct cast {
    const char *hero, *friend, *he, *his, *place, *thing, *animal, *feeling;
};

static struct cast cast_make(struct corpus *c)
{
    bool girl = corpus_chance(c, 50);
    struct cast s = {
        .hero = girl ? CORPUS_PICK(c, girls) : CORPUS_PICK(c, boys),
        .friend = girl ? CORPUS_PICK(c, boys) : CORPUS_PICK(c, girls),
        .he = girl ? "she" : "he",
        .his = girl ? "her" : "his",
        .place = CORPUS_PICK(c, places),
        .thing = CORPUS_PICK(c, things),
        .animal = CORPUS_PICK(c, animals),
        .feeling = CORPUS_PICK(c, feelings),
    };
    return s;
}

static void story_lost(struct corpus *c, const struct cast *s)
{
    corpus_printf(c, "%s, %s went to the %s with %s %s. ", CORPUS_PICK(c, times), s->hero, s->place,
                  s->his, s->thing);
    corpus_printf(c, "When %s came home, the %s was gone. %s was sad. ", s->he, s->thing, s->hero);
    corpus_printf(c, "%s said: \"Let us look for the %s together.\" ", s->friend, s->thing);
    corpus_printf(c, "They went back to the %s and looked everywhere. ", s->place);
    if (corpus_chance(c, 50))
        corpus_printf(c, "A little %s showed them the way. ", s->animal);
    corpus_printf(c, "At last %s found the %s under a stone. ", s->friend, s->thing);
    corpus_printf(c, "%s was %s and thanked %s.\n", s->hero, s->feeling, s->friend);
    if (corpus_chance(c, 60)) {
        corpus_printf(c, "Question: Who found the %s?\nAnswer: %s\n", s->thing, s->friend);
        corpus_printf(c, "Question: What did %s lose?\nAnswer: the %s\n", s->hero, s->thing);
    }
}

static void story_animal(struct corpus *c, const struct cast *s)
{
    corpus_printf(c, "There was once a %s who lived near the %s. ", s->animal, s->place);
    corpus_printf(c, "The %s had no friends and was often alone. ", s->animal);
    corpus_printf(c, "%s, %s came to the %s and saw the %s. ", CORPUS_PICK(c, times), s->hero,
                  s->place, s->animal);
    corpus_printf(c, "\"Why are you sad?\" asked %s. \"Nobody plays with me,\" said the %s. ",
                  s->hero, s->animal);
    corpus_printf(c, "So %s took a %s and they played until night. ", s->hero, s->thing);
    corpus_printf(c, "From that day on %s and the %s were friends.\n", s->hero, s->animal);
    if (corpus_chance(c, 60)) {
        corpus_printf(c, "Question: Where did the %s live?\nAnswer: near the %s\n", s->animal,
                      s->place);
        corpus_printf(c, "Question: Who played with the %s?\nAnswer: %s\n", s->animal, s->hero);
    }
}

static void story_gift(struct corpus *c, const struct cast *s)
{
    corpus_printf(c, "%s wanted to give a %s to %s. ", s->hero, s->thing, s->friend);
    corpus_printf(c, "%s worked in the %s every day to earn the money. ", s->hero, s->place);
    corpus_printf(c, "%s, %s bought the %s and brought it to %s. ", CORPUS_PICK(c, times), s->he,
                  s->thing, s->friend);
    corpus_printf(c, "%s smiled and gave %s a %s in return. ", s->friend, s->hero, s->animal);
    corpus_printf(c, "In the end both of them were %s.\n", s->feeling);
    if (corpus_chance(c, 60)) {
        corpus_printf(c, "Question: What did %s get from %s?\nAnswer: a %s\n", s->friend, s->hero,
                      s->thing);
        corpus_printf(c, "Question: What did %s get from %s?\nAnswer: a %s\n", s->hero, s->friend,
                      s->animal);
    }
}

void corpus_story_document(struct corpus *c)
{
    struct cast s = cast_make(c);
    switch (corpus_below(c, 3)) {
    case 0:
        story_lost(c, &s);
        break;
    case 1:
        story_animal(c, &s);
        break;
    default:
        story_gift(c, &s);
    }
}
