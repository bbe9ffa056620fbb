/* JSON records, one value at a time: a file of any size needs the memory of its largest record.
 *
 * The scanner here only finds where a value ends (nesting and strings); base_json_parse then reads
 * it, strictly. Between the values of an array there must be exactly one comma, after its end
 * nothing but white space. */
#include "base/json.h"
#include "base/memory.h"
#include "data/records.h"
#include <string.h>

static int misplaced(struct data_records *r, int c, const char *expected)
{
    const char *name = data_stream_name(r->stream);
    unsigned long long line = r->line + 1;
    if (c < 0)
        return base_error_set(BASE_E_FORMAT,
                              "%s:%llu: the file ends where %s is expected: it was "
                              "cut off",
                              name, line, expected);
    if (c < 33 || c > 126)
        return base_error_set(BASE_E_FORMAT, "%s:%llu: expected %s, got byte 0x%02x", name, line,
                              expected, c);
    return base_error_set(BASE_E_FORMAT, "%s:%llu: expected %s, got '%c'", name, line, expected, c);
}

/* The next byte that is not white space, not taken: -1 at the end, below that an error. */
static int peek(struct data_records *r)
{
    for (;; r->at++) {
        if (r->at == r->end) {
            int rc = data_records_fill(r);
            if (rc < 0)
                return rc - 1;
            if (rc == 0)
                return -1;
        }
        unsigned char c = (unsigned char)r->block[r->at];
        if (c == '\n')
            r->line++;
        else if (c != ' ' && c != '\t' && c != '\r')
            return c;
    }
}
#define PEEK_FAILED(c) ((c) < -1)
#define PEEK_ERROR(c)  ((c) + 1)

/* Collects (keep) or passes over one value, which begins at r->at. */
static int take_value(struct data_records *r, bool keep)
{
    size_t depth = 0;
    bool in_string = false, escaped = false, scalar = false;
    base_buffer_clear(&r->record);
    r->record_line = r->line + 1;
    for (;;) {
        int rc;
        if (r->at == r->end) {
            if ((rc = data_records_fill(r)) < 0)
                return rc;
            if (rc == 0) {
                if (scalar && depth == 0 && !in_string)
                    return 0;
                return base_error_set(BASE_E_FORMAT,
                                      "%s:%llu: the file ends inside the value that begins here: "
                                      "it was cut off",
                                      data_stream_name(r->stream),
                                      (unsigned long long)r->record_line);
            }
        }
        size_t from = r->at;
        bool over = false;
        while (r->at < r->end && !over) {
            char c = r->block[r->at];
            if (in_string) {
                r->line += c == '\n';
                if (escaped)
                    escaped = false;
                else if (c == '\\')
                    escaped = true;
                else if (c == '"') {
                    in_string = false;
                    over = depth == 0;
                }
                r->at++;
                continue;
            }
            if (scalar && depth == 0 &&
                (c == ',' || c == ']' || c == '}' || c == ' ' || c == '\t' || c == '\n' ||
                 c == '\r'))
                break;
            r->line += c == '\n';
            if (c == '"')
                in_string = true;
            else if (c == '{' || c == '[')
                depth++;
            else if (c == '}' || c == ']')
                over = depth <= 1;
            else
                scalar |= depth == 0;
            if ((c == '}' || c == ']') && depth)
                depth--;
            r->at++;
        }
        bool stopped = over || r->at < r->end;
        if (keep && (rc = data_record_add(r, r->block + from, r->at - from)))
            return rc;
        if (stopped)
            return 0;
    }
}

/* The collected bytes as a value; messages get the line in the file. */
static int parse_value(struct data_records *r, json_t **out)
{
    int rc = base_json_parse(out, r->record.data ? r->record.data : "", r->record.length, "record");
    int line, column, used = 0;
    const char *message = base_error_message();
    if (rc == BASE_E_FORMAT && sscanf(message, "record:%d:%d: %n", &line, &column, &used) == 2 &&
        used > 0) {
        char rest[400];
        snprintf(rest, sizeof rest, "%s", message + used);
        return base_error_set(rc, "%s:%llu:%d: %s", data_stream_name(r->stream),
                              (unsigned long long)r->record_line + (unsigned long long)line - 1,
                              column, rest);
    }
    return rc;
}

int data_records_parse(struct data_records *r, json_t **row)
{
    int rc = parse_value(r, row);
    if (rc)
        return rc;
    if (json_is_object(*row))
        return 1;
    json_decref(*row);
    *row = NULL;
    return base_error_set(BASE_E_FORMAT,
                          "%s:%llu: expected an object (column: value), got another "
                          "value",
                          data_stream_name(r->stream), (unsigned long long)r->record_line);
}

int data_records_next_jsonl(struct data_records *r, json_t **row)
{
    for (;;) {
        base_buffer_clear(&r->record);
        r->record_line = r->line + 1;
        int rc = data_records_line(r);
        if (rc <= 0)
            return rc;
        const char *text = r->record.data ? r->record.data : "";
        if (strspn(text, " \t\r") < r->record.length)
            return data_records_parse(r, row);
    }
}

/* Behind the array of a field: the rest of the object. */
static int end_of_field(struct data_records *r)
{
    json_t *key = NULL;
    int c;
    for (;;) {
        c = peek(r);
        if (c == '}') {
            r->at++;
            return 0;
        }
        if (c != ',')
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "',' or '}'");
        r->at++;
        if ((c = peek(r)) != '"')
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "a key");
        int rc = take_value(r, true);
        if (rc || (rc = parse_value(r, &key)))
            return rc;
        bool again = strcmp(json_string_value(key), r->field) == 0;
        json_decref(key);
        if (again)
            return base_error_set(BASE_E_FORMAT, "%s:%llu: the key \"%s\" is there twice",
                                  data_stream_name(r->stream), (unsigned long long)r->record_line,
                                  r->field);
        if ((c = peek(r)) != ':')
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "':'");
        r->at++;
        if ((c = peek(r)) < 0)
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "a value");
        if ((rc = take_value(r, false)))
            return rc;
    }
}

int data_records_begin_field(struct data_records *r, const char *field)
{
    json_t *key = NULL;
    int rc, c = peek(r);
    if (!(r->field = base_strdup(field)))
        return BASE_E_MEMORY;
    if (c != '{')
        return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "an object");
    r->at++;
    for (;;) {
        if ((c = peek(r)) == '}')
            return base_error_set(BASE_E_FORMAT, "%s: has no key \"%s\"",
                                  data_stream_name(r->stream), field);
        if (c != '"')
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "a key");
        if ((rc = take_value(r, true)) || (rc = parse_value(r, &key)))
            return rc;
        bool found = strcmp(json_string_value(key), field) == 0;
        json_decref(key);
        if ((c = peek(r)) != ':')
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "':'");
        r->at++;
        c = peek(r);
        if (found) {
            if (c != '[')
                return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "an array of records");
            r->at++;
            r->json_state = DATA_JSON_FIRST;
            return 0;
        }
        if (c < 0)
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "a value");
        if ((rc = take_value(r, false)))
            return rc;
        if ((c = peek(r)) == ',')
            r->at++;
        else if (c != '}')
            return PEEK_FAILED(c) ? PEEK_ERROR(c) : misplaced(r, c, "',' or '}'");
    }
}

int data_records_next_json(struct data_records *r, json_t **row)
{
    int rc, c;
    if (r->json_state == DATA_JSON_END)
        return 0;
    c = peek(r);
    if (PEEK_FAILED(c))
        return PEEK_ERROR(c);
    if (r->json_state == DATA_JSON_START) {
        if (c != '[' && c != '{')
            return misplaced(r, c, "an array of objects, or an object");
        r->json_state = c == '[' ? DATA_JSON_FIRST : DATA_JSON_SEQUENCE;
        r->at += c == '[';
        if (c == '[' && PEEK_FAILED(c = peek(r)))
            return PEEK_ERROR(c);
    }
    if (r->json_state == DATA_JSON_SEQUENCE) {
        if (c == -1)
            return 0;
        if (c != '{')
            return misplaced(r, c, "an object, or the end");
    } else if (c == ']') {
        r->at++;
        r->json_state = DATA_JSON_END;
        if (r->field && (rc = end_of_field(r)))
            return rc;
        c = peek(r);
        return PEEK_FAILED(c) ? PEEK_ERROR(c)
               : c == -1      ? 0
                              : misplaced(r, c, "the end of the file");
    } else if (r->json_state == DATA_JSON_ELEMENTS) {
        if (c != ',')
            return misplaced(r, c, "',' or ']'");
        r->at++;
        if (PEEK_FAILED(c = peek(r)))
            return PEEK_ERROR(c);
    }
    if (r->json_state != DATA_JSON_SEQUENCE) {
        if (c < 0 || c == ']' || c == ',')
            return misplaced(r, c, "an object");
        r->json_state = DATA_JSON_ELEMENTS;
    }
    rc = take_value(r, true);
    return rc ? rc : data_records_parse(r, row);
}
