/* dist: ranks of one run, over MPI (Open MPI).
 *
 * A program that mpirun or srun did not start is alone: rank 0 of 1, and nothing is loaded. Else
 * dist_start loads MPI. All functions but dist_rank and dist_size are collective: every rank calls
 * them, in the same order. They are called by one thread. */
#ifndef DIST_H
#define DIST_H
#include "base/buffer.h"
#include <assay/base.h>

/* Begins; once, before anything else of this room. BASE_E_UNSUPPORTED when the program was started
 * as one of several ranks but MPI is not installed. */
int dist_start(void);
/* Ends: all ranks have arrived. Nothing more may be exchanged. */
void dist_stop(void);
int dist_rank(void);
int dist_size(void);

/* The outcome of a step for all: 0 when every rank brings 0, else the code of the lowest rank that
 * failed, whose message becomes everybody's ("rank 2: ..." elsewhere). */
int dist_agree(int rc);
/* data[0 .. bytes) of rank 0 to all. */
int dist_broadcast(void *data, size_t bytes);
/* What every rank brings, one after the other in the order of ranks, appended to *all on rank 0
 * (others: untouched). At most 2 GiB in all. */
int dist_gather(const void *data, size_t bytes, struct base_buffer *all);
#endif
