/* URI references, RFC 3986: what "$id" and "$ref" need. */
#ifndef AGENT_URI_H
#define AGENT_URI_H
#include <assay/base.h>

/* The reference resolved against base (section 5.2, strict; base may be NULL or empty), without its
 * fragment. New string (base_free), NULL when memory is out. */
char *agent_uri_resolve(const char *base, const char *reference);
/* What stands behind '#', percent-decoded; "" when nothing does. New string (base_free). */
char *agent_uri_fragment(const char *reference);
#endif
