/* The log's writer, for the gate; see include/assay/tool.h. */
#ifndef AGENT_AUDIT_H
#define AGENT_AUDIT_H
#include <assay/tool.h>
/* Appends entry (an object; keys seq, time, previous and hash are added), under the file's lock. */
int agent_audit_append(struct agent_audit *a, json_t *entry);
#endif
