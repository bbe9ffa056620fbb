"""BLEU, chrF, chrF++ and TER of random and of awkward texts by SacreBLEU, against Assay through a rescored samples file.

    python3 tests/oracle/corpus_metrics.py [--assay ./assay] [--items 300] [--table]

Makes a samples file as lm-eval writes it, has `assay rescore` judge it with the four metrics, and compares with
sacrebleu.corpus_* at its defaults, for one reference and for three. --table prints the cases that
tests/eval/test_task_judge.c holds. Needs sacrebleu.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import sacrebleu

METRICS = {
    "bleu": lambda h, r: sacrebleu.corpus_bleu(h, r).score,
    "chrf": lambda h, r: sacrebleu.corpus_chrf(h, r).score,
    "chrf++": lambda h, r: sacrebleu.corpus_chrf(h, r, word_order=2).score,
    "ter": lambda h, r: sacrebleu.corpus_ter(h, r).score,
}
AWKWARD = [
    ("", "nothing"), ("something", ""), ("", ""), ("a", "a"), ("1,000.50 - 20-30, e.g. (this) \"one\"...", "1,000.5 20-30, e.g. this 'one'."),
    ("&quot;Tom &amp; Jerry&quot; &amp;lt; x<skipped>", "\"Tom & Jerry\" < x"), ("line-\nbreak and\nmore ", "linebreak and more"),
    ("Zoë’s naïve café – “quoted” 東京 は 大きい。", "Zoë's naive café - \"quoted\" 東京は大きい。"), ("the the the the the", "the cat the"),
    ("b c d e f a", "a b c d e f"), ("(hi) !x x! !", "hi ! x"), ("A B C D E F G H", "e f g h a b c d"), ("\u00a0nbsp\u2003em\tspace", "nbsp em space"),
]


def noisy(rng, words):
    out = list(words)
    for _ in range(rng.randrange(0, 5)):
        if not out:
            break
        i = rng.randrange(len(out))
        kind = rng.random()
        if kind < 0.3:
            del out[i]
        elif kind < 0.6:
            out.insert(i, rng.choice(VOCABULARY))
        else:
            n = rng.randrange(1, 5)
            piece, out = out[i : i + n], out[:i] + out[i + n :]
            j = rng.randrange(len(out) + 1)
            out[j:j] = piece
    return " ".join(out)


VOCABULARY = "the a cat dog sat on mat, ran. quickly (and) then: 3.14 1,000 e-mail Haus größer naïve ; ' \" end - x/y".split()


def cases(rng, n, references):
    out = [([b] + [b + " x"] * (references - 1), a) for a, b in AWKWARD]
    for _ in range(n):
        words = [rng.choice(VOCABULARY) for _ in range(rng.randrange(1, 40))]
        out.append(([noisy(rng, words) for _ in range(references)], noisy(rng, words)))
    return out


def by_assay(program, items):
    with tempfile.TemporaryDirectory() as d:
        task, samples = Path(d) / "t.yaml", Path(d) / "samples_t_2026-01-01T00-00-00.0.jsonl"
        several = len(items[0][0]) > 1
        target = "a" if several else '"{{a}}"'
        task.write_text(f"task: t\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: {target}\n"
                        "metric_list:\n" + "".join(f"  - metric: {m}\n" for m in METRICS))
        with open(samples, "w", encoding="utf-8") as f:
            for i, (refs, hyp) in enumerate(items):
                f.write(json.dumps({"doc_id": i, "doc": {"q": "", "a": refs if several else refs[0]}, "target": "", "arguments": {
                    "gen_args_0": {"arg_0": "", "arg_1": {}}}, "resps": [[hyp]], "filtered_resps": [hyp], "filter": "none", "metrics": [],
                    "doc_hash": f"{i:064x}", "prompt_hash": "", "target_hash": ""}) + "\n")
        out = subprocess.run([program, "rescore", str(samples), "--task", str(task), "-o", f"{d}/out", "--store", "none", "--json"],
                             capture_output=True, text=True)
        if out.returncode:
            raise SystemExit(out.stderr)
        (results,) = json.loads(out.stdout)["results"].values()
        return {m: results[m]["value"] for m in METRICS}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--assay", default="./assay")
    p.add_argument("--items", type=int, default=300)
    p.add_argument("--table", action="store_true")
    a = p.parse_args()
    if a.table:
        for hyp, ref in AWKWARD + [(noisy(random.Random(i), VOCABULARY), noisy(random.Random(i + 50), VOCABULARY)) for i in range(4)]:
            print("    { " + json.dumps(hyp, ensure_ascii=False) + ", " + json.dumps(ref, ensure_ascii=False) + ", { "
                  + ", ".join(repr(f([hyp], [[ref]])) for f in METRICS.values()) + " } },")
        return 0
    worst = 0.0
    for seed in range(6):
        for references in (1, 3):
            items = cases(random.Random(seed), a.items if seed else 0, references)
            for chunk in (items, items[:1], items[5:9], items[-3:]):
                ours = by_assay(a.assay, chunk)
                for m, f in METRICS.items():
                    theirs = f([h for _, h in chunk], [list(r) for r in zip(*[r for r, _ in chunk])])
                    worst = max(worst, abs(ours[m] - theirs))
                    if abs(ours[m] - theirs) > 1e-9:
                        print(f"seed {seed}, {references} references, {len(chunk)} items: {m} {ours[m]} against {theirs}")
    print(f"largest difference {worst:.1e}")
    return worst > 1e-9


if __name__ == "__main__":
    sys.exit(main())
