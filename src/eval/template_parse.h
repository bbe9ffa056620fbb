/* What the two halves of the template parser share. */
#ifndef EVAL_TEMPLATE_PARSE_H
#define EVAL_TEMPLATE_PARSE_H
#include "eval/template_private.h"
#include <stdarg.h>
#include <stdio.h>

struct parser {
    struct template *t;
    const struct token *token, *first;
    int depth;
    size_t loops;       /* loops around, within the macro */
    struct node *macro; /* the macro around, to note which special names it uses */
};

int template_parser_fail(const struct parser *p, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int template_unexpected(const struct parser *p, const char *expected);
const char *template_token_text(const struct parser *p, char shown[64]);
bool template_token_is(const struct parser *p, const char *name);
bool template_operator_is(const struct parser *p, int op);
bool template_skip_operator(struct parser *p, int op);
bool template_skip_name(struct parser *p, const char *name);
int template_expect_operator(struct parser *p, int op);
int template_node(struct parser *p, enum node_kind kind, struct node **out);
int template_name_text(struct parser *p, const char *at, size_t bytes, const struct text **out);
int template_name(struct parser *p, const struct text **out);
int template_item_add(struct parser *p, struct node *to, struct node *item);
int template_keyword_add(struct parser *p, struct node *to, const struct text *name,
                         struct node *value);
int template_enter(struct parser *p); /* depth; leave with p->depth-- */

int template_parse_expression(struct parser *p, struct node **out);
/* One expression, or several with commas as a tuple; conditional: `a if b else c` may be one. */
int template_parse_tuple(struct parser *p, bool conditional, struct node **out);
/* A filter's name and arguments behind '|'; *out is what it is put on, and becomes the filter. */
int template_parse_filter(struct parser *p, struct node **out);
#endif
