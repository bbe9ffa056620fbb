/* Conditions on a row: parser and evaluation. The grammar stands in assay/sampling.h.
 *
 * The parser goes down the grammar by recursion, at most DEPTH deep, into an array of nodes that
 * refer to each other by number. Evaluation follows the array. A value is missing, a number, or
 * bytes (a column's cell is both until something asks for one of them); the truth of a comparison
 * is true, false or unknown, with and, or, not as in SQL (Kleene's logic). */
#include "base/buffer.h"
#include "base/memory.h"
#include <assay/sampling.h>
#include <math.h>
#include <string.h>

#define DEPTH 100
#define NODES 2000

enum kind {
    AND,
    OR,
    NOT,
    EQUAL,
    UNEQUAL,
    LESS,
    LESS_EQUAL,
    MORE,
    MORE_EQUAL,
    CONTAINS,
    IS_MISSING,
    IN,   /* left in the list that begins at right, linked by `next` */
    LINK, /* an element of a list: value left, next right */
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    REMAINDER,
    NEGATE,
    NUMBER,
    TEXT,
    COLUMN,
};
#define NONE SIZE_MAX

struct node {
    enum kind kind;
    size_t left, right;
    double number;
    size_t column;     /* COLUMN */
    size_t at, length; /* TEXT: in the pool */
};
struct sampling_condition {
    struct node *nodes;
    size_t n, capacity, root;
    struct base_buffer pool; /* text literals */
};

/* ---- parser ---- */
struct parser {
    struct sampling_condition *c;
    const struct data_table *table;
    const char *text, *p;
    int depth;
};

static int complain(struct parser *q, const char *what)
{
    return base_error_set(BASE_E_ARGUMENT, "condition \"%s\": at character %zu: %s%s%.20s%s",
                          q->text, (size_t)(q->p - q->text) + 1, what, *q->p ? ", got \"" : "",
                          q->p, *q->p ? "\"" : " (it ends there)");
}

static int add_node(struct parser *q, struct node node, size_t *out)
{
    struct sampling_condition *c = q->c;
    if (c->n >= NODES)
        return base_error_set(BASE_E_LIMIT, "condition: more than %d parts", NODES);
    if (c->n == c->capacity) {
        size_t more = c->capacity ? 2 * c->capacity : 16;
        struct node *grown = base_realloc(c->nodes, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        c->nodes = grown;
        c->capacity = more;
    }
    *out = c->n;
    c->nodes[c->n++] = node;
    return 0;
}

static int add_pair(struct parser *q, enum kind kind, size_t left, size_t right, size_t *out)
{
    return add_node(q, (struct node){ .kind = kind, .left = left, .right = right }, out);
}

static void blanks(struct parser *q)
{
    while (*q->p == ' ' || *q->p == '\t' || *q->p == '\n' || *q->p == '\r')
        q->p++;
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 128 || (!first && ((c >= '0' && c <= '9') || c == '.'));
}

/* The word (any case) if it stands here as a whole. */
static bool take_word(struct parser *q, const char *word)
{
    blanks(q);
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++) {
        char c = q->p[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i])
            return false;
    }
    if (is_name(q->p[n], false))
        return false;
    q->p += n;
    return true;
}

static bool take(struct parser *q, const char *sign)
{
    blanks(q);
    size_t n = strlen(sign);
    if (strncmp(q->p, sign, n) != 0)
        return false;
    q->p += n;
    return true;
}

static int parse_or(struct parser *q, size_t *out);

/* Text between quotes; the quote twice stands for itself. */
static int parse_text(struct parser *q, char quote, size_t *at, size_t *length)
{
    struct base_buffer *pool = &q->c->pool;
    const char *from = q->p++;
    *at = pool->length;
    for (;;) {
        const char *end = strchr(q->p, quote);
        if (!end) {
            q->p = from;
            return complain(q, "this quote is never closed");
        }
        bool doubled = end[1] == quote;
        int rc = base_buffer_append(pool, q->p, (size_t)(end - q->p) + doubled);
        if (rc)
            return rc;
        q->p = end + 1 + doubled;
        if (!doubled)
            break;
    }
    *length = pool->length - *at;
    return 0;
}

static int parse_column(struct parser *q, const char *name, size_t n, size_t *out)
{
    char *copy = base_strndup(name, n);
    struct node node = { .kind = COLUMN };
    int rc = copy ? data_table_find(q->table, copy, &node.column) : BASE_E_MEMORY;
    base_free(copy);
    if (rc)
        return rc == BASE_E_MEMORY ? rc : base_error_prefix(rc, "condition \"%s\"", q->text);
    return add_node(q, node, out);
}

static int parse_primary(struct parser *q, size_t *out)
{
    int rc;
    blanks(q);
    char c = *q->p;
    if (c == '(') {
        q->p++;
        if ((rc = parse_or(q, out)))
            return rc;
        return take(q, ")") ? 0 : complain(q, "expected )");
    }
    if (c == '\'' || c == '"') {
        struct node node = { .kind = TEXT };
        rc = parse_text(q, c, &node.at, &node.length);
        return rc ? rc : add_node(q, node, out);
    }
    if (c == '`') {
        const char *end = strchr(q->p + 1, '`');
        if (!end)
            return complain(q, "this quote is never closed");
        const char *name = q->p + 1;
        q->p = end + 1;
        return parse_column(q, name, (size_t)(end - name), out);
    }
    if ((c >= '0' && c <= '9') || c == '.') {
        size_t n = 0;
        while ((q->p[n] >= '0' && q->p[n] <= '9') || q->p[n] == '.' || q->p[n] == 'e' ||
               q->p[n] == 'E' ||
               ((q->p[n] == '-' || q->p[n] == '+') && (q->p[n - 1] == 'e' || q->p[n - 1] == 'E')))
            n++;
        struct node node = { .kind = NUMBER };
        if (!data_cell_number((struct data_cell){ q->p, n }, &node.number))
            return complain(q, "this is not a number");
        q->p += n;
        return add_node(q, node, out);
    }
    if (is_name(c, true)) {
        const char *name = q->p;
        while (is_name(*q->p, false))
            q->p++;
        return parse_column(q, name, (size_t)(q->p - name), out);
    }
    return complain(q, "expected a column, a number, 'text' or (");
}

static int parse_sign(struct parser *q, size_t *out)
{
    bool negative = false;
    while (take(q, "-"))
        negative = !negative;
    int rc = parse_primary(q, out);
    return rc || !negative ? rc : add_pair(q, NEGATE, *out, NONE, out);
}

static int parse_product(struct parser *q, size_t *out)
{
    int rc = parse_sign(q, out);
    while (!rc) {
        enum kind kind = take(q, "*")   ? MULTIPLY
                         : take(q, "/") ? DIVIDE
                         : take(q, "%") ? REMAINDER
                                        : NUMBER;
        if (kind == NUMBER)
            break;
        size_t right;
        if (!(rc = parse_sign(q, &right)))
            rc = add_pair(q, kind, *out, right, out);
    }
    return rc;
}

static int parse_sum(struct parser *q, size_t *out)
{
    int rc = parse_product(q, out);
    while (!rc) {
        bool plus = take(q, "+");
        if (!plus && !take(q, "-"))
            break;
        size_t right;
        if (!(rc = parse_product(q, &right)))
            rc = add_pair(q, plus ? ADD : SUBTRACT, *out, right, out);
    }
    return rc;
}

static int parse_list(struct parser *q, size_t *out)
{
    if (!take(q, "("))
        return complain(q, "expected ( after in");
    size_t last = NONE, value, link;
    *out = NONE;
    do {
        int rc = parse_sum(q, &value);
        if (rc || (rc = add_pair(q, LINK, value, NONE, &link)))
            return rc;
        if (last == NONE)
            *out = link;
        else
            q->c->nodes[last].right = link;
        last = link;
    } while (take(q, ","));
    return take(q, ")") ? 0 : complain(q, "expected , or )");
}

static int parse_comparison(struct parser *q, size_t *out)
{
    static const struct {
        const char *sign;
        enum kind kind;
    } signs[] = { { "==", EQUAL },      { "=", EQUAL },       { "!=", UNEQUAL }, { "<>", UNEQUAL },
                  { "<=", LESS_EQUAL }, { ">=", MORE_EQUAL }, { "<", LESS },     { ">", MORE } };
    int rc = parse_sum(q, out);
    if (rc)
        return rc;
    size_t right;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (take(q, signs[i].sign)) {
            rc = parse_sum(q, &right);
            return rc ? rc : add_pair(q, signs[i].kind, *out, right, out);
        }
    if (take_word(q, "contains")) {
        rc = parse_sum(q, &right);
        return rc ? rc : add_pair(q, CONTAINS, *out, right, out);
    }
    bool not = false;
    if (take_word(q, "is")) {
        not = take_word(q, "not");
        if (!take_word(q, "missing"))
            return complain(q, "expected missing");
        rc = add_pair(q, IS_MISSING, *out, NONE, out);
    } else {
        const char *before = q->p;
        not = take_word(q, "not");
        if (take_word(q, "in")) {
            if (!(rc = parse_list(q, &right)))
                rc = add_pair(q, IN, *out, right, out);
        } else {
            q->p = before;
            not = false;
        }
    }
    return rc || !not ? rc : add_pair(q, NOT, *out, NONE, out);
}

static int parse_not(struct parser *q, size_t *out)
{
    bool not = false;
    for (;;) {
        blanks(q);
        if (take_word(q, "not") || (q->p[0] == '!' && q->p[1] != '=' && take(q, "!")))
            not = !not ;
        else
            break;
    }
    int rc = parse_comparison(q, out);
    return rc || !not ? rc : add_pair(q, NOT, *out, NONE, out);
}

static int parse_and(struct parser *q, size_t *out)
{
    int rc = parse_not(q, out);
    size_t right;
    while (!rc && (take(q, "&&") || take_word(q, "and")))
        if (!(rc = parse_not(q, &right)))
            rc = add_pair(q, AND, *out, right, out);
    return rc;
}

static int parse_or(struct parser *q, size_t *out)
{
    if (++q->depth > DEPTH)
        return base_error_set(BASE_E_LIMIT, "condition: more than %d brackets inside each other",
                              DEPTH);
    int rc = parse_and(q, out);
    size_t right;
    while (!rc && (take(q, "||") || take_word(q, "or")))
        if (!(rc = parse_and(q, &right)))
            rc = add_pair(q, OR, *out, right, out);
    q->depth--;
    return rc;
}

int sampling_condition_parse(struct sampling_condition **out, const char *text,
                             const struct data_table *table)
{
    *out = NULL;
    struct sampling_condition *c = base_alloc_zero(1, sizeof *c);
    if (!c)
        return BASE_E_MEMORY;
    struct parser q = { .c = c, .table = table, .text = text, .p = text };
    int rc = parse_or(&q, &c->root);
    if (!rc) {
        blanks(&q);
        if (*q.p)
            rc = complain(&q, "expected and, or, or the end");
    }
    if (rc)
        sampling_condition_free(c);
    else
        *out = c;
    return rc;
}

void sampling_condition_free(struct sampling_condition *c)
{
    if (!c)
        return;
    base_free(c->nodes);
    base_buffer_free(&c->pool);
    base_free(c);
}

/* ---- evaluation ---- */
enum { FALSE, TRUE, UNKNOWN };
struct value {
    enum { MISSING, NUMERIC, BYTES, CELL, TRUTH } is;
    double number;
    struct data_cell bytes; /* BYTES, CELL */
    size_t column;          /* CELL */
    int truth;
};
struct row {
    const struct sampling_condition *c;
    const struct data_table *table;
    const struct data_cell *cells;
};

static int evaluate(const struct row *r, size_t node, struct value *v);

/* v as a number: a column's cell is read as one. */
static int want_number(const struct row *r, struct value *v)
{
    if (v->is == NUMERIC || v->is == MISSING)
        return 0;
    if (v->is == CELL && data_cell_number(v->bytes, &v->number)) {
        v->is = NUMERIC;
        return 0;
    }
    if (v->is == TRUTH)
        return base_error_set(BASE_E_ARGUMENT, "condition: a comparison stands where a number is "
                                               "needed");
    return base_error_set(BASE_E_FORMAT, "%s: %s%s: the condition needs a number, got \"%.*s\"",
                          data_table_place(r->table), v->is == CELL ? "column " : "text",
                          v->is == CELL ? data_table_column(r->table, v->column) : "",
                          (int)(v->bytes.length < 60 ? v->bytes.length : 60), v->bytes.bytes);
}

static int want_truth(const struct value *v, int *truth)
{
    if (v->is != TRUTH)
        return base_error_set(BASE_E_ARGUMENT,
                              "condition: a value stands where a comparison is needed (write "
                              "column = 'text', or column > 0)");
    *truth = v->truth;
    return 0;
}

static int compare_bytes(struct data_cell a, struct data_cell b)
{
    size_t n = a.length < b.length ? a.length : b.length;
    int order = n ? memcmp(a.bytes, b.bytes, n) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* The order of two values: negative, 0, positive. unknown: one is missing. */
static int order(const struct row *r, struct value *a, struct value *b, int *result, bool *unknown)
{
    *unknown = a->is == MISSING || b->is == MISSING;
    if (*unknown)
        return 0;
    if (a->is == TRUTH || b->is == TRUTH)
        return base_error_set(BASE_E_ARGUMENT, "condition: a comparison stands where a value is "
                                               "needed");
    double x, y;
    bool both_cells = a->is == CELL && b->is == CELL;
    if (both_cells && data_cell_number(a->bytes, &x) && data_cell_number(b->bytes, &y)) {
        *result = (x > y) - (x < y);
        return 0;
    }
    if (both_cells || a->is == BYTES || b->is == BYTES) {
        if (a->is == NUMERIC || b->is == NUMERIC)
            return base_error_set(BASE_E_ARGUMENT, "condition: a number is compared with text");
        *result = compare_bytes(a->bytes, b->bytes);
        return 0;
    }
    int rc = want_number(r, a);
    if (rc || (rc = want_number(r, b)))
        return rc;
    *result = (a->number > b->number) - (a->number < b->number);
    return 0;
}

static int compare(const struct row *r, const struct node *n, struct value *v)
{
    struct value a, b;
    int rc = evaluate(r, n->left, &a), o = 0;
    bool unknown;
    if (rc || (rc = evaluate(r, n->right, &b)))
        return rc;
    if (n->kind == CONTAINS) {
        unknown = a.is == MISSING || b.is == MISSING;
        if (!unknown && ((a.is != CELL && a.is != BYTES) || (b.is != CELL && b.is != BYTES)))
            return base_error_set(BASE_E_ARGUMENT, "condition: contains needs text on both sides");
        v->truth = !unknown &&
                   (b.bytes.length == 0 ||
                    memmem(a.bytes.bytes, a.bytes.length, b.bytes.bytes, b.bytes.length) != NULL);
    } else {
        if ((rc = order(r, &a, &b, &o, &unknown)))
            return rc;
        v->truth = n->kind == EQUAL        ? o == 0
                   : n->kind == UNEQUAL    ? o != 0
                   : n->kind == LESS       ? o < 0
                   : n->kind == LESS_EQUAL ? o <= 0
                   : n->kind == MORE       ? o > 0
                                           : o >= 0;
    }
    if (unknown)
        v->truth = UNKNOWN;
    v->is = TRUTH;
    return 0;
}

static int in_list(const struct row *r, const struct node *n, struct value *v)
{
    struct value a, b;
    int rc = evaluate(r, n->left, &a), o = 1;
    int truth = FALSE;
    for (size_t link = n->right; link != NONE && !rc; link = r->c->nodes[link].right) {
        struct value copy = a;
        bool unknown;
        if ((rc = evaluate(r, r->c->nodes[link].left, &b)) ||
            (rc = order(r, &copy, &b, &o, &unknown)))
            break;
        if (unknown)
            truth = UNKNOWN;
        else if (o == 0) {
            truth = TRUE;
            break;
        }
    }
    v->is = TRUTH;
    v->truth = truth;
    return rc;
}

static int logic(const struct row *r, const struct node *n, struct value *v)
{
    struct value a;
    int x = FALSE, y = FALSE, rc = evaluate(r, n->left, &a);
    if (rc || (rc = want_truth(&a, &x)))
        return rc;
    v->is = TRUTH;
    if (n->kind == NOT) {
        v->truth = x == UNKNOWN ? UNKNOWN : !x;
        return 0;
    }
    int decided = n->kind == AND ? FALSE : TRUE;
    v->truth = decided;
    if (x == decided)
        return 0;
    if ((rc = evaluate(r, n->right, &a)) || (rc = want_truth(&a, &y)))
        return rc;
    v->truth = y == decided ? decided : x == UNKNOWN || y == UNKNOWN ? UNKNOWN : !decided;
    return 0;
}

static int arithmetic(const struct row *r, const struct node *n, struct value *v)
{
    struct value a, b = { .is = NUMERIC };
    int rc = evaluate(r, n->left, &a);
    if (rc || (rc = want_number(r, &a)))
        return rc;
    if (n->kind != NEGATE && ((rc = evaluate(r, n->right, &b)) || (rc = want_number(r, &b))))
        return rc;
    if (a.is == MISSING || b.is == MISSING) {
        v->is = MISSING;
        return 0;
    }
    v->is = NUMERIC;
    switch (n->kind) {
    case ADD:
        v->number = a.number + b.number;
        break;
    case SUBTRACT:
        v->number = a.number - b.number;
        break;
    case MULTIPLY:
        v->number = a.number * b.number;
        break;
    case DIVIDE:
        v->number = a.number / b.number;
        break;
    case REMAINDER:
        v->number = fmod(a.number, b.number);
        break;
    default:
        v->number = -a.number;
    }
    if (!isfinite(v->number)) /* over 0: no value, as in SQL */
        v->is = MISSING;
    return 0;
}

static int evaluate(const struct row *r, size_t node, struct value *v)
{
    const struct node *n = &r->c->nodes[node];
    switch (n->kind) {
    case AND:
    case OR:
    case NOT:
        return logic(r, n, v);
    case IN:
        return in_list(r, n, v);
    case IS_MISSING: {
        struct value a;
        int rc = evaluate(r, n->left, &a);
        v->is = TRUTH;
        v->truth = !rc && a.is == MISSING;
        return rc;
    }
    case NUMBER:
        v->is = NUMERIC;
        v->number = n->number;
        return 0;
    case TEXT:
        v->is = BYTES;
        v->bytes = (struct data_cell){ r->c->pool.data + n->at, n->length };
        return 0;
    case COLUMN:
        v->bytes = r->cells[n->column];
        v->is = data_cell_missing(v->bytes) ? MISSING : CELL;
        v->column = n->column;
        return 0;
    case ADD:
    case SUBTRACT:
    case MULTIPLY:
    case DIVIDE:
    case REMAINDER:
    case NEGATE:
        return arithmetic(r, n, v);
    default:
        return compare(r, n, v);
    }
}

int sampling_condition_test(struct sampling_condition *c, const struct data_table *table,
                            const struct data_cell *cells)
{
    struct row r = { c, table, cells };
    struct value v;
    int truth = FALSE, rc = evaluate(&r, c->root, &v);
    if (rc || (rc = want_truth(&v, &truth)))
        return rc;
    return truth;
}
