/* Tools that read files below one directory, and nothing above it: every path is opened with
 * openat2 and RESOLVE_BENEATH, so "..", absolute paths and symbolic links that lead outside fail in
 * the kernel, in one step with the opening: there is no moment between check and use. */
#include "agent/builtin.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MOST   65536
#define ENTRIES_MOST 1000

/* The path argument; NULL where there is none. A NUL inside would cut it short for the kernel. */
static int path_get(const json_t *arguments, const char **out)
{
    const json_t *path = json_object_get(arguments, "path");
    *out = json_string_value(path);
    if (*out && strlen(*out) != json_string_length(path))
        return base_error_set(BASE_E_ARGUMENT, "%.200s: a NUL inside the path", *out);
    return 0;
}

static int read_file(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const char *path;
    int rc = path_get(arguments, &path);
    if (rc)
        return rc;
    json_int_t offset = (json_int_t)json_number_value(json_object_get(arguments, "offset"));
    const json_t *limit = json_object_get(arguments, "bytes");
    size_t want = limit ? (size_t)json_number_value(limit) : BYTES_MOST;
    int fd = base_open_beneath(tool->context, path, O_RDONLY | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return fd;
    char *text = base_alloc(want + 1, 1);
    ssize_t n = 0;
    if (!text)
        rc = BASE_E_MEMORY;
    else if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        rc = base_error_set(BASE_E_ARGUMENT, "%.200s: not a regular file", path);
    else if ((n = pread(fd, text, want, (off_t)offset)) < 0)
        rc = base_error_set(BASE_E_IO, "%.200s: %s", path, strerror(errno));
    close(fd);
    if (!rc) {
        size_t whole = base_utf8_complete(text, (size_t)n);
        *out = json_pack("{s:s, s:o, s:I, s:I, s:b}", "path", path, "text",
                         base_json_text(text, whole), "bytes", (json_int_t)st.st_size, "next",
                         (json_int_t)(offset + (json_int_t)whole), "end",
                         offset + (json_int_t)whole >= (json_int_t)st.st_size);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    base_free(text);
    return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_files(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const char *path;
    int rc = path_get(arguments, &path);
    if (rc)
        return rc;
    int fd =
        base_open_beneath(tool->context, path ? path : ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (fd < 0)
        return fd;
    struct dirent **names = NULL;
    int n = scandirat(fd, ".", &names, NULL, by_name), given = 0;
    json_t *entries = json_array();
    if (n < 0)
        rc = base_error_set(BASE_E_IO, "%.200s: %s", path ? path : ".", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct stat st;
        const char *name = names[i]->d_name;
        if (!rc && given < ENTRIES_MOST && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            given++;
            if (json_array_append_new(entries, json_pack("{s:o, s:s, s:I}", "name",
                                                         base_json_text(name, strlen(name)), "kind",
                                                         S_ISDIR(st.st_mode)   ? "directory"
                                                         : S_ISREG(st.st_mode) ? "file"
                                                         : S_ISLNK(st.st_mode) ? "link"
                                                                               : "other",
                                                         "bytes", (json_int_t)st.st_size)))
                rc = BASE_E_MEMORY;
        }
        free(names[i]);
    }
    free(names);
    close(fd);
    if (!rc) {
        *out = json_pack("{s:O, s:b}", "entries", entries, "more", n - 2 > given);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    json_decref(entries);
    return rc;
}

const struct agent_tool agent_tool_read_file = {
    .name = "read_file",
    .title = "Read a file",
    .description = "Reads text of a file in the shared directory: at most 65,536 bytes from an "
                   "offset. \"next\" is the offset to go on from.",
    .input = "{\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 1024}, \"offset\": {\"type\": \"integer\", "
             "\"minimum\": 0, \"maximum\": 9007199254740991}, \"bytes\": {\"type\": \"integer\", "
             "\"minimum\": 4, \"maximum\": "
             "65536}}, \"required\": [\"path\"], \"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\"}, \"text\": "
              "{\"type\": \"string\"}, \"bytes\": {\"type\": \"integer\"}, \"next\": {\"type\": "
              "\"integer\"}, \"end\": {\"type\": \"boolean\"}}, \"required\": [\"path\", \"text\", "
              "\"bytes\", \"next\", \"end\"], \"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .run = read_file,
};

const struct agent_tool agent_tool_list_files = {
    .name = "list_files",
    .title = "List files",
    .description = "Lists a directory below the shared one: names, kinds and sizes, at most 1,000.",
    .input = "{\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 1024}}, \"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"entries\": {\"type\": \"array\", "
              "\"items\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": "
              "\"string\"}, \"kind\": {\"enum\": [\"file\", \"directory\", \"link\", \"other\"]}, "
              "\"bytes\": {\"type\": \"integer\"}}, \"required\": [\"name\", \"kind\", "
              "\"bytes\"]}}, \"more\": {\"type\": \"boolean\"}}, \"required\": [\"entries\", "
              "\"more\"], \"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .run = list_files,
};
