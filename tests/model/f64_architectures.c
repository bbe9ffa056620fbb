/* tests/model/test_architectures.c in doubles. */
#include "test_architectures.c"
