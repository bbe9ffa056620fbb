/* tests/tensor/test_embedding.c in doubles. */
#include "test_embedding.c"
