/* A pickle is a program for a stack machine that can call any Python function. This machine knows
 * only what a state dict needs: numbers, text, tuples, lists, dicts, the memo, and REDUCE on a
 * fixed list of globals that stand for "tensor", "parameter", "ordered dict" and storage types.
 * Everything else is refused with the name of the opcode or global; nothing is ever executed.
 *
 * Tensors are (storage, offset, size, stride). Contiguous ones become views into the file; others
 * are copied into row-major order, up to a total that stays proportional to the file.
 *
 * Memory: every value is a node of a pool that is freed at the end, so cycles through the memo do
 * no harm; nodes, stack and memo grow at most linearly with the pickle's bytes. */
#include "model/torchpickle.h"
#include "base/memory.h"
#include "base/reader.h"
#include <stdlib.h>
#include <string.h>

enum kind { NONE, BOOL, INT, FLOAT, TEXT, TUPLE, LIST, DICT, GLOBAL, STORAGE, TENSOR };
static const char *const KIND_NAMES[] = { "None",     "a bool",    "an int",  "a float",
                                          "text",     "a tuple",   "a list",  "a dict",
                                          "a global", "a storage", "a tensor" };

enum role { REBUILD_V2, REBUILD_V3, PARAMETER, ORDERED_DICT, STORAGE_TYPE, DTYPE };
static const struct global {
    const char *module, *name;
    enum role role;
    enum tensor_dtype dtype;
} GLOBALS[] = {
    { "torch._utils", "_rebuild_tensor_v2", REBUILD_V2, 0 },
    { "torch._utils", "_rebuild_tensor_v3", REBUILD_V3, 0 },
    { "torch._utils", "_rebuild_parameter", PARAMETER, 0 },
    { "torch._utils", "_rebuild_parameter_with_state", PARAMETER, 0 },
    { "collections", "OrderedDict", ORDERED_DICT, 0 },
    { "torch", "FloatStorage", STORAGE_TYPE, TENSOR_F32 },
    { "torch", "HalfStorage", STORAGE_TYPE, TENSOR_F16 },
    { "torch", "BFloat16Storage", STORAGE_TYPE, TENSOR_BF16 },
    { "torch", "DoubleStorage", STORAGE_TYPE, TENSOR_F64 },
    { "torch", "CharStorage", STORAGE_TYPE, TENSOR_I8 },
    { "torch", "ByteStorage", STORAGE_TYPE, TENSOR_U8 },
    { "torch", "ShortStorage", STORAGE_TYPE, TENSOR_I16 },
    { "torch", "IntStorage", STORAGE_TYPE, TENSOR_I32 },
    { "torch", "LongStorage", STORAGE_TYPE, TENSOR_I64 },
    { "torch", "BoolStorage", STORAGE_TYPE, TENSOR_BOOL },
    { "torch.storage", "UntypedStorage", STORAGE_TYPE, TENSOR_U8 },
    { "torch", "float8_e4m3fn", DTYPE, TENSOR_F8_E4M3 },
    { "torch", "float8_e5m2", DTYPE, TENSOR_F8_E5M2 },
    { "torch", "uint16", DTYPE, TENSOR_U16 },
    { "torch", "uint32", DTYPE, TENSOR_U32 },
    { "torch", "uint64", DTYPE, TENSOR_U64 },
};
#define N_GLOBALS (sizeof GLOBALS / sizeof *GLOBALS)

struct node {
    enum kind kind;
    union {
        int64_t integer; /* BOOL, INT */
        struct {
            const char *at; /* in the pickle */
            size_t n;
        } text;
        struct {
            struct node **at; /* TUPLE, LIST: the items; DICT: key, value, key, value ... */
            size_t n, room;
        } items;
        const struct global *global;
        struct {
            enum tensor_dtype dtype;
            const uint8_t *data;
            size_t bytes;
        } storage;
        struct model_tensor *tensor;
    };
};

#define CHUNK 512
struct chunk {
    struct chunk *before;
    size_t used;
    struct node nodes[CHUNK];
};

struct machine {
    struct model_archive *archive;
    const struct archive_file *file;
    struct base_reader r;
    torch_storage_fn *storage;
    void *context;
    struct chunk *chunks;
    struct node **stack;
    size_t depth, stack_room;
    size_t *marks;
    size_t n_marks, mark_room;
    struct node **memo;
    size_t memo_room, memo_next;
    size_t copy_budget; /* bytes that non-contiguous tensors may still take */
};

static struct node *new_node(struct machine *m, enum kind kind)
{
    if (!m->chunks || m->chunks->used == CHUNK) {
        struct chunk *c = base_alloc(1, sizeof *c);
        if (!c)
            return NULL;
        c->before = m->chunks;
        c->used = 0;
        m->chunks = c;
    }
    struct node *n = &m->chunks->nodes[m->chunks->used++];
    *n = (struct node){ .kind = kind };
    return n;
}

static void free_nodes(struct machine *m)
{
    while (m->chunks) {
        struct chunk *c = m->chunks;
        for (size_t i = 0; i < c->used; i++) {
            struct node *n = &c->nodes[i];
            if (n->kind == TUPLE || n->kind == LIST || n->kind == DICT)
                base_free(n->items.at);
            else if (n->kind == TENSOR)
                base_free(n->tensor);
        }
        m->chunks = c->before;
        base_free(c);
    }
}

static int broken(struct machine *m, const char *what)
{
    return base_error_set(BASE_E_FORMAT, "%s: data.pkl, byte %zu: %s", m->file->name, m->r.position,
                          what);
}

/* Makes room for one more element of a growing array. */
static int grow(void *array, size_t used, size_t *room, size_t size)
{
    void **p = array;
    if (used < *room)
        return 0;
    size_t wanted = *room ? 2 * *room : 64;
    void *grown = base_realloc(*p, wanted, size);
    if (!grown)
        return BASE_E_MEMORY;
    *p = grown;
    *room = wanted;
    return 0;
}

static int push(struct machine *m, struct node *n)
{
    if (!n || grow(&m->stack, m->depth, &m->stack_room, sizeof *m->stack))
        return BASE_E_MEMORY;
    m->stack[m->depth++] = n;
    return 0;
}

/* The lowest stack position that may be popped: values below the last mark belong to an outer
 * level. */
static size_t level(const struct machine *m)
{
    return m->n_marks ? m->marks[m->n_marks - 1] : 0;
}

static struct node *pop(struct machine *m)
{
    if (m->depth <= level(m)) {
        broken(m, "the stack is empty");
        return NULL;
    }
    return m->stack[--m->depth];
}

static int append(struct node *list, struct node *item)
{
    int rc = grow(&list->items.at, list->items.n, &list->items.room, sizeof *list->items.at);
    if (!rc)
        list->items.at[list->items.n++] = item;
    return rc;
}

/* A tuple, list or dict of the stack's values from position from up. */
static int collect(struct machine *m, enum kind kind, size_t from)
{
    struct node *n = new_node(m, kind);
    if (!n)
        return BASE_E_MEMORY;
    for (size_t i = from; i < m->depth; i++)
        if (append(n, m->stack[i]))
            return BASE_E_MEMORY;
    m->depth = from;
    return push(m, n);
}

/* Adds the stack's values from position from up to the container below them. */
static int extend(struct machine *m, enum kind kind, size_t from)
{
    if (from <= level(m))
        return broken(m, "no container below the mark");
    struct node *container = m->stack[from - 1];
    if (container->kind != kind)
        return broken(m, kind == LIST ? "items are appended to something that is no list"
                                      : "items are set in something that is no dict");
    if (kind == DICT && (m->depth - from) % 2)
        return broken(m, "a key without a value");
    for (size_t i = from; i < m->depth; i++)
        if (append(container, m->stack[i]))
            return BASE_E_MEMORY;
    m->depth = from;
    return 0;
}

static int pop_mark(struct machine *m, size_t *from)
{
    if (!m->n_marks)
        return broken(m, "no mark on the stack");
    *from = m->marks[--m->n_marks];
    return 0;
}

static int memo_put(struct machine *m, size_t index)
{
    if (m->depth <= level(m))
        return broken(m, "nothing to memoize");
    if (index > m->r.bytes)
        return broken(m, "a memo index larger than the file");
    if (index >= m->memo_room) {
        size_t room = m->memo_room ? 2 * m->memo_room : 256;
        room = room > index ? room : index + 1;
        struct node **grown = base_realloc(m->memo, room, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        memset(grown + m->memo_room, 0, (room - m->memo_room) * sizeof *grown);
        m->memo = grown;
        m->memo_room = room;
    }
    m->memo[index] = m->stack[m->depth - 1];
    return 0;
}

static int memo_get(struct machine *m, size_t index)
{
    if (index >= m->memo_room || !m->memo[index])
        return broken(m, "a memo entry that was never stored");
    return push(m, m->memo[index]);
}

static int push_integer(struct machine *m, enum kind kind, int64_t value)
{
    struct node *n = new_node(m, kind);
    if (n)
        n->integer = value;
    return push(m, n);
}

static int push_text(struct machine *m, uint64_t length)
{
    if (length > base_reader_left(&m->r))
        return broken(m, "text longer than the file");
    struct node *n = new_node(m, TEXT);
    if (!n)
        return BASE_E_MEMORY;
    n->text.at = (const char *)base_reader_take(&m->r, (size_t)length);
    n->text.n = (size_t)length;
    return push(m, n);
}

static int push_long(struct machine *m, size_t length)
{
    const uint8_t *p = base_reader_take(&m->r, length);
    uint64_t value = 0;
    if (!p || length > 8)
        return broken(m, "an integer beyond 64 bits");
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)(i < length                       ? p[i]
                            : length && p[length - 1] & 0x80 ? 0xff
                                                             : 0)
                 << (8 * i);
    return push_integer(m, INT, (int64_t)value);
}

static int push_global(struct machine *m, const char *module, size_t n, const char *name, size_t k)
{
    char shown[ARCHIVE_SHOWN], shown_name[ARCHIVE_SHOWN];
    for (size_t i = 0; i < N_GLOBALS; i++) {
        const struct global *g = &GLOBALS[i];
        if (strlen(g->module) == n && !memcmp(g->module, module, n) && strlen(g->name) == k &&
            !memcmp(g->name, name, k)) {
            struct node *node = new_node(m, GLOBAL);
            if (node)
                node->global = g;
            return push(m, node);
        }
    }
    return base_error_set(
        BASE_E_UNSUPPORTED,
        "%s: data.pkl asks for the global '%s.%s', which weights do not need: refused (save the "
        "plain state_dict, or convert to safetensors)",
        m->file->name, archive_shown(module, n, shown), archive_shown(name, k, shown_name));
}

/* A line of the pickle, without its newline. */
static const char *read_line(struct machine *m, size_t *n)
{
    const char *p = (const char *)m->r.data + m->r.position;
    const char *end = memchr(p, '\n', base_reader_left(&m->r));
    if (!end) {
        broken(m, "a global's name does not end");
        return NULL;
    }
    *n = (size_t)(end - p);
    base_reader_skip(&m->r, *n + 1);
    return p;
}

/* ("storage", storage type, key, location, elements) */
static int load_storage(struct machine *m)
{
    const struct node *t = pop(m);
    if (!t)
        return BASE_E_FORMAT;
    if (t->kind != TUPLE || t->items.n < 5 || t->items.at[0]->kind != TEXT ||
        t->items.at[0]->text.n != 7 || memcmp(t->items.at[0]->text.at, "storage", 7) ||
        t->items.at[1]->kind != GLOBAL || t->items.at[1]->global->role != STORAGE_TYPE ||
        t->items.at[2]->kind != TEXT || t->items.at[4]->kind != INT)
        return broken(m, "a persistent id that is no storage");
    const struct node *key = t->items.at[2];
    struct node *s = new_node(m, STORAGE);
    if (!s)
        return BASE_E_MEMORY;
    int rc = m->storage(m->context, key->text.at, key->text.n, &s->storage.data, &s->storage.bytes);
    if (rc)
        return rc;
    s->storage.dtype = t->items.at[1]->global->dtype;
    int64_t elements = t->items.at[4]->integer;
    size_t bytes;
    char shown[ARCHIVE_SHOWN];
    if (elements < 0 || tensor_dtype_bytes(s->storage.dtype, (size_t)elements, &bytes) ||
        bytes > s->storage.bytes)
        return base_error_set(
            BASE_E_FORMAT, "%s: storage '%s': %lld elements of %s do not fit in its %zu bytes",
            m->file->name, archive_shown(key->text.at, key->text.n, shown), (long long)elements,
            tensor_dtype_describe(s->storage.dtype)->name, s->storage.bytes);
    s->storage.bytes = bytes;
    return push(m, s);
}

static bool integers(const struct node *t)
{
    if (t->kind != TUPLE)
        return false;
    for (size_t i = 0; i < t->items.n; i++)
        if (t->items.at[i]->kind != INT)
            return false;
    return true;
}

/* Row-major copy of a strided tensor: an odometer over the index, innermost fastest. from moves by
 * stride bytes; all positions were checked to lie in the storage. */
static void copy_strided(uint8_t *to, const uint8_t *from, const struct model_tensor *t,
                         const int64_t *stride, size_t size)
{
    int64_t index[MODEL_TENSOR_MAX_RANK] = { 0 };
    size_t n = t->bytes / size;
    int64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * size, from + (size_t)at * size, size);
        for (int d = t->rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < t->shape[d])
                break;
            at -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]); version 3 has dtype before
 * metadata and an untyped storage. */
static int rebuild_tensor(struct machine *m, const struct node *args, enum role role)
{
    if (args->items.n < (role == REBUILD_V3 ? 7u : 6u) || args->items.at[0]->kind != STORAGE ||
        args->items.at[1]->kind != INT || !integers(args->items.at[2]) ||
        !integers(args->items.at[3]) || args->items.at[2]->items.n != args->items.at[3]->items.n ||
        (role == REBUILD_V3 &&
         (args->items.at[6]->kind != GLOBAL || args->items.at[6]->global->role != DTYPE)))
        return broken(m, "arguments that make no tensor");
    const struct node *storage = args->items.at[0], *size = args->items.at[2],
                      *stride = args->items.at[3];
    if (size->items.n > MODEL_TENSOR_MAX_RANK)
        return base_error_set(BASE_E_LIMIT, "%s: a tensor of %zu dimensions, at most %d are read",
                              m->file->name, size->items.n, MODEL_TENSOR_MAX_RANK);
    struct node *node = new_node(m, TENSOR);
    if (!node || !(node->tensor = base_alloc_zero(1, sizeof *node->tensor)))
        return BASE_E_MEMORY;
    struct model_tensor *t = node->tensor;
    t->dtype = role == REBUILD_V3 ? args->items.at[6]->global->dtype : storage->storage.dtype;
    t->file = m->file->name;
    t->rank = (int)size->items.n;
    size_t width = tensor_dtype_describe(t->dtype)->block_bytes, n;
    size_t capacity = storage->storage.bytes / width; /* elements */
    int64_t strides[MODEL_TENSOR_MAX_RANK], offset = args->items.at[1]->integer, expected = 1;
    bool contiguous = true;
    for (int d = t->rank - 1; d >= 0; d--) {
        t->shape[d] = size->items.at[d]->integer;
        /* an extent of 1 is never stepped over: its stride means nothing */
        strides[d] = t->shape[d] == 1 ? 0 : stride->items.at[d]->integer;
    }
    if (archive_elements(t->rank, t->shape, &n) || base_mul_size(n, width, &t->bytes) || offset < 0)
        return broken(m, "a tensor with an impossible size");
    if (n == 0)
        return push(m, node);
    if (n > capacity || (uint64_t)offset >= capacity)
        return base_error_set(
            BASE_E_FORMAT,
            "%s: a tensor of %zu elements at %lld does not fit in its storage of %zu",
            m->file->name, n, (long long)offset, capacity);
    /* the last element's place: offset + sum (size - 1) stride; extents fit in 63 bits as n does */
    size_t last = (size_t)offset;
    for (int d = t->rank - 1; d >= 0; d--) {
        size_t reach;
        if (strides[d] < 0 || base_mul_size((size_t)t->shape[d] - 1, (size_t)strides[d], &reach) ||
            base_add_size(last, reach, &last) || last >= capacity)
            return base_error_set(BASE_E_FORMAT,
                                  "%s: a tensor's strides reach beyond its storage of %zu elements",
                                  m->file->name, capacity);
        contiguous = contiguous && (t->shape[d] == 1 || strides[d] == expected);
        expected *= t->shape[d];
    }
    const uint8_t *from = storage->storage.data + (size_t)offset * width;
    if (contiguous) {
        t->data = from;
        return push(m, node);
    }
    if (t->bytes > m->copy_budget)
        return base_error_set(
            BASE_E_LIMIT,
            "%s: the tensors that are not contiguous would need more memory than the "
            "file is worth: save contiguous tensors",
            m->file->name);
    m->copy_budget -= t->bytes;
    uint8_t *copy = archive_keep(m->archive, base_alloc(t->bytes, 1));
    if (!copy)
        return BASE_E_MEMORY;
    copy_strided(copy, from, t, strides, width);
    t->data = copy;
    return push(m, node);
}

static int reduce(struct machine *m)
{
    const struct node *args = pop(m), *function = args ? pop(m) : NULL;
    if (!function)
        return BASE_E_FORMAT;
    if (args->kind != TUPLE || function->kind != GLOBAL)
        return broken(m, "a call of something that is no known function");
    switch (function->global->role) {
    case REBUILD_V2:
    case REBUILD_V3:
        return rebuild_tensor(m, args, function->global->role);
    case PARAMETER: /* (tensor, requires_grad, hooks[, state]) */
        if (!args->items.n || args->items.at[0]->kind != TENSOR)
            return broken(m, "a parameter that is no tensor");
        return push(m, args->items.at[0]);
    case ORDERED_DICT:
        if (args->items.n)
            return broken(m, "an OrderedDict with arguments");
        return push(m, new_node(m, DICT));
    default:
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: data.pkl calls '%s.%s', which is a type, no function",
                              m->file->name, function->global->module, function->global->name);
    }
}

/* Runs one opcode. */
static int step(struct machine *m, uint8_t opcode)
{
    struct base_reader *r = &m->r;
    struct node *n;
    size_t from = 0, k, length;
    const char *module, *name;
    int rc;
    switch (opcode) {
    case 0x80: /* PROTO */
        k = base_reader_u8(r);
        return k >= 2 && k <= 5 ? 0 : broken(m, "an unknown pickle protocol");
    case 0x95: /* FRAME: only a hint for buffering */
        base_reader_u64(r);
        return 0;
    case '(': /* MARK */
        if (grow(&m->marks, m->n_marks, &m->mark_room, sizeof *m->marks))
            return BASE_E_MEMORY;
        m->marks[m->n_marks++] = m->depth;
        return 0;
    case '0': /* POP */
        return pop(m) ? 0 : BASE_E_FORMAT;
    case 'N':
        return push(m, new_node(m, NONE));
    case 0x88:
    case 0x89: /* NEWTRUE NEWFALSE */
        return push_integer(m, BOOL, opcode == 0x88);
    case 'J':
        return push_integer(m, INT, (int32_t)base_reader_u32(r));
    case 'K':
        return push_integer(m, INT, base_reader_u8(r));
    case 'M':
        return push_integer(m, INT, base_reader_u16(r));
    case 0x8a: /* LONG1 */
        return push_long(m, base_reader_u8(r));
    case 'G': /* BINFLOAT, 8 bytes big-endian; no tensor needs its value */
        base_reader_u64(r);
        return push(m, new_node(m, FLOAT));
    case 'X':
    case 'T':
    case 'B': /* BINUNICODE BINSTRING BINBYTES */
        return push_text(m, base_reader_u32(r));
    case 0x8c:
    case 'U':
    case 'C': /* SHORT_BINUNICODE SHORT_BINSTRING SHORT_BINBYTES */
        return push_text(m, base_reader_u8(r));
    case 0x8d:
    case 0x8e: /* BINUNICODE8 BINBYTES8 */
        return push_text(m, base_reader_u64(r));
    case ']':
        return push(m, new_node(m, LIST));
    case '}':
        return push(m, new_node(m, DICT));
    case ')':
        return push(m, new_node(m, TUPLE));
    case 0x85:
    case 0x86:
    case 0x87: /* TUPLE1 TUPLE2 TUPLE3 */
        k = opcode - 0x84u;
        return m->depth - level(m) < k ? broken(m, "the stack is empty")
                                       : collect(m, TUPLE, m->depth - k);
    case 't':
    case 'l':
    case 'd': /* TUPLE LIST DICT from the mark */
        if ((rc = pop_mark(m, &from)))
            return rc;
        if (opcode == 'd' && (m->depth - from) % 2)
            return broken(m, "a key without a value");
        return collect(m, opcode == 't' ? TUPLE : opcode == 'l' ? LIST : DICT, from);
    case 'a': /* APPEND */
        return m->depth - level(m) < 2 ? broken(m, "the stack is empty")
                                       : extend(m, LIST, m->depth - 1);
    case 's': /* SETITEM */
        return m->depth - level(m) < 3 ? broken(m, "the stack is empty")
                                       : extend(m, DICT, m->depth - 2);
    case 'e':
    case 'u': /* APPENDS SETITEMS */
        rc = pop_mark(m, &from);
        return rc ? rc : extend(m, opcode == 'e' ? LIST : DICT, from);
    case 'q':
        return memo_put(m, base_reader_u8(r));
    case 'r':
        return memo_put(m, base_reader_u32(r));
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memo_next++);
    case 'h':
        return memo_get(m, base_reader_u8(r));
    case 'j':
        return memo_get(m, base_reader_u32(r));
    case 'c': /* GLOBAL */
        if (!(module = read_line(m, &k)) || !(name = read_line(m, &length)))
            return BASE_E_FORMAT;
        return push_global(m, module, k, name, length);
    case 0x93: { /* STACK_GLOBAL */
        const struct node *second = pop(m), *first = second ? pop(m) : NULL;
        if (!first)
            return BASE_E_FORMAT;
        if (first->kind != TEXT || second->kind != TEXT)
            return broken(m, "a global whose name is no text");
        return push_global(m, first->text.at, first->text.n, second->text.at, second->text.n);
    }
    case 'Q': /* BINPERSID */
        return load_storage(m);
    case 'R':
        return reduce(m);
    case 'b': /* BUILD: the attributes of an OrderedDict (its _metadata) */
        if (!pop(m))
            return BASE_E_FORMAT;
        if (m->depth <= level(m))
            return broken(m, "the stack is empty");
        n = m->stack[m->depth - 1];
        return n->kind == DICT || n->kind == TENSOR
                   ? 0
                   : broken(m, "attributes of something that has none");
    default:
        return base_error_set(
            BASE_E_UNSUPPORTED,
            "%s: data.pkl, byte %zu: pickle opcode 0x%02x%s%c%s is not one that weights need: "
            "refused",
            m->file->name, m->r.position - 1, opcode, opcode > 32 && opcode < 127 ? " '" : "",
            opcode > 32 && opcode < 127 ? opcode : ' ', opcode > 32 && opcode < 127 ? "'" : "");
    }
}

static bool is_text(const struct node *n, const char *s)
{
    return n->kind == TEXT && n->text.n == strlen(s) && !memcmp(n->text.at, s, n->text.n);
}

/* The dict that holds the tensors: the root, or its "state_dict" and the like where the root has no
 * tensors of its own. */
static const struct node *state_dict(const struct node *root)
{
    static const char *const names[] = { "state_dict", "model_state_dict", "model" };
    for (size_t i = 0; i + 1 < root->items.n; i += 2)
        if (root->items.at[i + 1]->kind == TENSOR)
            return root;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t i = 0; i + 1 < root->items.n; i += 2)
            if (is_text(root->items.at[i], names[k]) && root->items.at[i + 1]->kind == DICT)
                return root->items.at[i + 1];
    return root;
}

int torch_unpickle(struct model_archive *a, const struct archive_file *f, const uint8_t *data,
                   size_t bytes, torch_storage_fn *storage, void *context)
{
    struct machine m = { .archive = a,
                         .file = f,
                         .r = base_reader_make(data, bytes),
                         .storage = storage,
                         .context = context,
                         .copy_budget = f->bytes < SIZE_MAX / 4 ? 4 * f->bytes : SIZE_MAX };
    int rc = 0;
    while (!rc) {
        uint8_t opcode = base_reader_u8(&m.r);
        if (!base_reader_ok(&m.r)) {
            rc = broken(&m, "the pickle ends without STOP");
            break;
        }
        if (opcode == '.')
            break;
        rc = step(&m, opcode);
        if (!rc && !base_reader_ok(&m.r))
            rc = broken(&m, "the pickle ends within an opcode");
    }
    const struct node *root = rc          ? NULL
                              : m.n_marks ? (broken(&m, "a mark is left at the end"), NULL)
                                          : pop(&m);
    if (!rc && !root)
        rc = BASE_E_FORMAT;
    if (!rc && root->kind != DICT)
        rc =
            base_error_set(BASE_E_FORMAT, "%s: expected a dict of tensors (a state_dict), found %s",
                           f->name, KIND_NAMES[root->kind]);
    if (!rc) {
        root = state_dict(root);
        for (size_t i = 0; i + 1 < root->items.n && !rc; i += 2) {
            const struct node *key = root->items.at[i], *value = root->items.at[i + 1];
            if (value->kind != TENSOR)
                continue;
            rc = key->kind == TEXT ? archive_add(a, key->text.at, key->text.n, value->tensor)
                                   : base_error_set(BASE_E_FORMAT, "%s: a tensor's name is %s",
                                                    f->name, KIND_NAMES[key->kind]);
        }
    }
    free_nodes(&m);
    base_free(m.stack);
    base_free(m.marks);
    base_free(m.memo);
    return rc;
}
