/* Training configurations: any text either parses or gives a message. */
#include "train/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct train_config *c = NULL;
    /* the text is also searched for lines, as a C string: give it its NUL */
    char text[4096];
    size_t n = bytes < sizeof text - 1 ? bytes : sizeof text - 1;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)data[i];
    text[n] = 0;
    if (train_config_parse(&c, text, n, "fuzz", NULL, 0) == 0)
        json_decref(train_config_json(c));
    train_config_free(c);
    return 0;
}
