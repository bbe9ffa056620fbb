#!/usr/bin/env python3
"""Makes tests/model/data/peer.{safetensors,bin,gguf} with the formats' own Python packages: the same tensors in
each (as far as the format has them), values by a formula that test_archive.c repeats."""
from collections import OrderedDict
import numpy as np
import torch
import gguf
from safetensors.torch import save_file

D = "tests/model/data/"
a = torch.arange(12, dtype=torch.float32).reshape(3, 4) * 0.5 - 2
b = (torch.arange(5, dtype=torch.float32) / 8).to(torch.float16)
c = (torch.arange(4, dtype=torch.float32).reshape(2, 2) * 3 - 4).to(torch.bfloat16)
s = torch.tensor(1.25)
z = torch.zeros(0, 3)
i = torch.tensor([1, -2, 2**40])
save_file({"a.weight": a, "b": b, "c": c, "s": s, "z": z, "i": i}, D + "peer.safetensors", metadata={"format": "pt", "tied": "b"})

# a parameter, a transposed view, a slice with an offset, two names for one storage, an expanded row
state = OrderedDict([("a.weight", torch.nn.Parameter(a)), ("b", b), ("c", c), ("s", s), ("z", z), ("i", i),
                     ("a.T", a.t()), ("a.tail", a[1:, 2:]), ("a.row", a[2]), ("again", a)])
state._metadata = OrderedDict([("", {"version": 1})])
torch.save(state, D + "peer.bin")
torch.save({"epoch": 3, "lr": 0.1, "state_dict": {"b": b}}, D + "peer_checkpoint.bin")
torch.save({"b": b}, D + "peer_legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"b": b, "when": np.float64(3)}, D + "peer_foreign.bin")

w = gguf.GGUFWriter(D + "peer.gguf", "llama")
w.add_block_count(2)
w.add_context_length(64)
w.add_rope_freq_base(10000.0)
w.add_token_list(["<s>", "\u2581the", "\u00e9"])
w.add_token_scores([0.0, -1.5, -2.25])
w.add_token_types([3, 1, 1])
w.add_bool("test.flag", True)
w.add_int64("test.big", -(2**40))
w.add_float64("test.double", 0.1)
w.add_tensor("a.weight", a.numpy())
w.add_tensor("b", b.numpy())
w.add_tensor("q", gguf.quants.quantize((np.arange(64, dtype=np.float32) - 31.5).reshape(2, 32), gguf.GGMLQuantizationType.Q8_0),
             raw_dtype=gguf.GGMLQuantizationType.Q8_0)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
