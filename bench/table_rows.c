/* Prints a CSV of N made-up rows to standard output, quickly, for timing what reads tables:
 *
 *   cc -O2 bench/table_rows.c -o /tmp/table_rows && /tmp/table_rows 100000000 | assay sample ...
 *
 * Six columns, about 43 bytes a row; every 64th name is quoted and holds a comma. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *number(char *p, uint64_t v)
{
    char text[24];
    int n = 0;
    do
        text[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *p++ = text[--n];
    return p;
}

int main(int argc, char **argv)
{
    static const char *const regions[] = { "North", "East", "South", "West" };
    static char block[1 << 16];
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, x = 88172645463325252u;
    char *p = block;
    p += sprintf(p, "id,region,size,value,name,flag\n");
    for (uint64_t i = 0; i < rows; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p = number(p, i + 1);
        *p++ = ',';
        const char *region = regions[x & 3];
        size_t n = strlen(region);
        memcpy(p, region, n);
        p += n;
        *p++ = ',';
        p = number(p, 1 + (x >> 8 & 127));
        *p++ = ',';
        p = number(p, x >> 20 & 8191);
        *p++ = '.';
        p = number(p, x >> 34 & 255);
        if ((x >> 44 & 63) == 0) {
            memcpy(p, ",\"Row, no. ", 11);
            p += 11;
            p = number(p, x >> 50);
            *p++ = '"';
        } else {
            memcpy(p, ",name-", 6);
            p += 6;
            p = number(p, x >> 50);
        }
        *p++ = ',';
        *p++ = x >> 63 ? '1' : '0';
        *p++ = '\n';
        if (p > block + sizeof block - 256) {
            if (fwrite(block, 1, (size_t)(p - block), stdout) != (size_t)(p - block))
                return 1;
            p = block;
        }
    }
    fwrite(block, 1, (size_t)(p - block), stdout);
    return 0;
}
