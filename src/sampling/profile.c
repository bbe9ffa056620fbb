/* One column while the rows go by.
 *
 * All different values are kept with their counts in a hash table; a cell that was seen before
 * costs a hash and one place in memory, and is never parsed again. Values are told apart by 64 bits
 * of hash: two of 65,536 are taken for one with a chance of 1e-10. When there are too many, what
 * the table held goes into sketches with its counts, and the table goes on as a list of frequent
 * values: full, it takes the median count off every value and drops those that fall to 0 (Misra and
 * Gries 1982; Anderson et al. 2017), so that a count is too low by at most the sum of what was
 * taken off.
 */
#include "sampling/profile.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int profile_begin(struct profile *p, const char *name, size_t column)
{
    *p = (struct profile){ .column = column, .exact = true, .shortest = UINT64_MAX };
    p->name = base_strdup(name);
    p->slots = 64;
    p->slot = base_alloc_zero(p->slots, sizeof *p->slot);
    p->ranged = profile_range_of_name(name, &p->range_low, &p->range_high);
    return p->name && p->slot ? 0 : BASE_E_MEMORY;
}

void profile_free(struct profile *p)
{
    for (int c = 0; c < PROFILE_CLASSES; c++)
        for (size_t i = 0; i < p->examples[c]; i++)
            base_free(p->example[c][i].text);
    sampling_quantiles_free(&p->number.quantiles);
    sampling_quantiles_free(&p->date.quantiles);
    base_free(p->name);
    base_free(p->value);
    base_free(p->slot);
    base_free(p->distinct);
    base_buffer_free(&p->keys);
}

/* ---- totals ---- */

/* Keeps the PROFILE_EXTREMES most extreme different numbers, the most extreme first; sign is 1 for
 * the lowest, -1 for the highest. */
static void extreme_add(struct profile_extreme *list, size_t *n, double sign, double x,
                        uint64_t count, uint64_t line)
{
    size_t at = *n;
    while (at > 0 && sign * x < sign * list[at - 1].number)
        at--;
    if (at > 0 && list[at - 1].number == x) {
        list[at - 1].count += count;
        return;
    }
    if (at == PROFILE_EXTREMES)
        return;
    if (*n < PROFILE_EXTREMES)
        ++*n;
    memmove(list + at + 1, list + at, (*n - 1 - at) * sizeof *list);
    list[at] = (struct profile_extreme){ x, count, line };
}

static void numbers_add(struct profile_numbers *s, double x, uint64_t count, uint64_t line,
                        bool sketch)
{
    double n = (double)count, total = (double)(s->n += count), delta = x - s->mean;
    s->mean += delta * n / total;
    s->square += delta * n * (x - s->mean);
    if (x < 0)
        s->negative += count;
    if (s->lows < PROFILE_EXTREMES || x <= s->low[s->lows - 1].number)
        extreme_add(s->low, &s->lows, 1, x, count, line);
    if (s->highs < PROFILE_EXTREMES || x >= s->high[s->highs - 1].number)
        extreme_add(s->high, &s->highs, -1, x, count, line);
    if (!sketch)
        return;
    if (count == 1)
        sampling_quantiles_add(&s->quantiles, x);
    else
        sampling_quantiles_add_many(&s->quantiles, x, count);
}

static int example_add(struct profile *p, enum profile_class class, struct data_cell text,
                       uint64_t count, uint64_t line)
{
    char *copy = base_strndup(text.bytes, text.length < PROFILE_KEY ? text.length : PROFILE_KEY);
    if (!copy)
        return BASE_E_MEMORY;
    p->example[class][p->examples[class]++] = (struct sampling_example){ copy, count, line };
    return 0;
}

/* Adds `count` cells of one value to the totals. */
static int absorb(struct profile *p, const struct profile_value *v, uint64_t count,
                  struct data_cell text, uint64_t line, bool sketch)
{
    p->cells[v->class] += count;
    p->bytes += v->length * count;
    if (v->length < p->shortest)
        p->shortest = v->length;
    if (v->length > p->longest)
        p->longest = v->length;
    for (uint8_t f = v->flags; f; f &= (uint8_t)(f - 1))
        p->flags[__builtin_ctz(f)] += count;
    if (p->examples[v->class] < PROFILE_EXAMPLES) {
        int rc = example_add(p, v->class, text, count, line);
        if (rc)
            return rc;
    }
    if (v->class == PROFILE_TEXT)
        return 0;
    if (v->class == PROFILE_DATE) {
        numbers_add(&p->date, v->number, count, line, sketch);
        if (v->number < -2208988800.0 || v->number >= 4133980800.0) /* 1900, 2101 */
            p->date.far_dates += count;
        return p->date.quantiles.rc;
    }
    if (p->ranged && (v->number < p->range_low || v->number > p->range_high))
        p->number.outside += count;
    if (v->class == PROFILE_DECIMAL && v->number != floor(v->number))
        p->number.fractions += count;
    numbers_add(&p->number, v->number, count, line, sketch);
    return p->number.quantiles.rc;
}

/* ---- the table of values ---- */

static struct profile_slot *find(const struct profile *p, uint64_t hash)
{
    size_t i = hash & (p->slots - 1);
    while (p->slot[i].hash && p->slot[i].hash != hash)
        i = (i + 1) & (p->slots - 1);
    return &p->slot[i];
}

/* Moves the slots' counts to the values. */
static void settle(struct profile *p)
{
    for (size_t i = 0; i < p->slots; i++)
        if (p->slot[i].hash) {
            p->value[p->slot[i].index].count += p->slot[i].count;
            p->slot[i].count = 0;
        }
}

static void fill_slots(struct profile *p)
{
    memset(p->slot, 0, p->slots * sizeof *p->slot);
    for (size_t v = 0; v < p->n_values; v++)
        *find(p, p->value[v].hash) = (struct profile_slot){ p->value[v].hash, 0, (uint32_t)v };
}

static int resize_slots(struct profile *p, size_t slots)
{
    struct profile_slot *slot = base_alloc(slots, sizeof *slot);
    if (!slot)
        return BASE_E_MEMORY;
    settle(p);
    base_free(p->slot);
    p->slot = slot;
    p->slots = slots;
    fill_slots(p);
    return 0;
}

static int insert(struct profile *p, struct profile_value v, struct data_cell cell,
                  struct profile_slot *slot)
{
    size_t kept = cell.length < PROFILE_KEY ? cell.length : PROFILE_KEY;
    if (p->n_values == p->values_capacity) {
        size_t more = p->values_capacity ? p->values_capacity * 2 : 32;
        struct profile_value *grown = base_realloc(p->value, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        p->value = grown;
        p->values_capacity = more;
    }
    v.key = (uint32_t)p->keys.length;
    int rc = base_buffer_append(&p->keys, cell.bytes, kept);
    if (rc)
        return rc;
    *slot = (struct profile_slot){ v.hash, 0, (uint32_t)p->n_values };
    p->value[p->n_values++] = v;
    return p->n_values * 2 > p->slots ? resize_slots(p, p->slots * 2) : 0;
}

static int compare_counts(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Takes the count that leaves at most half of PROFILE_FREQUENT values off all, and drops those that
 * have no more. */
static int purge(struct profile *p)
{
    uint64_t off = 0;
    size_t few[64] = { 0 }, above = p->n_values; /* values by count, while it is small */
    for (size_t i = 0; i < p->n_values; i++)
        if (p->value[i].count < 64)
            few[p->value[i].count]++;
    while (off < 63 && above > PROFILE_FREQUENT / 2)
        above -= few[++off];
    if (above > PROFILE_FREQUENT / 2) {
        uint64_t *count = base_alloc(p->n_values, sizeof *count);
        if (!count)
            return BASE_E_MEMORY;
        for (size_t i = 0; i < p->n_values; i++)
            count[i] = p->value[i].count;
        qsort(count, p->n_values, sizeof *count, compare_counts);
        off = count[p->n_values - 1 - PROFILE_FREQUENT / 2];
        base_free(count);
    }
    size_t kept = 0, bytes = 0;
    for (size_t i = 0; i < p->n_values; i++) {
        struct profile_value v = p->value[i];
        if (v.count <= off)
            continue;
        struct data_cell key = profile_key(p, &v);
        memmove(p->keys.data + bytes, key.bytes, key.length); /* keys stand in the values' order */
        v.key = (uint32_t)bytes;
        v.count -= off;
        bytes += key.length;
        p->value[kept++] = v;
    }
    p->n_values = kept;
    p->keys.length = bytes;
    p->offset += off;
    fill_slots(p);
    return 0;
}

/* From here on sketches: what the table holds goes into them. */
static int overflow(struct profile *p)
{
    p->distinct = base_alloc_zero(1, sizeof *p->distinct);
    if (!p->distinct)
        return BASE_E_MEMORY;
    p->exact = false;
    settle(p);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n_values; i++) {
        const struct profile_value *v = &p->value[i];
        sampling_distinct_add(p->distinct, v->hash);
        rc = absorb(p, v, v->count, profile_key(p, v), v->line, true);
    }
    if (rc == 0)
        rc = purge(p);
    if (rc == 0)
        rc = resize_slots(p, 4 * PROFILE_FREQUENT);
    return rc;
}

int profile_add_new(struct profile *p, uint64_t line, struct data_cell cell, uint64_t hash,
                    struct profile_slot *slot)
{
    int rc = 0;
    struct profile_value v;
    if (slot->hash) {
        struct profile_value *found = &p->value[slot->index];
        found->count += (uint64_t)slot->count + 1;
        slot->count = 0;
        if (p->exact)
            return 0;
        v = *found;
    } else {
        v = (struct profile_value){ .hash = hash, .count = 1 };
        v.length = cell.length < UINT32_MAX ? (uint32_t)cell.length : UINT32_MAX;
        v.class = (uint8_t)profile_classify(cell, &v.number, &v.flags);
        if (p->exact && (p->n_values == PROFILE_EXACT || p->keys.length > PROFILE_EXACT_BYTES)) {
            if ((rc = overflow(p)))
                return rc;
            slot = find(p, hash);
        }
        if (p->exact) {
            v.line = line;
            return insert(p, v, cell, slot);
        }
        if (p->n_values == PROFILE_FREQUENT) {
            if ((rc = purge(p)))
                return rc;
            slot = find(p, hash);
        }
        if ((rc = insert(p, v, cell, slot)))
            return rc;
    }
    sampling_distinct_add(p->distinct, hash);
    return absorb(p, &v, 1, cell, v.line ? v.line : line, true);
}

int profile_end(struct profile *p)
{
    int rc = 0;
    uint8_t seen = 0;
    settle(p);
    for (size_t i = 0; p->exact && i < p->n_values; i++)
        seen |= p->value[i].flags;
    if ((seen & PROFILE_DAY_FIRST) && !(seen & PROFILE_MONTH_FIRST)) /* then all are day first */
        for (size_t i = 0; i < p->n_values; i++)
            if (p->value[i].flags & PROFILE_EITHER)
                p->value[i].number = profile_date_swap(p->value[i].number);
    for (size_t i = 0; rc == 0 && p->exact && i < p->n_values; i++) {
        const struct profile_value *v = &p->value[i];
        rc = absorb(p, v, v->count, profile_key(p, v), v->line, false);
    }
    return rc;
}
