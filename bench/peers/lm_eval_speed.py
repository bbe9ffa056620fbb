"""Assay and lm-eval (HF backend) in turns on the same model, task file and items.

    python3 bench/peers/lm_eval_speed.py --model ../shared/data/models/tinystories-656k --limit 100 --threads 2
    python3 bench/peers/lm_eval_speed.py --model /tmp/gpt2-124m --limit 10 --case choice

choice: ARC-Easy, four choices, 5 shots. rolling: log-likelihood of whole texts in windows of the model's context.
Wall-clock and CPU seconds, with start-up (imports, loading, task) and without; ratios within each pair of turns.
On a machine with other work the CPU seconds at --threads 1 are the figure to use.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error",
                  OMP_WAIT_POLICY="passive")
SETS = {"choice": "arc_easy_5shot", "rolling": "rolling_long"}


def oracle():
    spec = importlib.util.spec_from_file_location("oracle_eval", Path(__file__).parents[2] / "tests/oracle/eval.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer(a):
    """In a process of its own: prints one line of JSON."""
    begin = time.perf_counter()
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(a.threads)
    model = oracle().load_peer(a.model, a.case[0] == "rolling", int(a.batch))
    manager = TaskManager(include_path=a.tasks, include_defaults=False)
    ready, cpu = time.perf_counter(), time.process_time()
    lm_eval.simple_evaluate(model=model, tasks=[f"oracle_{SETS[a.case[0]]}"], task_manager=manager, limit=a.limit, bootstrap_iters=0,
                            log_samples=True)
    print(json.dumps({"seconds": time.perf_counter() - ready, "total": time.perf_counter() - begin,
                      "cpu": time.process_time() - cpu, "cpu_total": time.process_time()}))


def run_peer(a, case, tasks):
    command = [sys.executable, __file__, "--peer", "--model", a.model, "--tasks", tasks, "--case", case, "--limit", str(a.limit),
               "--threads", str(a.threads), "--batch", str(a.batch)]
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads), HF_HOME=tasks)
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env).stdout
    return json.loads(out.strip().splitlines()[-1])


def run_assay(a, case, tasks):
    command = [a.assay, "eval", "-m", a.model, "-t", f"oracle_{SETS[case]}", "--include", tasks, "--limit", str(a.limit),
               "--overlength", "truncate", "--join", "lm-eval", "--threads", str(a.threads), "-o", tempfile.mkdtemp(dir=tasks), "--store", "none", "--json",
               "--quiet"]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    total, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": out["seconds"], "total": total, "cpu": out["cpu_seconds"], "cpu_total": cpu, "backend": out["backend"]}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--assay", default="./assay")
    p.add_argument("--model", required=True)
    p.add_argument("--data", default="../shared/data/eval/sets")
    p.add_argument("--limit", type=int, default=100)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", default="8", help="lm-eval's batch size")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--case", action="append", choices=list(SETS))
    p.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--tasks", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        return peer(a)
    with tempfile.TemporaryDirectory() as tasks:
        for case in a.case or list(SETS):
            oracle().write_task(SETS[case], a.data, a.limit, tasks)
            for _ in range(a.rounds):
                ours, theirs = run_assay(a, case, tasks), run_peer(a, case, tasks)
                figures = "  ".join(f"{k} {ours[k]:.2f}/{theirs[k]:.2f} = {theirs[k] / ours[k]:.1f}x"
                                    for k in ("seconds", "total", "cpu", "cpu_total"))
                print(f"{case:8} {figures}  ({ours['backend']['forward_tokens']} tokens run, {ours['backend']['shared_tokens']} shared)",
                      flush=True)


if __name__ == "__main__":
    main()
