/* Regular expressions: PCRE2 with its JIT, made to read patterns as the libraries do that the
 * models' tokenizers were written for (Oniguruma in Hugging Face's, which is Ruby's syntax).
 *
 * Translated: \s is White_Space (PCRE2's has U+180E too), \w is letters, marks, decimal digits,
 * letter numbers, connectors and joiners, `$` and `^` are the ends of lines. Refused: nested
 * classes and class intersection (&&), which PCRE2 would read as something else. Bytes of a subject
 * that are not UTF-8 are matched as U+001A, a character of no letter, digit or space class: the
 * same branch of every split pattern that U+FFFD would take. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tokenizer_private.h"
#include <pcre2.h>

struct tokenizer_matcher {
    pcre2_match_data *data;
    char *shadow; /* the subject with its bad bytes replaced */
    size_t room;
    const char *subject; /* the last one, and what it is matched as */
    const char *clean;
    size_t n;
};

#define SPACE_ITEMS "\\x{09}-\\x{0d}\\x{85}\\p{Z}"
#define WORD_ITEMS                                                                                 \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}"  \
    "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

const char tokenizer_pattern_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char tokenizer_pattern_llama3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const char tokenizer_pattern_qwen2[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char pattern_qwen35[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char pattern_o200k[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char pattern_tekken[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/* clang-format counts bytes and would cut these lines again each time. */
/* clang-format off */
static const char pattern_deepseek_letters[] =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕ"
    "ἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛ"
    "Ꜣ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
/* clang-format on */
static const char pattern_cjk[] = "[一-龥ࠀ-一가-퟿]+";
static const char pattern_bloom[] = " ?[^(\\s|.,!?…。，、।۔،)]+";

/* What llama.cpp's names stand for. Each pattern cuts the words that the one before it made. */
static const char *const split_gpt2[] = { tokenizer_pattern_gpt2, NULL };
static const char *const split_llama3[] = { tokenizer_pattern_llama3, NULL };
static const char *const split_qwen2[] = { tokenizer_pattern_qwen2, NULL };
static const char *const split_qwen35[] = { pattern_qwen35, NULL };
static const char *const split_o200k[] = { pattern_o200k, NULL };
static const char *const split_tekken[] = { pattern_tekken, NULL };
static const char *const split_digits[] = { "\\p{N}", tokenizer_pattern_gpt2, NULL };
static const char *const split_bloom[] = { pattern_bloom, NULL };
static const char *const split_viking[] = { pattern_bloom, "\\p{N}", NULL };
static const char *const split_falcon[] = { "[\\p{P}\\$\\+<=>\\^~\\|`]+", tokenizer_pattern_gpt2,
                                            "[0-9][0-9][0-9]", NULL };
static const char *const split_deepseek_llm[] = { "[\r\n]",
                                                  pattern_deepseek_letters,
                                                  "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
                                                  "\\s+$",
                                                  pattern_cjk,
                                                  "\\p{N}+",
                                                  NULL };
static const char *const split_deepseek_coder[] = { "[\r\n]",    "\\s?\\p{L}+", "\\s?\\p{P}+",
                                                    pattern_cjk, "\\p{N}",      NULL };
static const char *const split_deepseek3[] = {
    "\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?"
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    NULL
};
static const char *const split_default[] = { "[\\p{P}\\$\\+<=>\\^~\\|]+", tokenizer_pattern_gpt2,
                                             "\\p{N}+", "[0-9][0-9][0-9]", NULL };
static const struct {
    const char *name;
    const char *const *patterns;
    bool ignore_merges;
} gguf_names[] = {
    { "default", split_default, false },
    { "gpt-2", split_gpt2, false },
    { "gpt2", split_gpt2, false },
    { "phi-2", split_gpt2, false },
    { "mpt", split_gpt2, false },
    { "olmo", split_gpt2, false },
    { "jais", split_gpt2, false },
    { "trillion", split_gpt2, false },
    { "jina-es", split_gpt2, false },
    { "jina-de", split_gpt2, false },
    { "roberta-bpe", split_gpt2, false },
    { "gigachat", split_gpt2, false },
    { "llama3", split_llama3, true },
    { "llama-v3", split_llama3, true },
    { "llama-bpe", split_llama3, true },
    { "falcon3", split_llama3, true },
    { "pixtral", split_llama3, true },
    { "dbrx", split_llama3, false },
    { "smaug-bpe", split_llama3, false },
    { "chatglm-bpe", split_llama3, false },
    { "glm4", split_llama3, false },
    { "stablelm2", split_qwen2, false },
    { "qwen2", split_qwen2, false },
    { "deepseek-r1-qwen", split_qwen2, false },
    { "hunyuan", split_qwen2, false },
    { "megrez", split_qwen2, false },
    { "qwen35", split_qwen35, false },
    { "gpt-4o", split_o200k, false },
    { "llama4", split_o200k, false },
    { "tekken", split_tekken, true },
    { "starcoder", split_digits, false },
    { "refact", split_digits, false },
    { "command-r", split_digits, false },
    { "smollm", split_digits, false },
    { "codeshell", split_digits, false },
    { "exaone", split_digits, false },
    { "minerva-7b", split_digits, false },
    { "bloom", split_bloom, false },
    { "poro-chat", split_bloom, false },
    { "gpt3-finnish", split_bloom, false },
    { "viking", split_viking, false },
    { "falcon", split_falcon, false },
    { "deepseek-llm", split_deepseek_llm, false },
    { "deepseek-coder", split_deepseek_coder, false },
    { "deepseek-v3", split_deepseek3, false },
};

const char *const *tokenizer_pattern_gguf(const char *pre, bool *ignore_merges)
{
    for (size_t i = 0; i < sizeof gguf_names / sizeof *gguf_names; i++)
        if (strcmp(pre, gguf_names[i].name) == 0) {
            *ignore_merges = gguf_names[i].ignore_merges;
            return gguf_names[i].patterns;
        }
    return NULL;
}

static void *pattern_allocate(size_t bytes, void *context)
{
    (void)context;
    return base_alloc(bytes, 1);
}
static void pattern_release(void *p, void *context)
{
    (void)context;
    base_free(p);
}

/* Oniguruma's reading of \s, \S, \w, \W in PCRE2's terms. */
static int translate(struct base_buffer *out, const char *s, size_t n, const char *where)
{
    bool class = false;
    size_t class_start = 0;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        if (s[i] == '\\' && i + 1 < n) {
            i++;
            bool upper = s[i] == 'S' || s[i] == 'W';
            const char *items = s[i] == 's' || s[i] == 'S'   ? SPACE_ITEMS
                                : s[i] == 'w' || s[i] == 'W' ? WORD_ITEMS
                                                             : NULL;
            if (!items)
                rc = base_buffer_append(out, s + i - 1, 2);
            else if (!class)
                rc = base_buffer_printf(out, "[%s%s]", upper ? "^" : "", items);
            else if (!upper)
                rc = base_buffer_puts(out, items);
            else
                rc = base_buffer_append(out, s + i - 1, 2);
            continue;
        }
        if (class) {
            size_t first = class_start + 1 + (class_start + 1 < n && s[class_start + 1] == '^');
            if (s[i] == ']' && i > first)
                class = false;
            else if ((s[i] == '[' && (i + 1 >= n || s[i + 1] != ':')) ||
                     (s[i] == '&' && i + 1 < n && s[i + 1] == '&'))
                return base_error_set(
                    BASE_E_UNSUPPORTED,
                    "%s: pattern \"%.*s\": nested classes and && are not supported", where,
                    n > 80 ? 80 : (int)n, s);
            else if (s[i] == '[') { /* [:name:] passes as it is */
                size_t close = i + 2;
                while (close + 1 < n && !(s[close] == ':' && s[close + 1] == ']'))
                    close++;
                if (close + 1 < n) {
                    rc = base_buffer_append(out, s + i, close + 2 - i);
                    i = close + 1;
                    continue;
                }
            }
        } else if (s[i] == '[') {
            class = true;
            class_start = i;
        }
        rc = base_buffer_append(out, s + i, 1);
    }
    return rc;
}

int tokenizer_pattern_regex(struct tokenizer_pattern *p, const char *regex, size_t n,
                            const char *where)
{
    struct base_buffer text = { 0 };
    pcre2_general_context *general = NULL;
    pcre2_compile_context *context = NULL;
    int rc;
    if (n > 1 << 16)
        return base_error_set(BASE_E_LIMIT, "%s: pattern of %zu bytes; the limit is 65536", where,
                              n);
    if (base_utf8_invalid(regex, n) != n)
        return base_error_set(BASE_E_FORMAT, "%s: pattern is not UTF-8", where);
    rc = translate(&text, regex, n, where);
    if (rc)
        goto out;
    rc = BASE_E_MEMORY;
    general = pcre2_general_context_create(pattern_allocate, pattern_release, NULL);
    if (!general)
        goto out;
    context = pcre2_compile_context_create(general);
    if (!context)
        goto out;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 64);
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(text.data ? text.data : ""), text.length,
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK |
                                         PCRE2_NEVER_BACKSLASH_C,
                                     &error, &offset, context);
    if (!code) {
        char message[160];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        if (error != PCRE2_ERROR_HEAP_FAILED)
            rc = base_error_set(BASE_E_FORMAT, "%s: pattern \"%.*s\": %s", where,
                                n > 80 ? 80 : (int)n, regex, message);
        goto out;
    }
    /* without JIT (memory, architecture) the interpreter gives the same matches */
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    p->code = code;
    rc = 0;
out:
    if (context)
        pcre2_compile_context_free(context);
    if (general)
        pcre2_general_context_free(general);
    base_buffer_free(&text);
    return rc;
}

int tokenizer_pattern_literal(struct tokenizer_pattern *p, const char *text, size_t n)
{
    p->literal = base_strndup(text, n);
    p->n = n;
    return p->literal ? 0 : BASE_E_MEMORY;
}

void tokenizer_pattern_free(struct tokenizer_pattern *p)
{
    if (p->code)
        pcre2_code_free(p->code);
    base_free(p->literal);
    *p = (struct tokenizer_pattern){ 0 };
}

void tokenizer_matcher_reset(struct tokenizer_matcher *m)
{
    if (m)
        m->subject = NULL;
}

void tokenizer_matcher_free(struct tokenizer_matcher *m)
{
    if (!m)
        return;
    if (m->data)
        pcre2_match_data_free(m->data);
    base_free(m->shadow);
    base_free(m);
}

/* Sets m->clean to the subject, or to a copy whose bad bytes are U+001A. */
static int matcher_subject(struct tokenizer_matcher *m, const char *subject, size_t n)
{
    m->subject = subject;
    m->n = n;
    m->clean = subject;
    size_t bad = base_utf8_invalid(subject, n);
    if (bad == n)
        return 0;
    if (n > m->room) {
        char *shadow = base_realloc(m->shadow, n, 1);
        if (!shadow)
            return BASE_E_MEMORY;
        m->shadow = shadow;
        m->room = n;
    }
    memcpy(m->shadow, subject, n);
    while (bad < n) {
        m->shadow[bad] = 0x1a;
        bad += 1 + base_utf8_invalid(m->shadow + bad + 1, n - bad - 1);
    }
    m->clean = m->shadow;
    return 0;
}

int tokenizer_pattern_find(const struct tokenizer_pattern *p, struct tokenizer_matcher **matcher,
                           const char *subject, size_t n, size_t from, size_t *begin, size_t *end)
{
    if (!p->code) {
        if (p->n == 0 || from >= n)
            return 0;
        const char *hit = memmem(subject + from, n - from, p->literal, p->n);
        if (!hit)
            return 0;
        *begin = (size_t)(hit - subject);
        *end = *begin + p->n;
        return 1;
    }
    struct tokenizer_matcher *m = *matcher;
    if (!m) {
        m = *matcher = base_alloc_zero(1, sizeof *m);
        if (!m)
            return BASE_E_MEMORY;
    }
    if (!m->data) {
        pcre2_general_context *general =
            pcre2_general_context_create(pattern_allocate, pattern_release, NULL);
        if (!general)
            return BASE_E_MEMORY;
        m->data = pcre2_match_data_create(1, general);
        pcre2_general_context_free(general);
        if (!m->data)
            return BASE_E_MEMORY;
    }
    if (m->subject != subject || m->n != n) {
        int rc = matcher_subject(m, subject, n);
        if (rc)
            return rc;
    }
    int rc = pcre2_match(p->code, (PCRE2_SPTR)m->clean, n, from, PCRE2_NO_UTF_CHECK, m->data, NULL);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, (PCRE2_SPTR)m->clean, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                         m->data, NULL);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        char message[160];
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
        return base_error_set(BASE_E_LIMIT, "tokenizer: split pattern at byte %zu: %s", from,
                              message);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(m->data);
    *begin = range[0];
    *end = range[1] < range[0] ? range[0] : range[1]; /* \K in a lookahead can turn them round */
    return 1;
}
