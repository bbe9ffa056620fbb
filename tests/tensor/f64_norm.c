/* tests/tensor/test_norm.c in doubles. */
#include "test_norm.c"
