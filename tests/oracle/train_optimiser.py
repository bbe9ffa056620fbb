#!/usr/bin/env python3
"""Makes tests/train/data/optimiser.json: 20 steps of torch.optim.AdamW with clip_grad_norm_, in
float64 and float32, on a small problem: two tensors, a matrix that decays and a bias that does not;
the gradient of each is a fixed function of step and element, so any program can repeat it:

    p0[i] = sin(1 + i),  grad[t][i] = cos(0.7 t + 0.3 i) * (1 + t/10) + 0.1 * p[i]

and learning-rate factors of transformers.optimization, 0..29 of 30 steps with 5 of warm-up."""
import json, math, os, torch
from functools import partial
from transformers import optimization as o

def run(dtype):
    i = torch.arange(35, dtype=torch.float64)
    start = torch.sin(1 + i)
    w = torch.nn.Parameter(start[:30].reshape(5, 6).to(dtype))
    b = torch.nn.Parameter(start[30:].to(dtype))
    opt = torch.optim.AdamW([{"params": [w], "weight_decay": 0.1}, {"params": [b], "weight_decay": 0.0}],
                            lr=0.01, betas=(0.9, 0.95), eps=1e-8, foreach=False, fused=False)
    norms = []
    for t in range(20):
        g = torch.cos(0.7 * t + 0.3 * i) * (1 + t / 10)
        w.grad = (g[:30].reshape(5, 6).to(dtype) + 0.1 * w.detach())
        b.grad = (g[30:].to(dtype) + 0.1 * b.detach())
        norms.append(float(torch.nn.utils.clip_grad_norm_([w, b], 3.0)))
        opt.param_groups[0]["lr"] = opt.param_groups[1]["lr"] = 0.01 * (1 - t / 40)
        opt.step()
    return {"norms": norms, "w": w.detach().double().flatten().tolist(), "b": b.detach().double().tolist()}

def factors(make):
    p = torch.nn.Parameter(torch.zeros(1))
    opt = torch.optim.SGD([p], lr=1.0)
    s = make(opt)
    out = []
    for _ in range(30):
        out.append(opt.param_groups[0]["lr"])
        opt.step(); s.step()
    return out

W, T = 5, 30
schedules = {
    "constant": factors(lambda x: o.get_constant_schedule_with_warmup(x, W)),
    "linear": factors(lambda x: o.get_linear_schedule_with_warmup(x, W, T)),
    "cosine": factors(lambda x: o.get_cosine_schedule_with_warmup(x, W, T)),
    "cosine_floor": factors(lambda x: o.get_cosine_with_min_lr_schedule_with_warmup(x, W, T, min_lr_rate=0.1)),
    "wsd_floor": factors(lambda x: o.get_wsd_schedule(x, num_warmup_steps=W, num_decay_steps=10,
                                                      num_training_steps=T, decay_type="linear", min_lr_ratio=0.1)),
}
out = os.path.join(os.path.dirname(__file__), "..", "train", "data", "optimiser.json")
json.dump({"torch": torch.__version__, "f64": run(torch.float64), "f32": run(torch.float32),
           "schedules": schedules}, open(out, "w"), indent=0)
