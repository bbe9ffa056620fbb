/* chat: a conversation as the text that an instruct model was trained on, by the model's own chat
 * template. */
#ifndef ASSAY_CHAT_H
#define ASSAY_CHAT_H
#include <assay/template.h>
#include <assay/tokenizer.h>

struct eval_chat;
struct eval_chat_options {
    /* One of a model's named templates ("default", "tool_use", "rag"); NULL = "tool_use" when tools
     * are given and there is one, else "default". */
    const char *name;
    const char *source; /* a template to use instead of the model's own; NULL = the model's */
    const char *now;    /* for strftime_now, see template.h */
};
/* model: what -m takes: a directory (chat_template.jinja, chat_template.json,
 * additional_chat_templates/NAME.jinja, tokenizer_config.json: a string, or a list of {name,
 * template}), a .gguf file (tokenizer.chat_template and tokenizer.chat_template.NAME),
 * builtin:tiny. BOS, EOS and the other special tokens come from tokenizer_config.json or the GGUF's
 * ids, and are strings for the template. BASE_E_ARGUMENT when the model has no chat template, or
 * none of that name (lists them). */
int eval_chat_open(struct eval_chat **out, const char *model,
                   const struct eval_chat_options *options);
void eval_chat_close(struct eval_chat *c); /* NULL is fine */

struct eval_chat_request {
    const json_t *messages;     /* array of {"role", "content", ...} */
    const json_t *tools;        /* array of JSON schemas, or NULL */
    const json_t *documents;    /* array, or NULL */
    const json_t *extra;        /* object of further variables (enable_thinking), or NULL */
    bool add_generation_prompt; /* end where the assistant's answer begins */
    bool continue_final;        /* end inside the last message, so that the model goes on with it */
};
/* The conversation as text: new string (base_free). It holds its own BOS, if the template writes
 * one: encode it without adding special tokens, but with those in the text recognised. */
int eval_chat_render(const struct eval_chat *c, const struct eval_chat_request *request,
                     char **text, size_t *bytes);
/* The template's text, for records. */
const char *eval_chat_source(const struct eval_chat *c);
#endif
