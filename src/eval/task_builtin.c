/* The built-in tasks and their data, included as they are by the assembler: there wherever the
 * program is, at no cost at start-up. Paths are those in the repository, which an include or
 * data_files of a built-in file names relative to tasks/. */
#include "eval/task_private.h"
#include <string.h>

#define INCLUDE(symbol, path)                                                                      \
    __asm__(".section .rodata\n.balign 16\n.global task_file_" #symbol "\ntask_file_" #symbol      \
            ":\n.incbin \"" path "\"\n.global task_file_" #symbol "_end\ntask_file_" #symbol       \
            "_end:\n.byte 0\n.previous\n");                                                        \
    extern const char task_file_##symbol[], task_file_##symbol##_end[];

/* In the order of their names: lists and lookups go by it. */
#define FILES(X)                                                                                   \
    X(arc, "tasks/arc.yaml")                                                                       \
    X(arc_challenge, "tasks/arc_challenge.yaml")                                                   \
    X(arc_easy, "tasks/arc_easy.yaml")                                                             \
    X(blimp, "tasks/blimp.yaml")                                                                   \
    X(boolq, "tasks/boolq.yaml")                                                                   \
    X(builtin_choice, "tasks/builtin_choice.yaml")                                                 \
    X(commonsense_qa, "tasks/commonsense_qa.yaml")                                                 \
    X(copa, "tasks/copa.yaml")                                                                     \
    X(counting, "tasks/counting.yaml")                                                             \
    X(facts, "tasks/facts.yaml")                                                                   \
    X(hellaswag, "tasks/hellaswag.yaml")                                                           \
    X(lambada_openai, "tasks/lambada_openai.yaml")                                                 \
    X(openbookqa, "tasks/openbookqa.yaml")                                                         \
    X(piqa, "tasks/piqa.yaml")                                                                     \
    X(sentiment, "tasks/sentiment.yaml")                                                           \
    X(social_iqa, "tasks/social_iqa.yaml")                                                         \
    X(sst2, "tasks/sst2.yaml")                                                                     \
    X(sums, "tasks/sums.yaml")                                                                     \
    X(translation, "tasks/translation.yaml")                                                       \
    X(translation_choice, "tasks/translation_choice.yaml")                                         \
    X(wikitext, "tasks/wikitext.yaml")                                                             \
    X(winogrande, "tasks/winogrande.yaml")                                                         \
    X(wsc273, "tasks/wsc273.yaml")                                                                 \
    X(data_translation, "tasks/data/translation.jsonl")                                            \
    X(heldout_counting, "models/heldout/counting.jsonl")                                           \
    X(heldout_facts, "models/heldout/facts.jsonl")                                                 \
    X(heldout_sentiment, "models/heldout/sentiment.jsonl")                                         \
    X(heldout_sums, "models/heldout/sums.jsonl")

FILES(INCLUDE)

static const struct {
    const char *path, *begin, *end;
} files[] = {
#define ROW(symbol, path) { path, task_file_##symbol, task_file_##symbol##_end },
    FILES(ROW)
#undef ROW
};
enum { COUNT = sizeof files / sizeof files[0] };

const char *task_builtin_path(size_t i)
{
    return i < COUNT ? files[i].path : NULL;
}

bool task_builtin(const char *path, const char **data, size_t *bytes)
{
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(files[i].path, path)) {
            *data = files[i].begin;
            *bytes = (size_t)(files[i].end - files[i].begin);
            return true;
        }
    return false;
}
