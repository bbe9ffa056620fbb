/* What a worker says to its gate: frames on a pipe.
 *
 *   frame     kind (1 byte), length n (4 bytes, least first), n bytes
 *   'p'       how far the tool is: two doubles (done, total) and a text of at most 1,000 bytes
 *   'r'       the result as JSON            (last frame)
 *   'e' 'c'   why there is none, as text: the tool's own words, the cage's   (last frame)
 *
 * The worker is not trusted: it may write anything, and the reader takes nothing for granted. A
 * length is held against what its kind allows before anything is kept; after the last frame not one
 * byte may follow; progress may be told at most FRAME_PROGRESS_MOST times; numbers must be finite
 * and not negative; texts become valid UTF-8. What breaks this ends the worker. */
#ifndef AGENT_SANDBOX_FRAME_H
#define AGENT_SANDBOX_FRAME_H
#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

#define FRAME_PROGRESS_MOST  100000
#define FRAME_MESSAGE_MOST   1000 /* bytes of a progress message */
#define FRAME_ERROR_MOST     4096
#define FRAME_PROGRESS_EVERY 0.1 /* seconds between two that are passed on */

/* ---- the worker's side ---- */

/* One frame of two parts; false when the reader is gone. */
bool agent_frame_write(int fd, char kind, const void *head, size_t n, const void *text, size_t m);
/* From now on agent_tool_progress writes to this descriptor. */
void agent_frame_listen(int fd);
/* Writes the last progress that was held back, and then the frame that ends it all. */
void agent_frame_finish(int fd, char kind, const char *text, size_t n);

/* ---- the gate's side ---- */

struct agent_frames {
    size_t most;              /* bytes of a result; set it first */
    struct base_buffer bytes; /* come and not yet understood; then the result */
    char kind;                /* of the last frame; 0 = not there yet */
    unsigned told;            /* progress frames so far */
    bool news;                /* progress that has not been passed on */
    double done, total;
    char message[FRAME_MESSAGE_MOST * 3 + 1]; /* "" = none */
};
enum agent_frame_state {
    AGENT_FRAME_FINE,
    AGENT_FRAME_LARGE,  /* a result of more than `most` */
    AGENT_FRAME_BROKEN, /* not what a worker says */
    AGENT_FRAME_MEMORY, /* no memory */
};
/* What came in from the worker, in pieces of any size. */
enum agent_frame_state agent_frames_take(struct agent_frames *f, const char *data, size_t n);
void agent_frames_free(struct agent_frames *f);
#endif
