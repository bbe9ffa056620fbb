/* White space and words as Python sees them (str.isspace: bidirectional type WS, B or S, or
 * category Zs; the table is that of Unicode 15). */
#include "eval/space.h"
#include "base/text.h"
#include <assay/eval.h>

bool eval_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t eval_space_trim_end(const char *text, size_t bytes)
{
    while (bytes > 0) {
        size_t start = bytes - 1;
        while (start > 0 && ((unsigned char)text[start] & 0xc0) == 0x80)
            start--;
        uint32_t code;
        if (base_utf8_decode(text + start, bytes - start, &code) == 0 || !eval_is_space(code))
            break;
        bytes = start;
    }
    return bytes;
}

bool eval_space_only(const char *text, size_t bytes)
{
    return eval_space_trim_end(text, bytes) == 0;
}

/* Runs of white space divide; one at an end divides an empty word off, as re.split does. */
uint64_t eval_word_count(const char *text, size_t bytes)
{
    uint64_t runs = 0;
    bool in_space = false;
    for (size_t i = 0; i < bytes;) {
        uint32_t code = 0xfffd;
        size_t length = base_utf8_decode(text + i, bytes - i, &code);
        bool space = length > 0 && eval_is_space(code);
        runs += space && !in_space;
        in_space = space;
        i += length ? length : 1;
    }
    return runs + 1;
}
