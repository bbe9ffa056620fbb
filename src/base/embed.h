/* A file of the project as bytes in the program, put there by the assembler: no cost at start-up,
 * its pages are read when they are used. The Makefile must say that the object depends on the file:
 * the compiler's dependency lists do not. */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

/* Declares `const char symbol[]` and symbol_end[]; a zero byte follows. path: from the root. */
#define BASE_EMBED(symbol, path)                                                                   \
    __asm__(".section .rodata\n.balign 64\n.global " #symbol "\n" #symbol ":\n.incbin \"" path     \
            "\"\n.global " #symbol "_end\n" #symbol "_end:\n.byte 0\n.previous\n");                \
    extern const char symbol[], symbol##_end[]
#endif
