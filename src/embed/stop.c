/* The stop words of gensim's remove_stopwords: the list of Stone, Dennis and Kwantes (2010), as
 * gensim 4 extends it, in ascending order. 337 words. */
#include "embed/text.h"
#include <stdlib.h>
#include <string.h>

static const char *const stop_words[] = {
    "a",          "about",      "above",        "across",     "after",      "afterwards",
    "again",      "against",    "all",          "almost",     "alone",      "along",
    "already",    "also",       "although",     "always",     "am",         "among",
    "amongst",    "amoungst",   "amount",       "an",         "and",        "another",
    "any",        "anyhow",     "anyone",       "anything",   "anyway",     "anywhere",
    "are",        "around",     "as",           "at",         "back",       "be",
    "became",     "because",    "become",       "becomes",    "becoming",   "been",
    "before",     "beforehand", "behind",       "being",      "below",      "beside",
    "besides",    "between",    "beyond",       "bill",       "both",       "bottom",
    "but",        "by",         "call",         "can",        "cannot",     "cant",
    "co",         "computer",   "con",          "could",      "couldnt",    "cry",
    "de",         "describe",   "detail",       "did",        "didn",       "do",
    "does",       "doesn",      "doing",        "don",        "done",       "down",
    "due",        "during",     "each",         "eg",         "eight",      "either",
    "eleven",     "else",       "elsewhere",    "empty",      "enough",     "etc",
    "even",       "ever",       "every",        "everyone",   "everything", "everywhere",
    "except",     "few",        "fifteen",      "fifty",      "fill",       "find",
    "fire",       "first",      "five",         "for",        "former",     "formerly",
    "forty",      "found",      "four",         "from",       "front",      "full",
    "further",    "get",        "give",         "go",         "had",        "has",
    "hasnt",      "have",       "he",           "hence",      "her",        "here",
    "hereafter",  "hereby",     "herein",       "hereupon",   "hers",       "herself",
    "him",        "himself",    "his",          "how",        "however",    "hundred",
    "i",          "ie",         "if",           "in",         "inc",        "indeed",
    "interest",   "into",       "is",           "it",         "its",        "itself",
    "just",       "keep",       "kg",           "km",         "last",       "latter",
    "latterly",   "least",      "less",         "ltd",        "made",       "make",
    "many",       "may",        "me",           "meanwhile",  "might",      "mill",
    "mine",       "more",       "moreover",     "most",       "mostly",     "move",
    "much",       "must",       "my",           "myself",     "name",       "namely",
    "neither",    "never",      "nevertheless", "next",       "nine",       "no",
    "nobody",     "none",       "noone",        "nor",        "not",        "nothing",
    "now",        "nowhere",    "of",           "off",        "often",      "on",
    "once",       "one",        "only",         "onto",       "or",         "other",
    "others",     "otherwise",  "our",          "ours",       "ourselves",  "out",
    "over",       "own",        "part",         "per",        "perhaps",    "please",
    "put",        "quite",      "rather",       "re",         "really",     "regarding",
    "same",       "say",        "see",          "seem",       "seemed",     "seeming",
    "seems",      "serious",    "several",      "she",        "should",     "show",
    "side",       "since",      "sincere",      "six",        "sixty",      "so",
    "some",       "somehow",    "someone",      "something",  "sometime",   "sometimes",
    "somewhere",  "still",      "such",         "system",     "take",       "ten",
    "than",       "that",       "the",          "their",      "them",       "themselves",
    "then",       "thence",     "there",        "thereafter", "thereby",    "therefore",
    "therein",    "thereupon",  "these",        "they",       "thick",      "thin",
    "third",      "this",       "those",        "though",     "three",      "through",
    "throughout", "thru",       "thus",         "to",         "together",   "too",
    "top",        "toward",     "towards",      "twelve",     "twenty",     "two",
    "un",         "under",      "unless",       "until",      "up",         "upon",
    "us",         "used",       "using",        "various",    "very",       "via",
    "was",        "we",         "well",         "were",       "what",       "whatever",
    "when",       "whence",     "whenever",     "where",      "whereafter", "whereas",
    "whereby",    "wherein",    "whereupon",    "wherever",   "whether",    "which",
    "while",      "whither",    "who",          "whoever",    "whole",      "whom",
    "whose",      "why",        "will",         "with",       "within",     "without",
    "would",      "yet",        "you",          "your",       "yours",      "yourself",
    "yourselves",
};

/* strcmp of a word that is not NUL-terminated with an entry that is */
struct piece {
    const char *word;
    size_t bytes;
};
static int compare(const void *key, const void *entry)
{
    const struct piece *p = key;
    const char *word = *(const char *const *)entry;
    const int c = strncmp(p->word, word, p->bytes);
    return c ? c : word[p->bytes] ? -1 : 0;
}

bool embed_is_stop_word(const char *word, size_t bytes)
{
    const struct piece p = { word, bytes };
    return bsearch(&p, stop_words, sizeof stop_words / sizeof *stop_words, sizeof *stop_words,
                   compare) != NULL;
}
