/* MCP servers as shell scripts: each answers hello, and what a test adds. */
#ifndef TESTS_MCP_SCRIPT_SERVER_H
#define TESTS_MCP_SCRIPT_SERVER_H

/* $id is the request's id; answer JSON gives its result. cases: further `pattern) commands;;`. */
#define SCRIPT_SERVER(cases)                                                                       \
    "answer() { printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\\n' \"$id\" \"$1\"; }\n"     \
    "while IFS= read -r line; do\n"                                                                \
    "id=${line#*'\"id\":'}; id=${id%%[,\\}]*}\n"                                                   \
    "case $line in\n"                                                                              \
    "*'\"initialize\"'*) answer '{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{"           \
    "\"tools\":{}},\"serverInfo\":{\"name\":\"script\",\"version\":\"1\"}}';;\n"                   \
    "*'\"notifications/'*) ;;\n" cases "\nesac\ndone"
#endif
