/* What a worker may say: frames in pieces of any size; nothing is kept beyond its limit. */
#include "agent/sandbox_frame.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_frames f = { .most = 4096 };
    if (size < 1)
        return 0;
    size_t piece = 1 + data[0];
    enum agent_frame_state s = AGENT_FRAME_FINE;
    for (size_t at = 1; at < size && s == AGENT_FRAME_FINE; at += piece) {
        s = agent_frames_take(&f, (const char *)data + at, size - at < piece ? size - at : piece);
        if (s == AGENT_FRAME_FINE && f.bytes.length > 4096 + 5 + 256 + 1)
            abort();
        if (!isfinite(f.done) || !isfinite(f.total) || strlen(f.message) >= sizeof f.message)
            abort();
        if (f.kind && f.kind != 'r' && f.kind != 'e' && f.kind != 'c')
            abort();
    }
    agent_frames_free(&f);
    return 0;
}
