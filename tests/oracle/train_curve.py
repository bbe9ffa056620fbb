#!/usr/bin/env python3
"""Makes tests/train/data/{gpt2,llama}/ (tiny random models in HF layout), documents.jsonl,
validation.jsonl and curve.json: 20 training steps in PyTorch (transformers' models, torch AdamW,
clip_grad_norm_, transformers' cosine schedule), in float64 and in float32.

Rows: documents laid end to end, each of L tokens giving L-1 (token, next token) places, cut into rows of
32 places; 4 rows a step; every piece of a document within a row is a sequence of its own. The loss is
the sum of all token losses over the number of labels of the step."""
import json, os, random, torch, transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.optimization import get_cosine_schedule_with_warmup

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train", "data")
LENGTH, BATCH, STEPS, LR, WD = 32, 4, 20, 3e-3, 0.1
random.seed(7)

def documents(n):
    out = []
    for _ in range(n):  # counting runs with a random start and stride: something to learn
        start, stride, length = random.randrange(2, 60), random.randrange(1, 5), random.randrange(3, 45)
        out.append([2 + (start + stride * k) % 60 for k in range(length)] + [1])
    return out

def rows(docs):
    places = [(d, k) for d, doc in enumerate(docs) for k in range(len(doc) - 1)]
    return [places[i:i + LENGTH] for i in range(0, len(places), LENGTH)]

def pieces(docs, row):
    out = []
    for d, k in row:
        if out and out[-1][0] == d:
            out[-1][2] = k
        else:
            out.append([d, k, k])
    return [(docs[d][a:b + 1], docs[d][a + 1:b + 2]) for d, a, b in out]

def loss_sum(model, docs, batch):
    total, labels = 0, 0
    for row in batch:
        for ids, targets in pieces(docs, row):
            logits = model(torch.tensor([ids])).logits[0]
            total = total + torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="sum")
            labels += len(targets)
    return total, labels

def train(model, docs, validation):
    decay = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": WD}, {"params": plain, "weight_decay": 0.0}],
                            lr=LR, betas=(0.9, 0.95), eps=1e-8)
    schedule = get_cosine_schedule_with_warmup(opt, 3, STEPS)
    all_rows, at = rows(docs), 0
    losses, norms = [], []
    for _ in range(STEPS):
        batch = [all_rows[(at + i) % len(all_rows)] for i in range(BATCH)]
        at += BATCH
        total, labels = loss_sum(model, docs, batch)
        (total / labels).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        losses.append(float(total / labels))
        opt.step(); schedule.step(); opt.zero_grad()
    with torch.no_grad():
        total, labels = loss_sum(model, validation, rows(validation))
    return {"loss": losses, "grad_norm": norms, "validation_loss": float(total / labels)}

def write(name, docs):
    with open(os.path.join(here, name), "w") as f:
        for d in docs:
            f.write(json.dumps(d, separators=(",", ":")) + "\n")

torch.set_num_threads(1)
docs, validation = documents(60), documents(12)
write("documents.jsonl", docs); write("validation.jsonl", validation)
common = dict(vocab_size=64, bos_token_id=1, eos_token_id=1)
configs = {
    "gpt2": (GPT2LMHeadModel, GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=32, resid_pdrop=0.0,
                                         embd_pdrop=0.0, attn_pdrop=0.0, **common)),
    "llama": (LlamaForCausalLM, LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                            num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                                            max_position_embeddings=64, tie_word_embeddings=False, **common)),
}
curves = {"torch": torch.__version__, "transformers": transformers.__version__, "lr": LR, "weight_decay": WD}
for name, (cls, config) in configs.items():
    torch.manual_seed(1)
    model = cls(config)
    with torch.no_grad():  # weights larger than the usual start, so that every gradient matters
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.08)
    model.save_pretrained(os.path.join(here, name))
    extra = os.path.join(here, name, "generation_config.json")
    if os.path.exists(extra):
        os.remove(extra)
    curves[name] = {}
    for key, dtype in (("f64", torch.float64), ("f32", torch.float32)):
        m = cls.from_pretrained(os.path.join(here, name), attn_implementation="eager", dtype=dtype)
        m.train()
        curves[name][key] = train(m, docs, validation)
json.dump(curves, open(os.path.join(here, "curve.json"), "w"), indent=0)
for n in configs:
    print(n, curves[n]["f64"]["loss"][0], curves[n]["f64"]["loss"][-1], max(abs(a - b) for a, b in zip(curves[n]["f64"]["loss"], curves[n]["f32"]["loss"])))
