/* tests/tensor/test_loss.c in doubles. */
#include "test_loss.c"
