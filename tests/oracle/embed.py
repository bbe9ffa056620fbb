"""gensim's side of tests/embed: tokens, questions, evaluations, files and vocabulary.

    python3 tests/oracle/embed.py ../shared/data/sampling/gensim   (gensim 4.4, numpy)

Prints the values that stand as constants in tests/embed/test_text.c, test_vectors.c and
test_train.c, and with a second argument (the assay program) checks files in both directions."""
import hashlib, os, subprocess, sys, tempfile
import numpy as np
from gensim.models import KeyedVectors, Word2Vec
from gensim.parsing.preprocessing import preprocess_documents, preprocess_string
from gensim.utils import simple_preprocess

data = sys.argv[1]


def lines(name):
    with open(os.path.join(data, name), encoding="latin-1") as f:
        return [x for x in f.read().split("\n") if x.strip()]


def fnv(docs):
    h = 0xCBF29CE484222325
    for d in docs:
        for c in (" ".join(d) + "\n").encode():
            h = ((h ^ c) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


print("== tokens (test_text.c)")
for name in ("lee_background.cor", "lee.cor"):
    for how, f in (("gensim", preprocess_string), ("simple", simple_preprocess)):
        d = [f(x) for x in lines(name)]
        print(name, how, "documents", len(d), "tokens", sum(map(len, d)), "fnv %#018x" % fnv(d))
for s in ("<i>Hel 9lo</i> <b>Wo9 rld</b>! Th3     weather_is really g00d today, isn't it?",
          "a<>b <x>y< z> <<q> TECHNOLOGY possibly Assemblies flying Straße ΣΟΦΟΣ İstanbul naïve",
          "caresses ponies relational conditional hopefulness apologising doublying happily trilogies logi bly"):
    print(repr(s), preprocess_string(s), simple_preprocess(s))

print("== questions (test_vectors.c)")
n, size = 60, 10
words = ["w%d" % i for i in range(n - 2)] + ["W3", "W5"]
x = np.array([[((i * 7919 + k * 104729 + i * i * 31 + k * k * k * 17) % 1009) / 1009 - 0.5 for k in range(size)]
              for i in range(n)], dtype=np.float32)
kv = KeyedVectors(size)
kv.add_vectors(words, x)
print("similarity", "%.9f" % kv.similarity("w1", "w2"), "%.9f" % kv.similarity("w7", "w50"))
for pos, neg, restrict in ((["w1"], [], None), (["w2", "w3"], ["w1"], None), (["w9"], ["w4", "w6"], 30)):
    print(pos, neg, restrict, [(w, "%.6f" % s) for w, s in kv.most_similar(positive=pos, negative=neg, topn=4, restrict_vocab=restrict)])
with tempfile.TemporaryDirectory() as d:
    p = os.path.join(d, "pairs.tsv")
    with open(p, "w") as f:
        f.write("# comment\n")
        for i in range(30):
            f.write("w%d\tW%d\t%.2f\n" % (i, i + 7, (i * 37 % 100) / 10))
        f.write("w1\tnothing\t3.0\nbad line\n")
    q = os.path.join(d, "questions.txt")
    with open(q, "w") as f:
        f.write(": first\n")
        for i in range(0, 40):
            b = kv.most_similar(positive=["w%d" % (i + 1), "w%d" % (i + 2)], negative=["w%d" % i], topn=1)[0][0]
            # every third answer is wrong
            f.write("w%d w%d W%d %s\n" % (i, i + 1, i + 2, b if i % 3 else "w57"))
        f.write(": second part\nw1 w2 w3 nothing\nw1 w2\nw4 w5 w6 w7\n")
    pearson, spearman, oov = kv.evaluate_word_pairs(p)
    print("pairs spearman %.9f p %.9f pearson %.9f oov %.4f" % (spearman[0], spearman[1], pearson[0], oov))
    score, sections = kv.evaluate_word_analogies(q)
    for s in sections:
        print("analogies", s["section"], len(s["correct"]), len(s["correct"]) + len(s["incorrect"]))
    print(open(q).read().replace("\n", "\\n"))

print("== vocabulary (test_train.c)")
docs = preprocess_documents(lines("lee_background.cor"))
for hs in (0, 1):
    m = Word2Vec(vector_size=100, min_count=5, workers=1, hs=hs, negative=0 if hs else 5, seed=1)
    m.build_vocab(docs)
    wv = m.wv
    print("hs", hs, "words", len(wv), "first", wv.index_to_key[:5], [wv.get_vecattr(i, "count") for i in range(5)],
          "last", wv.index_to_key[-2:])
    print("keep", [int(wv.get_vecattr(i, "sample_int")) for i in (0, 1, 10, 100)])
    if hs:
        print("bits of Huffman's code", sum(len(wv.get_vecattr(i, "code")) * int(wv.get_vecattr(i, "count")) for i in range(len(wv))))
    else:
        c = m.cum_table.astype(float) / (2 ** 31 - 1)
        print("noise", ["%.7f" % (c[i] - (c[i - 1] if i else 0)) for i in (0, 1, 10, 1000)])

if len(sys.argv) > 2:
    print("== files")
    assay = sys.argv[2]
    with tempfile.TemporaryDirectory() as d:
        m = Word2Vec(docs, vector_size=30, min_count=20, workers=1, seed=1)
        for binary in (False, True):
            theirs, ours = os.path.join(d, "theirs"), os.path.join(d, "ours")
            m.wv.save_word2vec_format(theirs, binary=binary)
            for to in ([], ["--binary"]):
                subprocess.run([assay, "embed", "convert", theirs, "-o", ours] + to, check=True, stdout=subprocess.DEVNULL)
                back = KeyedVectors.load_word2vec_format(ours, binary=bool(to))
                assert back.index_to_key == m.wv.index_to_key
                assert np.array_equal(back.vectors, m.wv.vectors), (binary, to)
                if bool(to) == binary and binary:
                    assert open(ours, "rb").read() == open(theirs, "rb").read()
        print("gensim's text and binary files through assay and back: the same words and bits")
