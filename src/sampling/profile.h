/* One column while the rows of a table go by; private to describe*.c. */
#ifndef SAMPLING_PROFILE_H
#define SAMPLING_PROFILE_H
#include "base/buffer.h"
#include "sampling/sketch.h"
#include <assay/describe.h>

enum profile_class {
    PROFILE_INTEGER,
    PROFILE_DECIMAL,
    PROFILE_DATE,
    PROFILE_TEXT,
    PROFILE_CLASSES
};
enum {
    PROFILE_EXACT = 65536,          /* different values kept before sketches take over */
    PROFILE_EXACT_BYTES = 16 << 20, /* of them */
    PROFILE_FREQUENT = 1024,        /* kept afterwards */
    PROFILE_KEY = 200,              /* bytes of a value that are kept */
    PROFILE_EXTREMES = 16,
    PROFILE_EXAMPLES = 4,
};
enum {                          /* flags of a value */
       PROFILE_PADDED = 1,      /* blanks around it */
       PROFILE_ZEROS = 2,       /* a number with leading zeros */
       PROFILE_DAY_FIRST = 4,   /* a date that can only be day/month */
       PROFILE_MONTH_FIRST = 8, /* ... month/day */
       PROFILE_EITHER = 16,     /* a date that can be both, read as month/day */
       PROFILE_FLAGS = 5
};
struct profile_value {
    uint64_t hash, line;
    uint64_t count;  /* without what its slot holds */
    double number;   /* or seconds, by class */
    uint32_t key;    /* offset in keys */
    uint32_t length; /* of the whole value */
    uint8_t class, flags;
};
struct profile_extreme {
    double number;
    uint64_t count, line;
};
/* Numbers, or dates, of a column. */
struct profile_numbers {
    uint64_t n;
    double mean, square; /* sum of squares about the mean (Welford 1962; Chan et al. 1983) */
    uint64_t negative, fractions, outside, far_dates;
    struct profile_extreme low[PROFILE_EXTREMES], high[PROFILE_EXTREMES]; /* most extreme first */
    size_t lows, highs;
    struct sampling_quantiles quantiles;
};
struct profile {
    char *name;
    size_t column; /* in the table */
    bool ranged;
    double range_low, range_high;
    uint64_t missing, empty;
    /* values: exact while `exact`, else the frequent ones with counts too low by at most `offset`
     */
    bool exact;
    struct profile_value *value;
    size_t n_values, values_capacity;
    struct profile_slot {
        uint64_t hash;         /* 0 = empty */
        uint32_t count, index; /* cells not yet in value[index].count */
    } * slot;                  /* [slots] */
    size_t slots;
    struct base_buffer keys;
    uint64_t offset;
    struct sampling_distinct *distinct; /* once not exact */
    /* totals over all cells: kept from when the values are not exact any more, and made of them at
     * the end otherwise */
    uint64_t cells[PROFILE_CLASSES], flags[PROFILE_FLAGS];
    uint64_t shortest, longest, bytes;
    struct sampling_example example[PROFILE_CLASSES][PROFILE_EXAMPLES];
    size_t examples[PROFILE_CLASSES];
    struct profile_numbers number, date;
};

int profile_begin(struct profile *p, const char *name, size_t column);
/* A cell's hash, 0 when it has no value; asks for the memory that profile_add will need. */
static inline uint64_t profile_hash(const struct profile *p, struct data_cell cell)
{
    if (cell.length == 0 ||
        (cell.length <= 4 && (cell.bytes[0] | 32) == 'n' && data_cell_missing(cell)))
        return 0;
    uint64_t hash = sampling_hash(cell.bytes, cell.length);
    __builtin_prefetch(&p->slot[hash & (p->slots - 1)], 1);
    return hash;
}
/* One cell, its hash, and the line that its row began in. */
int profile_add_new(struct profile *p, uint64_t line, struct data_cell cell, uint64_t hash,
                    struct profile_slot *slot);
static inline int profile_add(struct profile *p, uint64_t line, struct data_cell cell,
                              uint64_t hash)
{
    if (hash == 0) {
        p->missing++;
        p->empty += cell.length == 0;
        return 0;
    }
    size_t i = hash & (p->slots - 1);
    while (p->slot[i].hash && p->slot[i].hash != hash)
        i = (i + 1) & (p->slots - 1);
    struct profile_slot *slot = &p->slot[i];
    if (p->exact && slot->hash && slot->count < UINT32_MAX) {
        slot->count++;
        return 0;
    }
    return profile_add_new(p, line, cell, hash, slot);
}
/* After the last row: totals of an exact column. */
int profile_end(struct profile *p);
void profile_free(struct profile *p);
static inline struct data_cell profile_key(const struct profile *p, const struct profile_value *v)
{
    return (struct data_cell){ p->keys.data + v->key,
                               v->length < PROFILE_KEY ? v->length : PROFILE_KEY };
}
/* Class, number and flags of a cell that has a value. */
enum profile_class profile_classify(struct data_cell cell, double *number, uint8_t *flags);

/* A date with day and month changed places. */
double profile_date_swap(double seconds);

/* What looks wrong in a column or table, appended to d->finding (findings.c). */
int profile_findings(struct sampling_description *d, struct sampling_column_description *c,
                     const struct profile *p);
int profile_finding_add(struct sampling_description *d, enum sampling_rule rule,
                        enum sampling_severity severity, const char *column, uint64_t count,
                        bool at_least, struct sampling_finding **out, const char *format, ...)
    __attribute__((format(printf, 8, 9)));
int profile_example_add(struct sampling_finding *f, const char *text, size_t n, uint64_t count,
                        uint64_t line);
/* The range that a column's name stands for. */
bool profile_range_of_name(const char *name, double *low, double *high);
#endif
