"""word2vec beside gensim: time and scores on the same corpus, interleaved (bench/RESULTS.md).

    python3 bench/peers/embed.py ASSAY CORPUS OUTDIR SEEDS [sg|cbow] [window] [eval]

CORPUS has a sentence per line and is split at blanks by both. With "eval", every model is scored by
gensim on WordSim-353, SimLex-999 and questions-words (environment EVAL: the directory of these)."""
import json, os, subprocess, sys, time, resource
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
from gensim.models import KeyedVectors, Word2Vec

assay, corpus, out, seeds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sg, window, judge = sys.argv[5] == "sg", int(sys.argv[6]), len(sys.argv) > 7
sentences = [l.split() for l in open(corpus, encoding="utf8") if l.split()]


def score(kv):
    d = os.environ["EVAL"]
    r = []
    for f in ("wordsim353.tsv", "simlex999.txt"):
        r.append(kv.evaluate_word_pairs(os.path.join(d, f))[1][0])
    a = kv.evaluate_word_analogies(os.path.join(d, "questions-words.txt"))[0]
    return ["%.4f" % x for x in r + [a]]


def gensim(seed):
    t, c = time.time(), time.process_time()
    m = Word2Vec(vector_size=100, window=window, min_count=5, workers=2, sg=int(sg), seed=seed, epochs=5)
    m.build_vocab(sentences)
    t1, c1 = time.time(), time.process_time()
    m.train(sentences, total_examples=m.corpus_count, epochs=5)
    w, cpu = time.time() - t1, time.process_time() - c1
    return "gensim, 2 workers: train wall %.2f cpu %.2f (vocabulary %.2f)" % (w, cpu, c1 - c), m.wv


def ours(seed, how, threads):
    path = os.path.join(out, "bench.bin")
    before, t = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    args = [assay, "embed", "train", corpus, "--tokens", "plain", "--window", str(window), "--method",
            "skipgram" if sg else "cbow", "--seed", str(seed), "--threads", str(threads), "--binary", "-o", path] + how
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return "assay %s: whole command wall %.2f cpu %.2f" % (how or "sequential", time.time() - t,
                                                            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), path


for seed in range(1, seeds + 1):
    for name in ("gensim", "ours", "hogwild"):
        if name == "gensim":
            line, kv = gensim(seed)
        else:
            line, path = ours(seed, ["--hogwild"] if name == "hogwild" else [], 2)
            kv = KeyedVectors.load_word2vec_format(path, binary=True) if judge else None
        print("sg" if sg else "cbow", "seed", seed, line, *(score(kv) if judge else []), flush=True)
