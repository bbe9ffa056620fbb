"""Assay and PyTorch in turns (A B A B ...) on the same shapes; ratios within each pair.

    assay bench --make gpt2-124m /tmp/gpt2-124m
    python3 bench/peers/compare.py --model /tmp/gpt2-124m --threads 2 --rounds 3

Each turn is one run after one that warms up. A pair's ratio is Assay's tokens/s over PyTorch's, so a
machine that is slower for a while slows both. With --cpu rates are per second of CPU time instead: at one
thread that is the figure to use on a machine with other work on it.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

CASES = {  # name: (what, batch, tokens, assay's dtype, assay's compute, torch's dtype)
    "forward 1x1024 f32": ("forward", 1, 1024, None, "f32", "f32"),
    "forward 4x256 f32": ("forward", 4, 256, None, "f32", "f32"),
    "decode 64 f32": ("decode", 1, 64, None, "f32", "f32"),
    "decode 64 bf16": ("decode", 1, 64, "bf16", "f32", "bf16"),
    "train 2x128 f32": ("train", 2, 128, None, "f32", "f32"),
    "forward 1x1024 bf16": ("forward", 1, 1024, None, "bf16", "bf16"),
}


def assay_run(a, what, batch, tokens, dtype, compute):
    command = [a.assay, "bench", what, "-m", a.model, "--json", "--repeat", "1", "--batch", str(batch),
               "--tokens", str(tokens), "--threads", str(a.threads), "--compute", compute]
    if dtype:
        command += ["--dtype", dtype]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--assay", default="./assay")
    p.add_argument("--model", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--cpu", action="store_true")
    p.add_argument("--case", action="append", help="only these; may repeat")
    a = p.parse_args()
    torch = subprocess.Popen([sys.executable, str(Path(__file__).with_name("torch_gpt2.py")), "serve"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    print(f"{'case':22} {'assay':>9} {'torch':>9} {'ratio':>6}   per pair ({'CPU' if a.cpu else 'wall'} time, tokens/s)", flush=True)
    for name in a.case or list(CASES)[:5]:
        what, batch, tokens, dtype, compute, torch_dtype = CASES[name]
        ours, theirs, peaks = [], [], []
        for _ in range(a.rounds):
            r = assay_run(a, what, batch, tokens, dtype, compute)
            torch.stdin.write(f"{what} --batch {batch} --tokens {tokens} --dtype {torch_dtype} --threads {a.threads} --repeat 1\n")
            torch.stdin.flush()
            t = json.loads(torch.stdout.readline())
            key = "cpu_seconds" if a.cpu else "seconds"
            ours.append(batch * tokens / r[key])
            theirs.append(batch * tokens / t[key])
            peaks.append(r["peak_bytes"])
        ratios = [x / y for x, y in zip(ours, theirs)]
        print(f"{name:22} {statistics.median(ours):9.1f} {statistics.median(theirs):9.1f} {statistics.median(ratios):6.2f}   "
              + " ".join(f"{x:.2f}" for x in ratios) + f"   assay's peak {max(peaks) / 1e6:.0f} MB", flush=True)
    torch.stdin.close()
    torch.wait()


if __name__ == "__main__":
    main()
