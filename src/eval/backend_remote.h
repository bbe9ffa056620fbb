/* An endpoint as a backend: what its files share. backend_remote.c sends and retries,
 * backend_remote_format.c writes requests and reads answers. */
#ifndef EVAL_BACKEND_REMOTE_H
#define EVAL_BACKEND_REMOTE_H
#include "base/buffer.h"
#include "eval/backend.h"

enum eval_remote_path { EVAL_REMOTE_COMPLETIONS, EVAL_REMOTE_CHAT, EVAL_REMOTE_MESSAGES };

struct eval_remote_call {
    enum eval_remote_path path;
    const char *model;
    const struct eval_request *request;
    size_t repeat;
    bool messages;          /* the context is a JSON array of messages */
    bool completion_tokens; /* the limit is called max_completion_tokens */
};
/* The body of a request. New string (base_free). */
int eval_remote_write(const struct eval_remote_call *call, char **body);
/* The answer out of a response's body: for log-likelihoods the response, for texts (*text, new
 * string) and tokens. BASE_E_UNSUPPORTED when the endpoint does not do what was asked. */
int eval_remote_read(const struct eval_remote_call *call, const char *body, size_t bytes,
                     struct eval_response *response, char **text, size_t *tokens);
/* What an endpoint says went wrong: the message in its body, else the beginning of that. A buffer
 * of at least 200 bytes. */
void eval_remote_complaint(const char *body, size_t bytes, char *out, size_t room);
#endif
