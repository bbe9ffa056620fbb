"""Writes src/eval/template_casing.h: the characters whose upper or title case is several characters
(Unicode's SpecialCasing), as Python has them. Run from the repository's root."""
rows = []
for code in range(0x110000):
    if 0xD800 <= code < 0xE000:
        continue
    upper, title = chr(code).upper(), chr(code).title()
    if len(upper) > 1 or len(title) > 1:
        rows.append((code, upper, title))
with open("src/eval/template_casing.h", "w") as f:
    f.write("/* Characters whose upper or title case is several characters (Unicode's SpecialCasing).\n"
            " * Written by tests/oracle/casing.py. */\n"
            "/* clang-format off */\n"
            "static const struct {\n    uint32_t code, upper[3], title[3];\n} casing[] = {\n")
    for code, upper, title in rows:
        u = ", ".join(f"0x{ord(c):x}" for c in upper)
        t = ", ".join(f"0x{ord(c):x}" for c in title)
        f.write(f"    {{ 0x{code:x}, {{ {u} }}, {{ {t} }} }},\n")
    f.write("};\n/* clang-format on */\n")
