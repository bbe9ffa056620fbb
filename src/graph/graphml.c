/* GraphML (Brandes et al. 2002) into a graph: keys, one <graph>, its nodes and edges, and of their
 * data only what a graph here has: names of nodes, one weight per edge. */
#include "base/memory.h"
#include "graph/reader.h"
#include "graph/xml.h"
#include <stdio.h>
#include <string.h>

#define NO_NAME UINT64_MAX

struct graphml {
    struct graph_xml xml;
    const struct graph_read_options *options;
    struct graph_reader reader;
    char *name_key, *weight_key; /* ids of the keys of names and of the weight */
    double default_weight;
    bool has_default;
    bool graph, done;  /* <graph> has begun, has ended */
    uint8_t *declared; /* [names' room] */
    uint64_t *name_at; /* [names' room] where the data name begins in name_text, or NO_NAME */
    size_t room;
    struct base_buffer name_text;
    /* the element at work */
    uint32_t node;
    char *source, *target;
    double weight;
    bool weighed;
};

static int fail(struct graphml *r, int code, const char *what)
{
    return graph_xml_fail(&r->xml, code, "%s", what);
}

static int node_slot(struct graphml *r, const char *id, uint32_t *index)
{
    int rc = graph_names_add(&r->reader.names, id, strlen(id), index);
    if (rc)
        return rc;
    while (*index >= r->room) {
        size_t room = r->room ? r->room * 2 : 1024;
        uint8_t *declared = base_realloc(r->declared, room, 1);
        if (declared)
            r->declared = declared;
        uint64_t *at = declared ? base_realloc(r->name_at, room, sizeof *at) : NULL;
        if (!at)
            return BASE_E_MEMORY;
        r->name_at = at;
        memset(declared + r->room, 0, room - r->room);
        for (size_t i = r->room; i < room; i++)
            at[i] = NO_NAME;
        r->room = room;
    }
    return 0;
}

/* Text inside the element just begun, up to its end; children are refused. Blanks around it go. */
static int content(struct graphml *r, struct base_buffer *to, size_t *from)
{
    int event;
    *from = to->length;
    while ((event = graph_xml_next(&r->xml)) == GRAPH_XML_TEXT) {
        if (to->length - *from + r->xml.text.length > GRAPH_XML_MOST)
            return fail(r, BASE_E_LIMIT, "data larger than 1 MiB");
        int rc =
            base_buffer_append(to, r->xml.text.data ? r->xml.text.data : "", r->xml.text.length);
        if (rc)
            return rc;
    }
    if (event < 0)
        return event;
    if (event != GRAPH_XML_END)
        return fail(r, BASE_E_UNSUPPORTED, "elements inside <data> or <default> are not read");
    while (to->length > *from && strchr(" \t\r\n", to->data[to->length - 1]))
        to->length--;
    size_t skip = 0;
    while (*from + skip < to->length && strchr(" \t\r\n", to->data[*from + skip]))
        skip++;
    *from += skip;
    char nul = 0;
    return base_buffer_append(to, &nul, 1);
}

/* Up to the end of the element just begun, whatever is in it. */
static int skip(struct graphml *r)
{
    size_t depth = 1;
    while (depth) {
        int event = graph_xml_next(&r->xml);
        if (event < 0)
            return event;
        depth += event == GRAPH_XML_START;
        depth -= event == GRAPH_XML_END;
    }
    return 0;
}

static int weight_parse(struct graphml *r, const char *text, double *out)
{
    if (data_cell_number((struct data_cell){ text, strlen(text) }, out) && *out >= 0)
        return 0;
    return graph_xml_fail(&r->xml, BASE_E_FORMAT,
                          "weight \"%.40s\": expected a number of 0 or more", text);
}

/* <key id="d0" for="edge" attr.name="weight" attr.type="double"> <default>1</default> </key> */
static int key(struct graphml *r)
{
    const char *id = graph_xml_attribute(&r->xml, "id"), *of = graph_xml_attribute(&r->xml, "for"),
               *name = graph_xml_attribute(&r->xml, "attr.name");
    if (!id)
        return fail(r, BASE_E_FORMAT, "<key> without an id");
    bool all = !of || strcmp(of, "all") == 0;
    bool weighs = false;
    if (name && strcmp(name, "name") == 0 && (all || strcmp(of, "node") == 0) && !r->name_key &&
        !(r->name_key = base_strdup(id)))
        return BASE_E_MEMORY;
    if (r->options->weight && !r->weight_key && (all || strcmp(of, "edge") == 0) &&
        ((name && strcmp(name, r->options->weight) == 0) || strcmp(id, r->options->weight) == 0)) {
        weighs = true;
        if (!(r->weight_key = base_strdup(id)))
            return BASE_E_MEMORY;
    }
    for (;;) {
        int event = graph_xml_next(&r->xml), rc = 0;
        if (event < 0)
            return event;
        if (event == GRAPH_XML_END)
            return 0;
        if (event != GRAPH_XML_START)
            continue;
        if (weighs && strcmp(r->xml.name, "default") == 0) {
            struct base_buffer b = { 0 };
            size_t from;
            rc = content(r, &b, &from);
            if (!rc && !(rc = weight_parse(r, b.data + from, &r->default_weight)))
                r->has_default = true;
            base_buffer_free(&b);
        } else
            rc = skip(r);
        if (rc)
            return rc;
    }
}

/* The <data> and other children of a node or an edge, up to its end. */
static int children(struct graphml *r, bool edge)
{
    for (;;) {
        int event = graph_xml_next(&r->xml), rc = 0;
        if (event < 0)
            return event;
        if (event == GRAPH_XML_END)
            return 0;
        if (event == GRAPH_XML_TEXT)
            continue;
        if (strcmp(r->xml.name, "graph") == 0 || strcmp(r->xml.name, "port") == 0)
            return fail(r, BASE_E_UNSUPPORTED, "nested graphs and ports are not read");
        const char *of =
            strcmp(r->xml.name, "data") == 0 ? graph_xml_attribute(&r->xml, "key") : NULL;
        if (of && edge && r->weight_key && strcmp(of, r->weight_key) == 0) {
            struct base_buffer b = { 0 };
            size_t from;
            rc = content(r, &b, &from);
            rc = rc ? rc : weight_parse(r, b.data + from, &r->weight);
            r->weighed = true;
            base_buffer_free(&b);
        } else if (of && !edge && r->name_key && strcmp(of, r->name_key) == 0) {
            size_t from;
            rc = content(r, &r->name_text, &from);
            r->name_at[r->node] = rc || !r->name_text.data[from] ? NO_NAME : from;
        } else
            rc = skip(r);
        if (rc)
            return rc;
    }
}

static int node(struct graphml *r)
{
    const char *id = graph_xml_attribute(&r->xml, "id");
    if (!id || !*id)
        return fail(r, BASE_E_FORMAT, "<node> without an id");
    int rc = node_slot(r, id, &r->node);
    if (rc)
        return rc;
    if (r->declared[r->node])
        return graph_xml_fail(&r->xml, BASE_E_FORMAT, "a second node \"%.60s\"", id);
    r->declared[r->node] = 1;
    return children(r, false);
}

static int edge(struct graphml *r)
{
    const char *s = graph_xml_attribute(&r->xml, "source"),
               *t = graph_xml_attribute(&r->xml, "target"),
               *d = graph_xml_attribute(&r->xml, "directed");
    uint32_t unused;
    if (!s || !*s || !t || !*t)
        return fail(r, BASE_E_FORMAT, "<edge> needs a source and a target");
    if (d && (strcmp(d, "true") == 0) != r->reader.directed)
        return fail(r, BASE_E_UNSUPPORTED,
                    "an edge whose direction differs from the graph's edgedefault");
    int rc = node_slot(r, s, &unused);
    rc = rc ? rc : node_slot(r, t, &unused);
    if (rc)
        return rc;
    base_free(r->source);
    base_free(r->target);
    r->source = base_strdup(s);
    r->target = base_strdup(t);
    if (!r->source || !r->target)
        return BASE_E_MEMORY;
    r->weight = r->has_default ? r->default_weight : 1;
    r->weighed = r->has_default;
    if ((rc = children(r, true)))
        return rc;
    if (r->weight_key && !r->weighed)
        return graph_xml_fail(&r->xml, BASE_E_FORMAT, "edge %.60s-%.60s has no weight", r->source,
                              r->target);
    return graph_reader_add(&r->reader, (struct data_cell){ r->source, strlen(r->source) },
                            (struct data_cell){ r->target, strlen(r->target) }, r->weight);
}

static int begin_graph(struct graphml *r)
{
    const char *way = graph_xml_attribute(&r->xml, "edgedefault");
    if (r->graph)
        return fail(r, BASE_E_UNSUPPORTED, "a second graph: files of one graph are read");
    r->graph = true;
    if (!way || (strcmp(way, "directed") != 0 && strcmp(way, "undirected") != 0))
        return fail(r, BASE_E_FORMAT, "<graph> needs edgedefault=\"directed\" or \"undirected\"");
    r->reader.directed = way[0] == 'd';
    if (r->options->directed && !r->reader.directed)
        return graph_xml_fail(&r->xml, BASE_E_ARGUMENT,
                              "its edges have no direction (edgedefault): it cannot be read as "
                              "directed");
    if (r->options->weight && !r->weight_key)
        return graph_xml_fail(&r->xml, BASE_E_ARGUMENT, "there is no key of edges named \"%s\"",
                              r->options->weight);
    return 0;
}

static int parse(struct graphml *r)
{
    uint64_t count = 0;
    for (;;) {
        int event = graph_xml_next(&r->xml), rc = 0;
        if (event <= 0)
            return event;
        if (event == GRAPH_XML_END)
            r->done = r->done || strcmp(r->xml.name, "graph") == 0;
        if (event != GRAPH_XML_START)
            continue;
        const char *name = r->xml.name;
        bool inside = r->graph && !r->done;
        if (r->xml.depth == 1)
            rc = strcmp(name, "graphml") == 0
                     ? 0
                     : graph_xml_fail(&r->xml, BASE_E_FORMAT,
                                      "the root element is <%.60s>, expected <graphml>", name);
        else if (strcmp(name, "key") == 0 && !r->graph)
            rc = key(r);
        else if (strcmp(name, "graph") == 0)
            rc = begin_graph(r);
        else if (inside && strcmp(name, "node") == 0)
            rc = node(r);
        else if (inside && strcmp(name, "edge") == 0)
            rc = edge(r);
        else if (strcmp(name, "hyperedge") == 0)
            rc = fail(r, BASE_E_UNSUPPORTED, "hyperedges are not read");
        else
            rc = skip(r);
        if (rc)
            return rc;
        if (++count % 65536 == 0 && base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "%s: interrupted",
                                  data_stream_name(r->xml.stream));
    }
}

static int check(struct graphml *r)
{
    const struct graph_names *names = &r->reader.names;
    if (!r->graph)
        return fail(r, BASE_E_FORMAT, "there is no <graph>");
    for (uint32_t i = 0; i < names->n; i++)
        if (!r->declared[i])
            return base_error_set(BASE_E_FORMAT,
                                  "%s: an edge names the node \"%.60s\", which is not in the file",
                                  data_stream_name(r->xml.stream), names->bytes + names->at[i]);
    if (names->n == 0)
        return fail(r, BASE_E_FORMAT, "the graph has no nodes");
    return 0;
}

/* Data names take the place of ids when every node has one and no two are the same. */
static int rename_nodes(struct graphml *r)
{
    struct graph_names fresh = { 0 };
    uint32_t index, i = 0;
    int rc = 0;
    for (; i < r->reader.names.n && r->name_at[i] != NO_NAME; i++) {
        const char *name = r->name_text.data + r->name_at[i];
        if ((rc = graph_names_add(&fresh, name, strlen(name), &index)) || index != i)
            break;
    }
    if (rc == 0 && i == r->reader.names.n) {
        graph_names_free(&r->reader.names);
        r->reader.names = fresh;
        return 0;
    }
    graph_names_free(&fresh);
    return rc;
}

int graph_read_graphml(struct graph **out, const char *path,
                       const struct graph_read_options *options)
{
    struct graphml r = { .options = options };
    *out = NULL;
    r.reader.interned = true;
    r.reader.weighted = options->weight != NULL;
    int rc = graph_xml_open(&r.xml, path);
    if (rc)
        return rc;
    if ((rc = parse(&r)) == 0 && (rc = check(&r)) == 0 && (rc = rename_nodes(&r)) == 0)
        rc = graph_reader_finish(&r.reader, out);
    graph_xml_close(&r.xml);
    graph_reader_free(&r.reader);
    base_free(r.name_key);
    base_free(r.weight_key);
    base_free(r.declared);
    base_free(r.name_at);
    base_free(r.source);
    base_free(r.target);
    base_buffer_free(&r.name_text);
    return rc;
}
