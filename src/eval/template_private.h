/* What the parts of the template engine share. lex -> parse -> a tree of struct node in the
 * template's arena; rendering walks the tree with a struct run, whose arena holds every value made.
 * Nothing is freed one by one: values are immutable (but for namespaces and iterators), so they may
 * share.
 *
 * Functions return 0 or a negative code with the message set; messages carry NAME:LINE, which is
 * what run->line is kept for. */
#ifndef EVAL_TEMPLATE_PRIVATE_H
#define EVAL_TEMPLATE_PRIVATE_H
#include "base/buffer.h"
#include <assay/template.h>
#include <string.h>

#define TEMPLATE_DEPTH_PARSE  150  /* nesting of tags and of expressions */
#define TEMPLATE_DEPTH_RUN    1000 /* nesting of evaluations: left-deep chains, macros in macros */
#define TEMPLATE_DEPTH_VALUES 400  /* nesting of values when they are printed, compared, hashed */

struct arena {
    struct arena_block *blocks;
    size_t left; /* bytes left in the newest block */
    size_t total, limit;
    int failed; /* why the last template_alloc gave NULL */
};
/* Zero-filled, aligned to 16; when NULL, a->failed is the code to return. */
void *template_alloc(struct arena *a, size_t n, size_t size);
void template_arena_free(struct arena *a);

enum kind {
    MISSING, /* an argument that was not given; never a value a template sees */
    UNDEFINED,
    NONE,
    BOOLEAN,
    INTEGER,
    REAL,
    TEXT,
    LIST,
    DICT,
    NAMESPACE,
    MACRO,
    FUNCTION,
    METHOD,
    LOOP,
};
enum flavour { /* of a LIST: what Python would call it */
               FLAVOUR_LIST,
               FLAVOUR_TUPLE,
               FLAVOUR_RANGE,
               FLAVOUR_ITERATOR, /* goes once; no length, no index */
               FLAVOUR_KEYS,
               FLAVOUR_VALUES,
               FLAVOUR_ITEMS,
};
enum function { FUNCTION_RANGE, FUNCTION_DICT, FUNCTION_NAMESPACE, FUNCTION_RAISE, FUNCTION_NOW };

struct text {
    const char *data; /* not NUL-terminated */
    size_t bytes;
    size_t points; /* code points */
    bool markup;   /* Markup: came from `safe` or Jinja's tojson */
};
struct value {
    enum kind kind;
    bool lenient; /* UNDEFINED: never strict (an inline if without else) */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const struct text *text;
        struct list *list;
        struct dict *dict; /* DICT, NAMESPACE */
        const struct macro *macro;
        const struct method *method;
        struct loop *loop;
        enum function function;
        const char *why; /* UNDEFINED: "'x' is undefined" */
    };
};
struct list {
    enum flavour flavour;
    bool group; /* a pair made by groupby: has .grouper and .list */
    size_t n, capacity;
    size_t position; /* ITERATOR: gone so far */
    struct value *at;
    int64_t range[3]; /* RANGE: start, stop, step */
};
struct entry {
    struct value key, value;
    uint64_t hash;
};
struct dict { /* insertion order; index is an open-addressing table of entry number + 1 */
    size_t n, capacity, slots;
    struct entry *at;
    uint32_t *index;
};

/* ---- the tree ---- */
enum node_kind {
    NODE_CONSTANT,
    NODE_NAME,
    NODE_LIST,      /* items */
    NODE_TUPLE,     /* items */
    NODE_DICT,      /* items: key, value, key, value */
    NODE_ATTRIBUTE, /* a.name */
    NODE_ITEM,      /* a[b] */
    NODE_SLICE,     /* a[items[0]:items[1]:items[2]], each may be NULL */
    NODE_CALL,      /* a(items, keywords) */
    NODE_FILTER,    /* a|name(items, keywords); a NULL in filter blocks */
    NODE_TEST,      /* a is name(items, keywords) */
    NODE_NEGATIVE,
    NODE_POSITIVE,
    NODE_NOT,
    NODE_AND,
    NODE_OR,
    NODE_BINARY,  /* a op b */
    NODE_COMPARE, /* items[0] ops[0] items[1] ... */
    NODE_CONCAT,  /* items */
    NODE_IF,      /* a if b else c (c may be NULL) */
    /* statements; `next` chains them */
    NODE_DATA,         /* text */
    NODE_OUTPUT,       /* a */
    NODE_BRANCH,       /* if a: body; else: other (an elif is a NODE_BRANCH there) */
    NODE_FOR,          /* for a in b if c: body; else: other */
    NODE_SET,          /* a = b */
    NODE_SET_BLOCK,    /* a = body through filter b (may be NULL) */
    NODE_MACRO,        /* name, items parameters, keywords defaults */
    NODE_CALL_BLOCK,   /* a: the call; b: the caller as NODE_MACRO */
    NODE_FILTER_BLOCK, /* a: filter chain; body */
    NODE_WITH,         /* items: target, value, ...; body */
    NODE_SCOPE,        /* body */
    NODE_BREAK,
    NODE_CONTINUE,
};
enum operator{
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_FLOOR,
    OP_MODULO,
    OP_POWER,
    OP_EQUAL,
    OP_UNEQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_NOT_IN,
};
struct keyword {
    const struct text *name;
    struct node *value;
};
struct node {
    enum node_kind kind;
    int line;
    enum operator op;
    unsigned char *ops; /* COMPARE: n - 1 operators */
    const struct text *name;
    struct value constant;
    const struct filter *filter;
    const struct test *test;
    struct node *a, *b, *c;
    struct node **items;
    size_t n;
    struct keyword *keywords;
    size_t n_keywords;
    struct node *body, *other, *next;
    bool uses_caller, uses_varargs, uses_kwargs; /* MACRO */
};
struct template
{
    char *name;
    char *now;
    struct template_options options;
    struct arena arena;
    struct node *body;
};

/* ---- running ---- */
struct variable {
    const struct text *name;
    struct value value;
};
struct scope {
    struct scope *parent;
    struct variable *at;
    size_t n, capacity;
};
struct macro {
    const struct node *node;
    struct scope *scope; /* where it was defined */
};
struct loop {
    struct value *at;
    size_t n, index;
    struct value *changed; /* what loop.changed saw last */
    size_t n_changed;
};
struct run {
    const struct template *t;
    const json_t *vars;
    struct arena arena;
    struct scope *root;  /* variables of the caller that were looked up */
    struct scope *scope; /* innermost */
    struct base_buffer *out;
    const char *name;
    int line;
    int depth;
    size_t steps;
    size_t captured; /* bytes in output buffers below the present one */
};
struct arguments {
    struct value *at;
    size_t n;
    struct variable *named;
    size_t n_named;
};

/* "NAME:LINE: message", returns code. */
int template_fail(const struct run *r, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fails for a value that strict templates may not touch, or that no template may. */
int template_fail_undefined(const struct run *r, struct value v);
bool template_strict(const struct run *r, struct value v); /* undefined, and may not be used */

/* values */
struct value template_boolean(bool x);
struct value template_integer(int64_t x);
struct value template_real(double x);
int template_text(struct arena *a, const char *data, size_t bytes, struct value *out); /* copies */
int template_text_view(struct arena *a, const char *data, size_t bytes, struct value *out);
int template_list(struct arena *a, enum flavour flavour, size_t capacity, struct value *out);
int template_list_add(struct arena *a, struct list *l, struct value v);
int template_dict(struct arena *a, struct value *out);
int template_dict_put(struct run *r, struct dict *d, struct value key, struct value v);
/* *found NULL when absent. */
int template_dict_get(struct run *r, const struct dict *d, struct value key, struct value **found);
struct value *template_dict_find(const struct dict *d, const char *key); /* a text key */
int template_undefined(struct run *r, struct value *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *template_type(struct value v); /* Python's name of the type */
bool template_is(const struct text *t, const char *s);
bool template_same(const struct text *a, const struct text *b);
bool template_number(struct value v, double *x); /* BOOLEAN, INTEGER, REAL */
bool template_index(struct value v, int64_t *x); /* BOOLEAN, INTEGER */
int template_truth(struct run *r, struct value v, bool *out);
int template_equal(struct run *r, struct value a, struct value b, int depth, bool *out);
/* *out < 0, 0, > 0; types without order fail as Python's `<` does. */
int template_order(struct run *r, struct value a, struct value b, int depth, int *out);
int template_hash(struct run *r, struct value v, int depth, uint64_t *out);
int template_from_json(struct run *r, const json_t *j, int depth, struct value *out);
int template_to_json(struct run *r, struct value v, int depth, json_t **out);
/* What `for x in v` goes over; an iterator is used up. */
int template_iterate(struct run *r, struct value v, struct value **at, size_t *n);
int template_length(struct run *r, struct value v, int64_t *out);

/* text */
int template_add(struct run *r, struct base_buffer *b, const void *data, size_t n); /* limited */
int template_add_str(struct run *r, struct base_buffer *b, struct value v, int depth);
int template_add_repr(struct run *r, struct base_buffer *b, struct value v, int depth);
/* A buffer's bytes as a value; frees the buffer. rc: what happened so far. */
int template_take(struct run *r, int rc, struct base_buffer *b, struct value *out);
int template_str(struct run *r, struct value v, struct value *out); /* soft_str */
void template_real_repr(double x, char out[48]);
size_t template_offset(const struct text *t, size_t point); /* byte of a code point */
int template_slice_text(struct run *r, const struct text *t, size_t from, size_t to,
                        struct value *out); /* bytes */
enum letter_case { CASE_LOWER, CASE_UPPER, CASE_TITLE, CASE_CAPITAL, CASE_SWAP };
int template_case(struct run *r, const struct text *t, enum letter_case how, struct value *out);
int template_case_add(struct run *r, struct base_buffer *b, const char *s, size_t n, size_t at,
                      enum letter_case how);
bool template_is_word(uint32_t code); /* \w of Python's re */

/* expressions */
int template_eval(struct run *r, const struct node *n, struct value *out);
int template_binary(struct run *r, enum operator op, struct value a, struct value b,
                    struct value *out);
int template_contains(struct run *r, struct value item, struct value in, bool *out);
int template_attribute(struct run *r, struct value v, const struct text *name, struct value *out);
/* An attribute of a namespace: chat templates may not hide one behind an underscore. */
int template_space_put(struct run *r, struct dict *d, struct value key, struct value v);
int template_item(struct run *r, struct value v, struct value key, struct value *out);
int template_call(struct run *r, struct value f, const struct arguments *a, struct value *out);
/* Positional and named arguments to the names in spec ("width first blank"): values[] in that
 * order, MISSING where not given; the first `required` must be. */
int template_bind(struct run *r, const char *what, const char *spec, int required,
                  const struct arguments *a, struct value *values);
/* Typed arguments, MISSING leaves *out as it is. */
int template_want_int(struct run *r, const char *what, struct value v, int64_t *out);
int template_want_bool(struct run *r, struct value v, bool *out);
int template_want_text(struct run *r, const char *what, struct value v, const struct text **out);

/* statements */
int template_lookup(struct run *r, const struct text *name, struct value *out);
int template_assign(struct run *r, const struct text *name, struct value v);
int template_call_macro(struct run *r, const struct macro *m, const struct arguments *a,
                        struct value *out);

/* filters, tests, methods */
#define TEMPLATE_ARGUMENTS_MOST 6
struct filter {
    const char *name;
    const char *spec; /* NULL: `raw` gets the arguments as they are */
    int required;
    int (*run)(struct run *r, struct value v, struct value *given, struct value *out);
    int (*raw)(struct run *r, struct value v, const struct arguments *a, struct value *out);
};
struct test {
    const char *name;
    int arguments;
    int (*run)(struct run *r, struct value v, struct value argument, bool *out);
};
struct method_info {
    const char *name;
    const char *spec; /* NULL: any arguments */
    int required;
    int (*run)(struct run *r, struct value self, struct value *given, const struct arguments *a,
               struct value *out);
};
struct method {
    struct value self;
    const struct method_info *info;
};
extern const struct filter template_filters_text[], template_filters_sequence[];
const struct filter *template_filter_find(const char *name, size_t n);
const struct test *template_test_find(const char *name, size_t n);
int template_filter_run(struct run *r, const struct filter *f, struct value v,
                        const struct arguments *a, struct value *out);
int template_test_run(struct run *r, const struct test *t, struct value v,
                      const struct arguments *a, bool *out);
/* *out MISSING when the type has no such method; an error for one that is refused. */
int template_method_find(struct run *r, struct value v, const struct text *name, struct value *out);
/* Splitting as str.split does; sep NULL = white space; most < 0 = all. */
int template_strip(struct run *r, const struct text *t, const struct text *chars, int sides,
                   struct value *out); /* sides: 1 left, 2 right */
int template_split_lines(struct run *r, const struct text *t, bool keep, struct value *out);
size_t template_find(const struct text *t, size_t from, const struct text *what); /* or SIZE_MAX */
int template_replace(struct run *r, const struct text *t, const struct text *from,
                     const struct text *to, int64_t most, struct value *out);
int template_pad(struct run *r, const struct text *t, int64_t width, char how,
                 const struct text *fill, struct value *out); /* how: < > ^ */

/* formatting and JSON */
int template_percent(struct run *r, const struct text *format, struct value arguments,
                     struct value *out);
int template_format(struct run *r, const struct text *format, const struct arguments *a,
                    struct value *out);
struct template_dump {
    bool ascii, sort, html;
    const struct text *indent;     /* NULL = one line */
    const struct text *item, *key; /* separators, NULL = Python's */
};
int template_dump_json(struct run *r, struct value v, const struct template_dump *how,
                       struct value *out);
int template_regex_replace(struct run *r, const struct text *t, const struct text *pattern,
                           const struct text *replacement, int64_t count, struct value *out);

/* lexing and parsing */
enum token_kind {
    TOKEN_END,
    TOKEN_DATA,
    TOKEN_VARIABLE_BEGIN,
    TOKEN_VARIABLE_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_INTEGER,
    TOKEN_REAL,
    TOKEN_OPERATOR, /* op: its characters, "//" as '/' << 8 | '/' */
};
struct token {
    enum token_kind kind;
    int line;
    int op;
    const char *at; /* DATA, NAME, STRING: the text */
    size_t bytes;
    int64_t integer;
    double real;
};
/* expression: the source is one bare expression (literals). Tokens are in the template's arena. */
int template_lex(struct template *t, const char *source, size_t bytes, bool expression,
                 struct token **out, size_t *n);
int template_parse_tokens(struct template *t, const struct token *tokens, bool expression);
#endif
