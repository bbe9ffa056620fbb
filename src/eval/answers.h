/* Answers on disk: the journal by which a killed run goes on, and the cache that runs share (the
 * same format). A file is a sequence of records that is only ever appended to:
 *
 *   "ASYANSW1"  u32 bytes of the payload  key [32]  payload  u64 hash of all between
 *
 * little-endian. Whatever is no whole record (the torn end of a run that was killed, even with
 * records of another run behind it) is passed over. Appending takes a lock, so several processes
 * may share a cache. */
#ifndef EVAL_ANSWERS_H
#define EVAL_ANSWERS_H
#include "base/buffer.h"
#include <assay/task.h>

#define EVAL_KEY_BYTES 32
/* SHA-256 of the backend's identity and everything of the request that its answer depends on. */
int eval_answer_key(const char *identity, const struct eval_request *request,
                    uint8_t key[EVAL_KEY_BYTES]);

/* A response as bytes, exactly. */
int eval_answer_pack(struct base_buffer *b, const struct eval_response *response);
/* The response from the bytes (cleared by the caller, also after a failure); *used (may be NULL):
 * how many of them it took. Bytes that are none are BASE_E_FORMAT. */
int eval_answer_unpack(const void *data, size_t bytes, struct eval_response *response,
                       size_t *used);

struct eval_answers;
/* Files to read (missing ones are empty), and the one to append to, made when it is not there (may
 * be NULL, may be among those read). */
int eval_answers_open(struct eval_answers **out, const char *const *files, size_t n,
                      const char *append);
size_t eval_answers_count(const struct eval_answers *a); /* different keys read */
/* 1 and the response, or 0, or negative. */
int eval_answers_find(const struct eval_answers *a, const uint8_t key[EVAL_KEY_BYTES],
                      struct eval_response *response);
/* Appends; written out when enough has gathered or half a second has passed, synced every five. */
int eval_answers_put(struct eval_answers *a, const uint8_t key[EVAL_KEY_BYTES],
                     const struct eval_response *response);
int eval_answers_flush(struct eval_answers *a); /* written out and synced */
/* Flushes; a failure to do so is reported by eval_answers_flush only. NULL is fine. */
void eval_answers_close(struct eval_answers *a);
#endif
