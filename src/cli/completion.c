/* Completion scripts for bash, zsh and fish, made from the command table and each command's
 * options. Values are completed as file names, which is what nearly every value is. */
#include "cli/internal.h"
#include <string.h>

/* Appends s with the characters in `special` escaped by `escape`. */
static void put_escaped(struct base_buffer *b, const char *s, const char *special,
                        const char *escape)
{
    for (; *s; s++) {
        if (strchr(special, *s)) {
            base_buffer_puts(b, escape);
        }
        base_buffer_append(b, s, 1);
    }
}

/* 's' for a shell: single quotes, with a quote inside written '\'' */
static void put_quoted(struct base_buffer *b, const char *s)
{
    base_buffer_puts(b, "'");
    for (; *s; s++) {
        if (*s == '\'') {
            base_buffer_puts(b, "'\\''");
        } else {
            base_buffer_append(b, s, 1);
        }
    }
    base_buffer_puts(b, "'");
}

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

/* Calls put for each different first word of the commands. */
static void each_first_word(struct base_buffer *b, void (*put)(struct base_buffer *, const char *,
                                                               size_t, const struct cli_command *))
{
    for (size_t i = 0; i < cli_row_count; i++) {
        const struct cli_command *c = cli_rows[i].command;
        if (!c) {
            continue;
        }
        size_t n = first_word(c->name);
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) {
            const struct cli_command *d = cli_rows[j].command;
            seen = d && first_word(d->name) == n && memcmp(c->name, d->name, n) == 0;
        }
        if (!seen) {
            put(b, c->name, n, c);
        }
    }
}

static void bash_word(struct base_buffer *b, const char *name, size_t n,
                      const struct cli_command *command)
{
    (void)command;
    base_buffer_append(b, name, n);
    base_buffer_puts(b, " ");
}

static void bash_option(void *context, const struct cli_option *o, bool common)
{
    (void)common;
    base_buffer_printf(context, "--%s ", o->name);
    if (o->letter) {
        base_buffer_printf(context, "-%c ", o->letter);
    }
}

static void complete_bash(struct base_buffer *b)
{
    base_buffer_puts(b, "# bash completion for assay; made by `assay help --completion bash`\n"
                        "_assay() {\n"
                        "    local word=${COMP_WORDS[COMP_CWORD]} list=\n"
                        "    COMPREPLY=()\n"
                        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                        "        list='--help --version ");
    each_first_word(b, bash_word);
    base_buffer_puts(b, "'\n    else\n        case \"${COMP_WORDS[1]} ${COMP_WORDS[2]-} \" in\n");
    for (int words = 2; words >= 1; words--) { /* the longer patterns first */
        for (size_t i = 0; i < cli_row_count; i++) {
            const struct cli_command *c = cli_rows[i].command;
            if (c && (strchr(c->name, ' ') != NULL) == (words == 2)) {
                base_buffer_printf(b, "        '%s '*) list='", c->name);
                cli_describe(c, bash_option, b);
                base_buffer_puts(b, "--help' ;;\n");
            }
        }
    }
    for (size_t i = 0; i < cli_row_count; i++) {
        const struct cli_command *c = cli_rows[i].command;
        const char *blank = c ? strchr(c->name, ' ') : NULL;
        if (blank) {
            base_buffer_printf(b, "        '%.*s '*) list='%s' ;;\n", (int)(blank - c->name),
                               c->name, blank + 1);
        }
    }
    base_buffer_puts(
        b, "        esac\n"
           "        case \"$list$word\" in\n"
           "        --*) [[ $word == -* ]] || list= ;; # options are asked for, files offered\n"
           "        *) [ \"$COMP_CWORD\" -eq 2 ] || list= ;;\n"
           "        esac\n"
           "    fi\n"
           "    COMPREPLY=($(compgen -W \"$list\" -- \"$word\"))\n"
           "}\n"
           "complete -o default -F _assay assay\n");
}

static void zsh_word(struct base_buffer *b, const char *name, size_t n,
                     const struct cli_command *command)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s:", (int)n, name);
    struct base_buffer text = { 0 };
    base_buffer_puts(&text, word);
    put_escaped(&text, command->summary, ":", "\\");
    base_buffer_puts(b, "    ");
    put_quoted(b, text.data ? text.data : "");
    base_buffer_puts(b, "\n");
    base_buffer_free(&text);
}

static void zsh_option(void *context, const struct cli_option *o, bool common)
{
    (void)common;
    struct base_buffer *b = context, text = { 0 };
    for (int form = 0; form < 2; form++) {
        base_buffer_clear(&text);
        if (form == 0 && !o->letter) {
            continue;
        }
        base_buffer_puts(&text, o->kind == CLI_STRINGS ? "*" : "");
        if (form == 0) {
            base_buffer_printf(&text, "-%c[", o->letter);
        } else {
            base_buffer_printf(&text, "--%s[", o->name);
        }
        put_escaped(&text, o->help, "[]:\\", "\\");
        base_buffer_puts(&text, "]");
        if (o->argument) {
            base_buffer_puts(&text, ":");
            put_escaped(&text, o->argument, ":\\", "\\");
            base_buffer_puts(&text, ":_files");
        }
        base_buffer_puts(b, " \\\n            ");
        put_quoted(b, text.data ? text.data : "");
    }
    base_buffer_free(&text);
}

static void complete_zsh(struct base_buffer *b)
{
    base_buffer_puts(b, "#compdef assay\n# zsh completion; made by `assay help --completion zsh`\n"
                        "_assay() {\n  local -a commands\n  commands=(\n");
    each_first_word(b, zsh_word);
    base_buffer_puts(b, "  )\n"
                        "  if (( CURRENT == 2 )); then\n"
                        "    _describe command commands\n    return\n  fi\n"
                        "  case \"$words[2] $words[3] \" in\n");
    for (int words = 2; words >= 1; words--) {
        for (size_t i = 0; i < cli_row_count; i++) {
            const struct cli_command *c = cli_rows[i].command;
            if (c && (strchr(c->name, ' ') != NULL) == (words == 2)) {
                base_buffer_printf(b,
                                   "    '%s '*)\n      shift %d words; (( CURRENT -= %d ))\n"
                                   "      _arguments -s",
                                   c->name, words, words);
                cli_describe(c, zsh_option, b);
                base_buffer_puts(b, " \\\n            '--help[Show help.]' '*:file:_files' ;;\n");
            }
        }
    }
    for (size_t i = 0; i < cli_row_count; i++) {
        const struct cli_command *c = cli_rows[i].command;
        const char *blank = c ? strchr(c->name, ' ') : NULL;
        if (blank) {
            base_buffer_printf(b, "    '%.*s '*) compadd -- %s ;;\n", (int)(blank - c->name),
                               c->name, blank + 1);
        }
    }
    base_buffer_puts(b, "  esac\n}\n_assay \"$@\"\n");
}

static void fish_word(struct base_buffer *b, const char *name, size_t n,
                      const struct cli_command *command)
{
    base_buffer_printf(b, "complete -c assay -n __fish_use_subcommand -f -a %.*s -d ", (int)n,
                       name);
    put_quoted(b, command->summary);
    base_buffer_puts(b, "\n");
}

struct fish {
    struct base_buffer *b;
    const char *name;
};

static void fish_option(void *context, const struct cli_option *o, bool common)
{
    (void)common;
    struct fish *f = context;
    base_buffer_printf(f->b, "complete -c assay -n '__fish_seen_subcommand_from %.*s",
                       (int)first_word(f->name), f->name);
    const char *blank = strchr(f->name, ' ');
    if (blank) {
        base_buffer_printf(f->b, "; and __fish_seen_subcommand_from %s", blank + 1);
    }
    base_buffer_printf(f->b, "' -l %s", o->name);
    if (o->letter) {
        base_buffer_printf(f->b, " -s %c", o->letter);
    }
    base_buffer_puts(f->b, o->argument ? " -r -d " : " -d ");
    put_quoted(f->b, o->help);
    base_buffer_puts(f->b, "\n");
}

static void complete_fish(struct base_buffer *b)
{
    base_buffer_puts(b, "# fish completion for assay; made by `assay help --completion fish`\n");
    each_first_word(b, fish_word);
    for (size_t i = 0; i < cli_row_count; i++) {
        const struct cli_command *c = cli_rows[i].command;
        const char *blank = c ? strchr(c->name, ' ') : NULL;
        if (blank) {
            base_buffer_printf(b,
                               "complete -c assay -n '__fish_seen_subcommand_from %.*s; and not "
                               "__fish_seen_subcommand_from %s' -f -a %s\n",
                               (int)(blank - c->name), c->name, blank + 1, blank + 1);
        }
        if (c) {
            struct fish f = { b, c->name };
            cli_describe(c, fish_option, &f);
        }
    }
}

int cli_completion(struct base_buffer *b, const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        complete_bash(b);
    } else if (strcmp(shell, "zsh") == 0) {
        complete_zsh(b);
    } else if (strcmp(shell, "fish") == 0) {
        complete_fish(b);
    } else {
        return base_error_set(BASE_E_ARGUMENT,
                              "--completion: expected bash, zsh or fish, got "
                              "\"%s\"",
                              shell);
    }
    return 0;
}
