/* assay graph sample as scripts and people use it: files, standard output, --json, usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"

static const char edges[] = "source,target\n"
                            "ann,bob\nbob,cem\ncem,ann\ncem,dan\ndan,eva\neva,fay\nfay,dan\n"
                            "gus,hal\n";

static const char *write_edges(void)
{
    const char *path = test_temporary_path(".csv");
    test_write_file(path, edges, sizeof edges - 1);
    return path;
}

static int64_t integer(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static char *slurp(const char *path)
{
    static char text[8][4096];
    static unsigned next;
    char *at = text[next++ % 8];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    at[fread(at, 1, sizeof text[0] - 1, f)] = '\0';
    fclose(f);
    return at;
}

static void every_method_by_name(void **state)
{
    (void)state;
    char path[512], out[512]; /* the helper's paths come round again */
    snprintf(path, sizeof path, "%s", write_edges());
    snprintf(out, sizeof out, "%s", test_temporary_path(".csv"));
    static const char *const names[] = {
        "random-node",
        "degree",
        "pagerank",
        "random-edge",
        "edge-induction",
        "node-edge",
        "hybrid",
        "edge-partial-induction",
        "random-walk",
        "restart",
        "jump",
        "metropolis-hastings",
        "non-backtracking",
        "circulated",
        "snowball",
        "common-neighbor",
        "loop-erased",
        "frontier",
        "forest-fire",
        "spikyball",
        "diffusion",
        "diffusion-tree",
        "community",
        "bfs",
        "dfs",
        "shortest-path",
        "node-neighbors",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *again = test_temporary_path(".csv"), *nodes = test_temporary_path(".csv");
        struct test_run r =
            test_assay(NULL, "graph", "sample", names[i], "-n", "2", "--seed", "3", "--json", "-o",
                       out, "--nodes", nodes, "--threads", "1", path, NULL);
        json_t *j = test_run_json(&r);
        assert_non_null(j);
        assert_string_equal(json_string_value(json_object_get(j, "method")), names[i]);
        assert_string_equal(json_string_value(json_object_get(j, "status")), "complete");
        assert_int_equal(integer(j, "nodes"), 2);
        /* every line is an edge of the file, in one order or the other */
        char *text = slurp(out);
        assert_true(strncmp(text, "source,target\n", 14) == 0);
        int64_t lines = 0;
        for (char *line = strtok(text + 14, "\n"); line; line = strtok(NULL, "\n"), lines++) {
            char turned[16];
            snprintf(turned, sizeof turned, "%.3s,%.3s", line + 4, line);
            assert_true(strstr(edges, line) || strstr(edges, turned));
        }
        assert_int_equal(lines, integer(j, "edges"));
        json_decref(j);
        test_run_free(&r);
        r = test_assay(NULL, "graph", "sample", names[i], "-n", "2", "--seed", "3", "--quiet",
                       "--threads", "2", "-o", again, path, NULL);
        assert_int_equal(r.rc, 0);
        assert_string_equal(r.err, "");
        assert_int_equal(r.out_bytes, 0);
        assert_string_equal(slurp(again), slurp(out));
        assert_true(strncmp(slurp(nodes), "node,visits,degree,weight\n", 26) == 0);
        unlink(again);
        unlink(nodes);
        test_run_free(&r);
    }
    unlink(out);
    unlink(path);
}

static void tells_why_it_ended(void **state)
{
    (void)state;
    const char *path = write_edges();
    struct test_run r = test_assay(NULL, "graph", "sample", "random-walk", "-n", "8", "--start",
                                   "gus", "--json", path, NULL);
    json_t *j = test_run_json(&r);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "status")), "exhausted");
    assert_string_equal(json_string_value(json_object_get(j, "reason")),
                        "all 2 nodes of the component of the start are in");
    assert_string_equal(json_string_value(json_object_get(j, "start")), "gus");
    assert_int_equal(integer(j, "nodes"), 2);
    assert_int_equal(integer(j, "edges"), 1);
    json_decref(j);
    test_run_free(&r);
    r = test_assay(NULL, "graph", "sample", "random-walk", "-n", "8", "--start", "gus",
                   "--exhausted", "restart", "--json", path, NULL);
    j = test_run_json(&r);
    assert_non_null(j);
    assert_int_equal(integer(j, "nodes"), 8);
    assert_int_equal(integer(j, "edges"), 8);
    assert_int_equal(integer(j, "restarts"), 1);
    json_decref(j);
    test_run_free(&r);
    r = test_assay(NULL, "graph", "sample", "bfs", "-n", "8", "--start", "gus", path, NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "source,target\ngus,hal\n");
    assert_non_null(strstr(r.err, "bfs: 2 of 8 nodes, 1 of 8 edges (walked)"));
    assert_non_null(strstr(r.err, "fewer than asked for: all 2 nodes"));
    test_run_free(&r);
    unlink(path);
}

static void reads_and_writes_other_forms(void **state)
{
    (void)state;
    const char *out = test_temporary_path(".graphml");
    struct test_run r = test_assay("1 2\n2 3\n3 1\n3 4\n", "graph", "sample", "random-node",
                                   "--frac", "0.75", "--delimiter", "space", "-o", out, "-", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(slurp(out), "<graphml"));
    test_run_free(&r);
    r = test_assay(NULL, "graph", "sample", "bfs", "-n", "3", "--json", out, NULL);
    json_t *j = test_run_json(&r);
    assert_non_null(j);
    assert_int_equal(integer(json_object_get(j, "graph"), "nodes"), 3);
    json_decref(j);
    test_run_free(&r);
    unlink(out);
    r = test_assay("a;b;c\nx;y;2\ny;x;3\ny;z;1\n", "graph", "sample", "degree", "-n", "3",
                   "--directed", "--delimiter", ";", "--weight", "c", "--header", "yes", "-", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "x,y,2\n"));
    assert_non_null(strstr(r.out, "y,x,3\n"));
    test_run_free(&r);
}

static void usage(void **state)
{
    (void)state;
    const char *path = write_edges();
    static const struct {
        const char *arguments[6], *message;
        int rc;
    } cases[] = {
        { { "bfs" }, "give one size", 2 },
        { { "bfs", "-n", "0" }, "--size is at least 1", 2 },
        { { "bfs", "--frac", "1.5" }, "--frac", 2 },
        { { "bfs", "-n", "2", "--frac", "0.5" }, "give one size", 2 },
        { { "walk", "-n", "2" }, "no sampling method \"walk\"", 2 },
        { { "bfs", "-n", "2", "--alpha", "1" },
          "--alpha is for metropolis-hastings, not for bfs",
          2 },
        { { "snowball", "-n", "2", "--p", "0.1" }, "forest-fire, spikyball", 2 },
        { { "bfs", "-n", "2", "--induce", "all" }, "choose auto, nodes, walked", 2 },
        { { "bfs", "-n", "9" }, "9 nodes were asked for, but the graph has 8", 1 },
        { { "bfs", "--steps", "9" }, "not of steps", 1 },
        { { "dfs", "-n", "2", "--start", "zoe" }, "there is no node \"zoe\"", 1 },
        { { "bfs", "-n", "2", "--delimiter", "ab" }, "one character", 2 },
        { { "bfs", "-n", "2", "--header", "x" }, "choose auto, yes or no", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *a = cases[i].arguments;
        const char *last[7] = { a[0], a[1], a[2], a[3], a[4], NULL, NULL };
        for (int k = 0; k < 7; k++)
            if (!last[k]) {
                last[k] = path;
                break;
            }
        struct test_run r = test_assay(NULL, "graph", "sample", last[0], last[1], last[2], last[3],
                                       last[4], last[5], last[6], NULL);
        if (r.rc != cases[i].rc || !strstr(r.err, cases[i].message))
            fail_msg("case %zu: exit %d, %s", i, r.rc, r.err);
        assert_int_equal(r.out_bytes, 0);
        test_run_free(&r);
    }
    struct test_run r = test_assay(NULL, "graph", "sample", "--methods", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "loop-erased"));
    test_run_free(&r);
    r = test_assay(NULL, "graph", "sample", "--methods", "--json", NULL);
    json_t *j = test_run_json(&r);
    assert_non_null(j);
    assert_int_equal(json_array_size(json_object_get(j, "methods")), 27);
    json_decref(j);
    test_run_free(&r);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_by_name),
        cmocka_unit_test(tells_why_it_ended),
        cmocka_unit_test(reads_and_writes_other_forms),
        cmocka_unit_test(usage),
    };
    return cmocka_run_group_tests_name("graph_sample_command", tests, NULL, NULL);
}
