/* tests/tensor/test_rope.c in doubles. */
#include "test_rope.c"
