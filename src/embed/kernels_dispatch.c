/* Chooses the kernels: the instruction set that the room tensor has chosen for this CPU. */
#include "embed/kernels.h"
#include "tensor/kernels_table.h"
#include <string.h>

const struct embed_kernels *embed_kernels(void)
{
    const char *isa = tensor_kernels()->isa;
    return strcmp(isa, "v4") == 0   ? &embed_kernels_v4
           : strcmp(isa, "v3") == 0 ? &embed_kernels_v3
                                    : &embed_kernels_v1;
}
