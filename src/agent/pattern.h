/* Regular expressions of ECMA-262 (what "pattern" means) on PCRE2. */
#ifndef AGENT_PATTERN_H
#define AGENT_PATTERN_H
#include <assay/base.h>

struct agent_pattern;
/* BASE_E_FORMAT naming the offset when text is no regular expression of ECMA-262 with its u flag,
 * BASE_E_UNSUPPORTED for what PCRE2 has not. */
int agent_pattern_compile(struct agent_pattern **out, const char *text);
/* 1 found anywhere in s (valid UTF-8), 0 not, BASE_E_LIMIT when it would take too long. Safe from
 * several threads. */
int agent_pattern_find(const struct agent_pattern *p, const char *s, size_t n);
void agent_pattern_free(struct agent_pattern *p); /* NULL is fine */
#endif
