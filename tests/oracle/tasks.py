#!/usr/bin/env python3
"""Prompts of Assay's tasks against lm-eval's own task code, string by string.

Two comparisons, each over contexts, continuations and document hashes of the first items, with 0 and 3
examples (lm-eval's draw, seed 1234, --fewshot-rng python):

  same    the same YAML file (tasks/NAME.yaml) through lm_eval.api.task.ConfigurableTask
  theirs  lm-eval's own YAML of that name and its Python functions, the set rewritten to the fields that
          the Hub's dataset has

    python tests/oracle/tasks.py [--assay ./assay] [--shared ../shared] [--items 200]

With --fixture FILE it writes what lm-eval gives for the tasks in tests/eval/data/tasks (prompts), and what
it makes of random answers for those in tests/eval/data/judge: tests/eval/data/tasks/lm_eval.json, which
tests/eval/test_task_prompt.c and test_task_judge.c read.
"""
import argparse, bz2, contextlib, copy, json, logging, os, random, subprocess, sys, tempfile

os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
logging.disable(logging.WARNING)
import datasets
import lm_eval
from lm_eval.api.registry import METRIC_REGISTRY
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml
from lm_eval.utils import handle_non_serializable, hash_string

datasets.disable_progress_bars()

p = argparse.ArgumentParser()
p.add_argument("--assay", default="./assay")
p.add_argument("--shared", default=os.environ.get("ASSAY_SHARED", "../shared"))
p.add_argument("--items", type=int, default=200)
p.add_argument("--fixture")
p.add_argument("names", nargs="*")
args = p.parse_args()
sets = f"{args.shared}/data/eval/sets"
corpora = f"{args.shared}/data/corpora"
work = tempfile.TemporaryDirectory()


def lines(name, directory=sets):
    path = f"{directory}/{name}"
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout.decode().split("\n")
    if name.endswith(".bz2"):
        return bz2.open(path, "rt", encoding="utf-8").read().split("\n")
    return open(path, encoding="utf-8").read().split("\n")


def rows(name):
    return [json.loads(l) for l in lines(name) if l.strip()]


def write_rows(name, records):
    path = f"{work.name}/{name}.jsonl"
    with open(path, "w", encoding="utf-8") as f:
        for r in records:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")
    return path


def wikitext_pages():
    """As the Hub's wikitext_document_level divides the raw file."""
    out, page = [], []
    for line in lines("wikitext2.test.raw.zst", corpora):
        title = line.replace("= = =", "===").replace("= =", "==").strip()
        if title.startswith("= ") and title.endswith(" ="):
            if "\n".join(page).strip():
                out.append("\n".join(page))
            page = []
        page.append(line)
    page = page[:-1] if page[-1] == "" else page  # the newline that ends the file
    return out + ["\n".join(page)]


def hellaswag_rows():
    l = lines("hellaswag_val_full.txt.bz2")
    keys = ["query", "label", "ending0", "ending1", "ending2", "ending3"]
    return [dict(zip(keys, l[i : i + 6])) for i in range(0, len(l) - 5, 6)]


def hf_files(name, config):
    """The task's data_files as plain files that the datasets library reads."""
    if name == "hellaswag":
        return "json", {"data_files": {"validation": write_rows("hellaswag", hellaswag_rows())}}
    if name == "wikitext":
        return "json", {"data_files": {"test": write_rows("wikitext", [{"text": t} for t in wikitext_pages()])}}
    if name == "blimp":  # one paradigm: the datasets library wants the same columns everywhere
        return "json", {"data_files": {"train": write_rows("blimp", rows("blimp_67x1000.jsonl.zst")[:1000])}}
    kwargs = copy.deepcopy(config["dataset_kwargs"])
    for split, file in kwargs["data_files"].items():
        for root in (f"{sets}/{file}", f"{sets}/{file}.zst", f"tasks/{file}"):
            if os.path.exists(root):
                break
        if root.endswith(".zst"):
            root = write_rows(f"{name}-{split}", rows(f"{file}.zst"))
        kwargs["data_files"][split] = os.path.abspath(root)
    return config["dataset_path"], kwargs


def lower_first(s):
    return s[0].lower() + s[1:]


def theirs(name):
    """(lm-eval's YAML, {split: records in the Hub's fields})"""
    letters = "ABCDEFGH"
    if name in ("arc_easy", "arc_challenge"):
        return f"arc/{name}.yaml", {"test": [
            {"question": r["query"][len("Question: "):], "answerKey": letters[r["gold"]],
             "choices": {"text": r["choices"], "label": list(letters[: len(r["choices"])])}} for r in rows(f"{name}.jsonl.zst")]}
    if name == "piqa":
        return "piqa/piqa.yaml", {"validation": [
            {"goal": r["query"][len("Question: "):-1], "sol1": r["choices"][0], "sol2": r["choices"][1], "label": r["gold"]}
            for r in rows("piqa.jsonl.zst")]}
    if name == "boolq":
        split = [(r, *r["query"][len("Passage: "):].rsplit("\nQuestion: ", 1)) for r in rows("boolq.jsonl.zst")]
        return "super_glue/boolq/default.yaml", {"validation": [
            {"passage": a, "question": q[:-1], "label": r["gold"]} for r, a, q in split]}
    if name == "sst2":
        read = lambda f: [dict(sentence=l.split("\t")[0], label=int(l.split("\t")[1])) for l in lines(f) if l]
        return "glue/sst2/default.yaml", {"train": read("sst2_train_sentences.tsv"), "validation": read("sst2_dev.tsv")}
    if name == "lambada_openai":
        return "lambada/lambada_openai.yaml", {"test": rows("lambada_test_openai_detok.jsonl.zst")}
    if name == "openbookqa":
        return "openbookqa/openbookqa.yaml", {"test": [
            {"question_stem": r["query"], "answerKey": letters[r["gold"]],
             "choices": {"text": r["choices"], "label": list("ABCD")}} for r in rows("openbook_qa.jsonl.zst")]}
    if name == "winogrande":
        out = []
        for r in rows("winogrande.jsonl.zst"):
            a, b = r["context_options"]
            n = len(os.path.commonprefix([a, b]))
            out.append({"sentence": a[:n] + "_ " + r["continuation"], "option1": a[n:], "option2": b[n:], "answer": str(r["gold"] + 1)})
        return "winogrande/default.yaml", {"validation": out}
    if name == "copa":
        out = []
        for r in rows("copa.jsonl.zst"):
            premise, word = r["query"].rsplit(", ", 1)
            out.append({"premise": premise + ".", "question": {"because": "cause", "therefore": "effect"}[word],
                        "choice1": r["choices"][0], "choice2": r["choices"][1], "label": r["gold"]})
        return "super_glue/copa/default.yaml", {"validation": out}
    if name == "wikitext":
        return "wikitext/wikitext.yaml", {"test": [{"page": t} for t in wikitext_pages()]}
    if name == "hellaswag":
        out = []
        for r in hellaswag_rows():
            label, text = r["query"].split(": ", 1)
            a, b = text.rsplit(". ", 1) if ". " in text and text.rsplit(". ", 1)[1][:1].islower() else (text, "")
            out.append({"activity_label": label, "ctx_a": a + ("." if b else ""), "ctx_b": b, "label": r["label"],
                        "endings": [r[f"ending{i}"] for i in range(4)]})
        return "hellaswag/hellaswag.yaml", {"validation": out}
    return None


def from_lm_eval(config, shots, items):
    for key in ("tag", "group"):
        config.pop(key, None)
    known = set(METRIC_REGISTRY)
    config["metric_list"] = [m for m in config.get("metric_list") or [] if m["metric"] in known] or None
    task = ConfigurableTask(config=config)
    if task.config.num_fewshot != 0:
        task.set_config(key="num_fewshot", value=shots)
    task.set_fewshot_seed(seed=1234)
    with open(os.devnull, "w") as null, contextlib.redirect_stderr(null):
        task.build_all_requests(limit=items)
    docs = {}
    for i in task.instances:
        docs.setdefault(i.metadata[1], []).append(i)
    out = []
    for doc_id in sorted(docs):
        requests = sorted(docs[doc_id], key=lambda i: i.idx)
        dump = json.dumps(requests[0].doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
        arguments = [list(r.args) for r in requests]
        out.append({"requests": [["", a[0]] if len(a) == 1 else [a[0], a[1] if isinstance(a[1], str) else None] for a in arguments],
                    "doc_hash": hash_string(dump), "prompt_hash": hash_string(requests[0].arguments[0]),
                    "target_hash": hash_string(str(task.doc_to_target(requests[0].doc)))})
    return out


def from_assay(name, shots, items, data):
    r = subprocess.run([args.assay, "tasks", "show", name, "--json", "--items", str(items), "--num-fewshot", str(shots),
                        "--fewshot-rng", "python", "--data", data], capture_output=True)
    if r.returncode:
        sys.exit(r.stderr.decode())
    return [{"requests": [[q["context"], q["continuation"]] for q in i["requests"]], "doc_hash": i["doc_hash"],
             "prompt_hash": i["prompt_hash"], "target_hash": i["target_hash"]} for i in json.loads(r.stdout)["items"]]


failures = 0


def compare(label, ours, reference, hashes):
    global failures
    bad = sum(a["requests"] != b["requests"] for a, b in zip(ours, reference))
    keys = ("doc_hash", "prompt_hash", "target_hash") if hashes else ("prompt_hash",)
    hashed = sum(any(a[k] != b[k] for k in keys) for a, b in zip(ours, reference))
    same = len(ours) == len(reference) and not bad and not hashed
    failures += not same
    print(f"{label:<38} {len(reference):>5} items  {'identical' if same else f'{bad} DIFFER, {hashed} hashes, {len(ours)} ours'}")
    if bad:
        a, b = next((a, b) for a, b in zip(ours, reference) if a["requests"] != b["requests"])
        for x, y in zip(a["requests"], b["requests"]):
            if x != y:
                print("   ours  ", repr(x)[:600], "\n   theirs", repr(y)[:600])
                break


def numpy_plain(o):
    return o.tolist()


def judged(path):
    """What lm-eval makes of answers drawn at random: answers and each filter's metrics, item by item."""
    config = load_yaml(path)
    folder = os.path.dirname(path)
    for split, file in config["dataset_kwargs"]["data_files"].items():
        config["dataset_kwargs"]["data_files"][split] = os.path.abspath(f"{folder}/{file}")
    task = ConfigurableTask(config=config)
    task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=1234)
    with open(os.devnull, "w") as null, contextlib.redirect_stderr(null):
        task.build_all_requests()
    rnd = random.Random(path.split("/")[-1])
    starts = ["", " ", "The answer is \"", "answer is ", "so 3 = ", "The ", "= "]
    ends = ["", ".", "\".", " \n", "!", " x", " = two"]
    items = {}
    for i in task.instances:
        if i.request_type == "generate_until":
            words = [o.strip() for o in i.doc["options"]] + 6 * [i.doc["options"][i.doc["label"]]] + ["one", "two", "X", "none"]
            i.resps = [rnd.choice(starts) + rnd.choice(words) + rnd.choice(ends) for _ in range(task.config.repeats)]
        elif i.request_type == "loglikelihood":
            i.resps = [(rnd.choice([-1.5, -2.25, -rnd.random() * 9]), rnd.random() < 0.4)]
        else:
            i.resps = [-rnd.random() * 99]
        items.setdefault(i.metadata[1], []).append(i)
    task.apply_filters()
    out = []
    for doc_id in sorted(items):
        requests = sorted(items[doc_id], key=lambda i: i.idx)
        metrics = {f: task.process_results(requests[0].doc, [r.filtered_resps[f] for r in requests]) for f in requests[0].filtered_resps}
        out.append({"responses": [r.resps for r in requests], "filtered": {f: requests[0].filtered_resps[f] for f in requests[0].filtered_resps},
                    "metrics": metrics})
    return out


if args.fixture:
    folder = "tests/eval/data/tasks"
    out = {}
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".yaml"):
            continue
        for shots in (0, 2):
            config = load_yaml(f"{folder}/{file}")
            for split, path in config["dataset_kwargs"]["data_files"].items():
                config["dataset_kwargs"]["data_files"][split] = os.path.abspath(f"{folder}/{path}")
            out[f"{file} {shots}"] = from_lm_eval(config, shots, None)
    folder = "tests/eval/data/judge"
    judge = {file: judged(f"{folder}/{file}") for file in sorted(os.listdir(folder)) if file.endswith(".yaml")}
    with open(args.fixture, "w", encoding="utf-8") as f:
        json.dump({"lm_eval": lm_eval.__version__, "tasks": out, "judged": judge}, f, default=numpy_plain, ensure_ascii=False, indent=1)
    sys.exit(0)

everything = ["arc_easy", "arc_challenge", "hellaswag", "winogrande", "piqa", "boolq", "sst2", "lambada_openai", "openbookqa",
              "copa", "wsc273", "commonsense_qa", "social_iqa", "blimp", "wikitext", "facts", "counting", "sums", "translation",
              "translation_choice"]
for name in args.names or everything:
    data = f"{sets}:{corpora}"
    rolling = name == "wikitext"
    for shots in (0,) if rolling else (0, 3):
        ours = from_assay(name, shots, args.items, data)
        config = load_yaml(f"tasks/{name}.yaml")
        config["dataset_path"], config["dataset_kwargs"] = hf_files(name, config)
        compare(f"{name}, {shots} examples, same YAML", ours, from_lm_eval(config, shots, args.items), name != "blimp")
        original = theirs(name)
        if original:
            tasks = os.path.join(os.path.dirname(lm_eval.__file__), "tasks")
            config = load_yaml(f"{tasks}/{original[0]}")
            files = {split: write_rows(f"{name}-theirs-{split}", r) for split, r in original[1].items()}
            for split in ("training_split", "validation_split", "test_split"):
                if config.get(split) not in files:
                    config[split] = None
            config.update(dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": files})
            compare(f"{name}, {shots} examples, theirs", ours, from_lm_eval(config, shots, args.items), False)
sys.exit(failures > 0)
