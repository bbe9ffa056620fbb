#!/usr/bin/env python3
"""Makes tests/tensor/data/quants.bin with the gguf package (numpy reference of ggml's formats).

Records: 8 bytes dtype name (NUL-padded), u32 weights, u32 bytes, the blocks, the weights as f32. The
last record, "q8_0enc", holds the blocks that ggml's quantiser makes of the weights that follow."""
import struct
import numpy as np
from gguf import GGMLQuantizationType as T, quants

rng = np.random.default_rng(7)
halves = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
          T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q2_K: [80, 82], T.Q3_K: [108]}
sizes = {T.Q8_0: (32, 34), T.Q4_0: (32, 18), T.Q4_K: (256, 144), T.Q5_K: (256, 176), T.Q6_K: (256, 210),
         T.Q4_1: (32, 20), T.Q5_0: (32, 22), T.Q5_1: (32, 24), T.Q2_K: (256, 84), T.Q3_K: (256, 110)}
out = b""
for t, places in halves.items():
    block, size = sizes[t]
    rows = 4
    raw = rng.integers(0, 256, (rows, size), dtype=np.uint8)
    for p in places:
        raw[:, p:p + 2] = (rng.standard_normal(rows) * 0.01).astype(np.float16).view(np.uint8).reshape(rows, 2)
    w = quants.dequantize(raw, t).astype(np.float32)
    out += t.name.lower().encode().ljust(8, b"\0") + struct.pack("<II", rows * block, rows * size) + raw.tobytes() + w.tobytes()
w = (rng.standard_normal(256) * np.exp(rng.standard_normal(256) * 2)).astype(np.float32)
w[64:96] = 0
w[96:128] *= 1e-9
w[128:160] = np.arange(-16, 16) * 127 / 32 + np.float32(0.5)
raw = quants.quantize(w.reshape(1, -1), T.Q8_0)
out += b"q8_0enc".ljust(8, b"\0") + struct.pack("<II", 256, raw.size) + raw.tobytes() + w.tobytes()
open("tests/tensor/data/quants.bin", "wb").write(out)
