/* search: documents cut into passages and indexed for full-text search, in one SQLite file or one
 * table of a PostgreSQL database. The index is made here; the tool `search` (tool.h) reads it. */
#ifndef ASSAY_SEARCH_H
#define ASSAY_SEARCH_H
#include <assay/base.h>
#include <jansson.h>

struct agent_index_options {
    const char *field; /* of records: the text; NULL = "text" */
    const char *title; /* of records: the title; NULL = none */
    const char *id;    /* of records: what names one; NULL = its number, from 1 */
    size_t passage;    /* bytes of a passage at most; 0 = 1,200; 200 to 100,000 */
    /* How words are told apart. NULL or "words": runs of letters and digits of any script, without
     * regard to case and accents. "english": and by their stems. "trigram": any three characters,
     * for scripts without blanks between words; not in PostgreSQL, whose "words" regards
     * accents. */
    const char *tokenizer;
};
struct agent_index_report {
    uint64_t documents, passages, bytes;
    uint64_t skipped; /* files of a directory that are no text */
    json_t *names;    /* of the first 20 of them; json_decref */
};
/* Indexes `source`: a directory (its text files, hidden ones and links left out), a file of records
 * (.jsonl .json .csv .tsv, plain or compressed), or one text file, and writes `target`, whole or
 * not at all: an SQLite file, or postgresql://...#TABLE, a table (usually "passages") that is not
 * there yet or an older index. Texts are UTF-8; a file of more than 64 MiB counts as no text.
 * Markdown's headings begin passages and become their titles. */
int agent_index_make(const char *source, const char *target,
                     const struct agent_index_options *options, struct agent_index_report *report);
/* Where an index is, as people may read it: without a password. New string (base_free), NULL
 * without memory. */
char *agent_index_public(const char *target);
#endif
