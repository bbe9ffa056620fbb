"""Writes tests/eval/data/templates.json: templates with what jinja2 makes of them, in three environments:
plain (jinja2.Environment()), task (lm-eval's) and chat (transformers'). "error" marks those that jinja2
refuses. Run from the repository's root with jinja2 and transformers installed.

With --random N SEED it prints N cases made of random pieces instead, for longer comparisons
(tests/eval/test_template reads a file named in ASSAY_TEMPLATE_CASES)."""
import copy
import datetime
import json
import random
import re
import sys

import jinja2
from jinja2 import BaseLoader, Environment, StrictUndefined
import transformers.utils.chat_template_utils as hf


def regex_replace(string, pattern, repl, count=0):
    return re.sub(pattern, repl, string, count=count)


class FixedDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 14, 5, 9)


hf.datetime = FixedDate
PLAIN = Environment()
TASK = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)
TASK.filters["regex_replace"] = regex_replace

VARS = {
    "i": 7, "n": -3, "z": 0, "f": 2.5, "g": 1e-7, "big": 1e22, "t": True, "u": False, "none_value": None,
    "s": "Hello, World", "e": "", "uni": "Straße ÉCOLE ὈΔΥΣΣΕΎΣ ﬁn 😀", "q": "it's \"so\" \\ \n\t\x07\u00a0",
    "pad": "  two  words \n", "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "el": [],
    "d": {"b": 1, "a": [1, {"x": None}], "items": 5, "C": 2.0}, "ed": {},
    "rows": [{"k": "x", "v": 2}, {"k": "Y", "v": 1}, {"k": "x", "v": 3}], "mixed": [1, "a", None, 2.5, True],
    "html": "<a href='x'>&\"</a>", "nested": [[1, 2], [3], []],
    "messages": [{"role": "system", "content": "Be."}, {"role": "user", "content": "Hi"},
                 {"role": "assistant", "content": "Yo", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1, "b": "ü<"}}}]}],
}

EXPRESSIONS = r"""
1 + 2 * 3 - 4 / 2
7 // 2 ~ '|' ~ -7 // 2 ~ '|' ~ 7 // -2
7 % 3 ~ '|' ~ -7 % 3 ~ '|' ~ 7 % -3 ~ '|' ~ 7.5 % -2
2 ** 10 ~ '|' ~ 2 ** -1 ~ '|' ~ 2 ** 3 ** 2 ~ '|' ~ (-2) ** 3
-2 ** 2
- 5 | abs
-n|abs
1e3 ~ ' ' ~ 1.5e-9 ~ ' ' ~ 123456789012345680.0 ~ ' ' ~ 1e16 ~ ' ' ~ 9999999999999998.0
0.1 + 0.2
big
g
1/3
10 / 5
f // 1
3.0 % 1.7
1_000 + 0x1f + 0o17 + 0b101
True + 1
t == 1
1 == 1.0
'a' == u
1 < 2 < 3
1 < 3 < 2
'a' < 'b' <= 'b'
[1, 2] < [1, 3]
(1, 2) == [1, 2]
(1, 2) < (1, 2, 0)
1 in l
4 not in l
'ell' in s
'' in s
'a' in d
'zz' not in d
none_value in mixed
not t or u and t
t and 5
u or 'x'
none_value or el or 'last'
'yes' if i > 5 else 'no'
'yes' if i > 50
1 if t else 2 if u else 3
s ~ 1 ~ none_value ~ 2.0
'a' 'b' "c"
'é\n\t\x41\u00e9\U0001F600\'\"\\ \d \101'
"it's"
'say "x"'
[1, 'a', None, 2.5, True, [], {}, ()]
(1,)
(1, 2)
()
{'a': 1, 2: 'b', none: none, 1.5: [1]}
{1: 'a', True: 'b', 1.0: 'c'}
q
[q]
[uni]
['\x00\x7f\xad\u200b\u2028\ue000\U000e0001']
mixed
d
rows
l[0] ~ l[-1] ~ l[5]
l[1:] ~ l[:-1] ~ l[::-1] ~ l[::2] ~ l[5:] ~ l[-2:] ~ l[2:0:-1] ~ l[:-5:-1]
s[0] ~ s[-1] ~ s[2:5] ~ s[::-1] ~ s[::3] ~ s[-3:]
uni[4] ~ uni[-1] ~ uni[:6] ~ uni[::-1]
d['a'][1]['x']
d.a.1.x
d.b
d.items
d['items']
d.zz is defined
d['zz'] is undefined
d.zz.y
zz
zz.y
zz is defined
zz is undefined
zz == zz
zz | default('dd')
zz | default
e | default('dd')
e | default('dd', true)
u | d('x', boolean=true)
zz | length
zz | list
zz | upper
zz | join
zz | int
zz + 1
zz < 1
not zz
zz ~ 'x'
[zz]
1 + none_value
'a' + 1
'a' * 3 ~ 2 * 'b' ~ [1] * 2 ~ 'x' * -1
[1] + [2]
(1,) + (2, 3)
[1] + (2,)
'x' - 1
-'x'
1 / 0
1 // 0
1.0 % 0
i.real
s.nope
s.nope is defined
none_value.x
none_value['x'] is defined
l.x is defined
l['x']
s()
s.upper()
s.lower() ~ s.title() ~ s.capitalize() ~ s.swapcase()
uni.upper() ~ uni.lower() ~ uni.title() ~ uni.capitalize() ~ uni.swapcase()
'ǆ ß ŉ İ ΑΣ ΑΣΑ Σ'.title() ~ 'ǆ ß ŉ İ ΑΣ ΑΣΑ Σ'.lower() ~ 'ǆ ß ŉ'.capitalize()
"they're bill's friends".title()
"they're bill's (good) -friends {x}" | title
uni | title
pad.strip() ~ '|' ~ pad.lstrip() ~ '|' ~ pad.rstrip() ~ '|'
'xxabcxx'.strip('x') ~ 'xyabcyx'.lstrip('yx') ~ 'éaé'.rstrip('é')
pad.strip(none)
'\u3000\x1f a\u00a0'.strip() ~ '|'
pad.split()
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.rsplit(',', 1)
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
' a  b c '.rsplit()
''.split()
''.split(',')
'a'.split('')
'a\nb\r\nc\x0bd\u2028e\n'.splitlines()
'a\nb\r\nc\n'.splitlines(true)
s.replace('l', 'L') ~ s.replace('l', 'L', 1) ~ 'abc'.replace('', '-') ~ 'aé'.replace('', '-', 2) ~ ''.replace('', 'x')
s.startswith('He') ~ s.startswith(('x', 'H')) ~ s.startswith('l', 2) ~ s.endswith('ld') ~ s.endswith('', 50) ~ s.startswith('H', -12)
s.find('o') ~ s.rfind('o') ~ s.find('zz') ~ s.find('o', 5) ~ uni.find('É') ~ s.find('') ~ s.rfind('')
s.index('W') ~ s.count('l') ~ s.count('') ~ s.count('l', 4) ~ uni.index('ὈΔ')
s.index('zz')
s.index(5)
'-'.join(ls) ~ ''.join([]) ~ ', '.join('abc')
'-'.join([1])
'abc'.isdigit() ~ '12'.isdigit() ~ '²'.isdigit() ~ '²'.isdecimal() ~ ''.isalpha() ~ 'é'.isalpha() ~ 'a1'.isalnum() ~ ' '.isspace()
'ab'.islower() ~ 'AB1'.isupper() ~ '1'.isupper() ~ 'ǅ'.isupper()
'7'.zfill(3) ~ '-7'.zfill(4) ~ '+'.zfill(3) ~ 'ab'.ljust(5, '.') ~ 'ab'.rjust(5) ~ 'ab'.center(5, '*') ~ 'abc'.center(6, '*') ~ 'abc'.center(2)
'prefix-x'.removeprefix('prefix') ~ 'x.py'.removesuffix('.py') ~ 'x'.removesuffix('')
'a=b=c'.partition('=')
'a=b=c'.rpartition('=')
'abc'.partition('=')
'abc'.rpartition('=')
'{} {}'.format(1, 'b')
'{1} {0} {x} {{}}'.format(1, 'b', x=none)
'{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}|{:+d}|{:,}|{:x}|{:#X}|{:b}|{:o}'.format('a', 'b', 'c', 'd', 42, 7, 1234567, 255, 255, 5, 8)
'{:.2f}|{:10.3e}|{:g}|{:%}|{:.1%}|{:08.3f}|{:,.2f}|{:+.1f}|{: }'.format(3.14159, 1234.5, 0.0001, 0.25, 0.256, -3.14159, 12345.678, 2.0, 3)
'{:.3}|{:.3}|{:5}|{}|{!r}|{!s:>4}'.format(1234.5, 2.0, 1.5, 1e20, 'a', none)
'{:.2}|{:.1}|{:.10}'.format(100.0, 5.0, 0.1)
'{:.2}|{:5.1}|{:<4}|{:05}'.format('abcdef', 'xyz', 7, 'ab')
'{:d}'.format('x')
'{:.2f}'.format('x')
'{} {}'.format(1)
'{'.format(1)
'%s %d %5.2f %05d %-4s| %x %o %e %g %% %c %r %+d %i' % ('a', 3.9, 3.14159, 42, 'b', 255, 8, 12345.678, 0.00001, 'z', 'q', 5, 6)
'%s' % 'x' ~ '%s' % [1, 2] ~ '%(a)s' % {'a': 1} ~ '%s' % none
'%s %s' % ('a',)
'%s' % ('a', 'b')
'%d' % 'x'
'%.3s|%*d|%#x|% d|%5s|%-5d|' % ('abcdef', 5, 42, 255, 7, 'é', 3)
'%s-%s' | format('a', 1)
'%(x)s' | format(x=5)
d.keys() ~ d.values() ~ d.items()
d.keys() | list
d.get('b') ~ d.get('zz') ~ d.get('zz', 5)
l.index(2) ~ l.count(1)
l.index(99)
(1, 2, 1).count(1)
l.append(4)
d.update({'x': 1})
range(5)
range(2, 5)
range(0, 10, 3)
range(5) | list
range(5, 0, -2) | list
range(3)[1] ~ range(3)[-1] ~ range(3)|length
range(1000000)
range(0, 5, 0)
dict(a=1, b=2)
dict([('a', 1)], b=2)
dict({'x': 1}, y=2)
namespace(a=1).a
namespace(a=1).b is defined
l | length ~ s | length ~ d | length ~ uni | length ~ e | count
i | length
l | first ~ l | last ~ s | first ~ s | last ~ d | first
el | first
el | last is defined
l | sort
ls | sort
ls | sort(case_sensitive=true)
ls | sort(reverse=true)
mixed | sort
rows | sort(attribute='v')
rows | sort(attribute='k,v') | map(attribute='v') | list
rows | sort(attribute='k', reverse=true) | map(attribute='v') | list
d | dictsort
d | dictsort(true)
{'b': 3, 'a': 9} | dictsort(by='value')
{'b': 3, 'a': 9} | dictsort(reverse=true)
d | dictsort(by='x')
d | items | list
l | items
ls | unique | list
ls | unique(case_sensitive=true) | list
[1, 1.0, true, 'a', 'A', none] | unique | list
rows | unique(attribute='k') | list
nested | unique | list
l | min ~ l | max ~ ls | min ~ ls | max
el | max is defined
rows | max(attribute='v')
mixed | min
l | sum ~ [1.5, 2] | sum ~ rows | sum(attribute='v') ~ [] | sum(start=5)
nested | sum(start=[])
ls | sum
ls | join ~ ls | join(', ') ~ mixed | join('|') ~ rows | join('-', attribute='k') ~ s | join('.')
el | join('x')
i | join
l | reverse | list
s | reverse
l | list ~ s | list ~ d | list
s | upper ~ s | lower ~ s | capitalize ~ 5 | upper
pad | trim ~ '|' ~ 'xxaxx' | trim('x') ~ 5 | trim
s | replace('l', 'L') ~ s | replace('l', 'L', 2) ~ 151 | replace(1, 2)
s | center(20) ~ '|'
5 | string ~ none_value | string ~ [1] | string
'3' | int ~ ' 42 ' | int ~ '3.7' | int ~ 'x' | int ~ 'x' | int(default=5) ~ 3.9 | int ~ -3.9 | int ~ true | int ~ none_value | int ~ '1_0' | int
'0x1f' | int(base=16) ~ 'ff' | int(0, 16) ~ '0b11' | int(base=2) ~ '077' | int(base=8) ~ 'z' | int(9, 16) ~ '1e3' | int
'3.5' | float ~ 'x' | float ~ 'x' | float(1.5) ~ 3 | float ~ ' -2e3 ' | float ~ 'inf' | float ~ '1_0.5' | float ~ 'nan' | float
2.5 | round ~ 3.5 | round ~ 2.567 | round(2) ~ 2.5 | round(0, 'ceil') ~ 2.5 | round(method='floor') ~ 7 | round ~ 1.005 | round(2) ~ 0.5 | round ~ -1.5 | round
2.675 | round(2, 'common') ~ 1234.567 | round(1, 'floor') ~ 5 | round(0, 'ceil')
2.5 | round | int
-5 | abs ~ -2.5 | abs ~ true | abs
'x' | abs
s | wordcount ~ "it's a-b c_d 😀é" | wordcount
"foo bar baz qux" | truncate(9) ~ "foo bar baz qux" | truncate(9, true) ~ "foo bar baz qux" | truncate(11) ~ "foo bar baz qux" | truncate(11, false, '...', 0) ~ 'short' | truncate(5)
"a\n\nb\nc" | indent
"a\n\nb\nc" | indent(2, true)
"a\n\nb\n" | indent(2, blank=true)
"a\nb" | indent('> ')
"a\nb\n" | indent ~ '|'
5 | indent
[1, 2, 3, 4, 5] | batch(2) | list
[1, 2, 3, 4, 5] | batch(2, '-') | list
[1, 2, 3, 4, 5] | slice(3) | list
[1, 2, 3, 4, 5] | slice(3, '-') | list
rows | groupby('k')
rows | groupby('k') | map(attribute='grouper') | list
rows | groupby('k', case_sensitive=true) | map('first') | list
ls | map('upper') | list
ls | map('replace', 'a', 'z') | join
rows | map(attribute='k') | list
rows | map(attribute='zz') | list
rows | map(attribute='zz', default='-') | list
nested | map('length') | list
nested | map(attribute=0) | map('default', 'none') | list
nested | map('first') | list
mixed | select | list
mixed | select('string') | list
mixed | reject('none') | list
mixed | reject | list
l | select('odd') | list
l | select('gt', 1) | list
l | select('in', [1, 3]) | list
l | reject('divisibleby', 2) | list
rows | selectattr('v', 'gt', 1) | list
rows | selectattr('k', 'equalto', 'x') | map(attribute='v') | list
rows | selectattr('zz') | list
rows | selectattr('zz', 'undefined') | list | length
rows | rejectattr('k', 'eq', 'x') | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | map(attribute='content') | join(' / ')
l | map('nope') | list
ls | map('upper')
l | select('odd') | length
l | map('string') | first
i is integer ~ f is float ~ i is number ~ t is number ~ t is integer ~ t is boolean ~ s is string ~ none_value is none ~ d is mapping
l is iterable ~ s is iterable ~ i is iterable ~ d is iterable ~ zz is iterable
l is sequence ~ s is sequence ~ d is sequence ~ i is sequence ~ range(2) is sequence
i is odd ~ i is even ~ 6 is divisibleby 3 ~ 6 is divisibleby(4)
s is lower ~ 'abc' is lower ~ 'ABC' is upper
1 is eq 1 ~ 1 is ne 2 ~ 1 is lt 2 ~ 1 is ge 2 ~ 'a' is equalto 'a' ~ 2 is greaterthan 1 ~ 3 is sameas 3
t is true ~ t is false ~ 1 is true ~ none_value is sameas none
1 is in l ~ 'x' is in(['x']) ~ i is not in l
i is not odd
zz is not defined
not i is odd
'upper' is filter ~ 'nope' is filter ~ 'odd' is test
range is callable ~ i is callable ~ zz is callable
html | string is escaped
d | tojson
mixed | tojson
html | tojson
uni | tojson
[1.0, 1e22, 1e-7, 'a/b\\"\n\x01\x7f\u2028'] | tojson
{'z': 1, 'a': {'c': 1, 'b': 2}, 3: 4} | tojson
{'z': 1, 'a': {'c': 1, 'b': []}, 'e': {}} | tojson(indent=2)
l | tojson(indent=0)
{1: 2, 10: 3, 9: 4} | tojson
(1, (2,)) | tojson
zz | tojson
range(2) | tojson
l | tojson | length
html | tojson | upper
('<' | safe) ~ '<'
[html | safe]
s | nope
s is nope
1 is odd is even
1 + 
[1, 2
(1
{'a' 1}
'abc
a b
5 = 5
{{ 1 }}
x.
x[
f(a=1, 2)
1 if
'a' if else 'b'
1..2
1.real
\x
$
007
0.5.x
""".strip("\n").split("\n")

CHAT_EXPRESSIONS = r"""
d | tojson(indent=4)
d | tojson(sort_keys=true)
uni | tojson(ensure_ascii=true)
d | tojson(separators=(',', ':'))
d | tojson(indent=2, separators=(', ', ' = '))
html | tojson + '<'
strftime_now('%d %b %Y')
strftime_now('%Y-%m-%d %H:%M:%S %A %B %j %y %I %p %-d%Z|%z|%f %%')
raise_exception('no')
raise_exception('no' ~ 1)
s | regex_replace('l', 'x')
""".strip("\n").split("\n")

TASK_EXPRESSIONS = r"""
s | regex_replace('l+', 'L')
s | regex_replace('(\\w+), (\\w+)', '\\2 \\1')
s | regex_replace('(?P<a>o)', '[\\g<a>\\g<1>]', 1)
'abxd' | regex_replace('x*', '-')
uni | regex_replace('\\w+', '<>')
'a.b' | regex_replace('[.]\\Z|^', '#')
'a\nb\n' | regex_replace('b$', 'c')
s | regex_replace('(', 'L')
s | regex_replace('l', '\\2')
s | regex_replace('l', '\\q')
'A b' | regex_replace('(?i)a', '\\\\')
""".strip("\n").split("\n")

TEMPLATES = [
    "plain text",
    "",
    "\n",
    "a\n\n",
    "a\r\nb\rc\r\n",
    "{{ i }}\n",
    "{# comment #}x{# a {{ b }} #}y",
    "{#- c -#} x {#- c #}\n y",
    "a  {{- i -}}  b  {{- s }} c",
    "a  {%- if t -%}  b  {%- endif -%}  c",
    "a\n  {% if t %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%+ if t %}\n  b\n  {%+ endif +%}\nc\n",
    "  {% if t %}x{% endif %}  \n  {{ i }}\n",
    "  {# c #}\n  x {# c #}\n\ty\n",
    "{% for x in l %}\n  {{ x }}\n{% endfor %}\n",
    "\n\n  {%- for x in l %}\n {{- x }} ,\n{%- endfor -%}  \n\n z",
    "{% raw %}{{ x }} {% if %}{% endraw %}!",
    "a {%- raw -%}  {{ x }}  {%- endraw -%}  b",
    "  {% raw %}\n  x\n  {% endraw %}\n y",
    "{% if u %}a{% elif none_value %}b{% elif i == 7 %}c{% else %}d{% endif %}",
    "{% if u %}a{% else %}{% if t %}b{% endif %}c{% endif %}",
    "{% if u %}a{% else %}{% if u %}b{% endif %}{% endif %}|",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
    "{% for x in ls %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in [1,1,2,2,1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}",
    "{% for x in el %}x{% else %}none{% endfor %}",
    "{% for x in l if x > 1 %}{{ x }}/{{ loop.length }}{% else %}none{% endfor %}",
    "{% for x in l if x > 10 %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}{% for c in 'aé😀' %}[{{ c }}]{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in nested %}{{ a }}{% endfor %}",
    "{% for x in zz %}{{ x }}{% else %}-{% endfor %}",
    "{% for x in i %}{% endfor %}",
    "{% for x in none_value %}{% endfor %}",
    "{% for x in nested %}{% for y in x %}{{ loop.index }}{{ loop.depth }}{{ y }} {% endfor %}{{ loop.index }}|{% endfor %}",
    "{% set x = 0 %}{% for y in l %}{{ x }}{% set x = x + y %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(x=0) %}{% for y in l %}{% set ns.x = ns.x + y %}{% endfor %}{{ ns.x }}{{ ns.y is defined }}",
    "{% set d.x = 1 %}",
    "{% set ns = namespace(d, z=1) %}{{ ns.b }}{{ ns.z }}{{ ns['b'] }}",
    "{% if t %}{% set x = 1 %}{% endif %}{{ x }}{% if u %}{% set y = 1 %}{% endif %}{{ y is defined }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (a, b) = (b, a) %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}{% set a = () %}{{ a }}",
    "{% set x %}a{{ i }}b{% endset %}[{{ x }}]{{ x | length }}",
    "{% set x | upper | replace('A', 'z') %}abc{% endset %}{{ x }}",
    "{% set x %}{% set y = 5 %}{% endset %}{{ y is defined }}",
    "{% set true = 1 %}",
    "{% set 5 = 1 %}",
    "{% set l2 = l + [4] %}{{ l2 }}{{ l }}",
    "{% with a = 1, b = i %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% filter upper %}a{{ s }}b{% endfilter %}{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% macro m(a, b=2, c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=0) }}{{ m(1, c=9) }}",
    "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(none) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m(1) }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m() }}",
    "{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(m(1)) | upper }}{{ m('a') ~ m('b') }}{{ m('a') + 'b' }}",
    "{% macro w(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call w('b') %}in{{ i }}{% endcall %}",
    "{% macro w() %}{% for x in l %}{{ caller(x, loop.index) }}{% endfor %}{% endmacro %}{% call(a, b) w() %}{{ a }}:{{ b }} {% endcall %}",
    "{% macro w() %}x{% endmacro %}{% call w() %}in{% endcall %}",
    "{% macro m() %}  a  {% endmacro %}[{{- m() -}}]",
    "{% macro m(x) %}{{ loop is defined }}{% endmacro %}{% for x in [1] %}{{ m(x) }}{% endfor %}",
    "{% for x in [1, 2] %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% print i, s %}",
    "{{ 1, 2 }}{{ (1, 2)[0] }}",
    "{{ {'a': {'b': 1}}['a'] }}{{ {'a': {}} }}",
    "{{- '  x  ' -}}",
    "{{ '{{' }}{{ '}}' }}{{ \"%}\" }}",
    "{% if t -%} a {%- else -%} b {%- endif %} c",
    "{% if %}x{% endif %}",
    "{% if t %}x",
    "{% endif %}",
    "{% for x in l %}{% endif %}",
    "{% for in l %}{% endfor %}",
    "{% unknown %}",
    "{{ }}",
    "{{ i ",
    "{% if t %}{{ i }}",
    "{# open",
    "{% raw %} x",
    "{% else %}",
    "{% set %}",
    "{% break %}",
    "{{ i }}}}",
    "{ { i } } {%raw%}{{{%endraw%}",
    "{%- set x = 1 -%}{{x}}",
    "{%set x=1%}{{x}}{%if x==1%}y{%endif%}",
    "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}{% if not loop.last %}\n{% endif %}{% endfor %}",
    "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments | tojson }}{% endif %}{% endfor %}",
    "{% for m in messages | rejectattr('role', 'equalto', 'system') %}{{ loop.index }}{{ m.role }} {% endfor %}",
    "{{ messages[0]['role'] == 'system' and messages[0]['content'] or 'x' }}{{ messages[-1].role }}{{ messages[1:] | length }}",
    "{% set it = l | select('odd') %}{{ it | list }}{{ it | list }}",
    "{% set it = l | map('string') %}{{ it | first }}{{ it | first }}{% for x in it %}{{ x }}{% endfor %}",
    "{% for g, xs in rows | groupby('k') %}{{ g }}:{% for x in xs %}{{ x.v }}{% endfor %} {% endfor %}",
    "{% for g in rows | groupby('k') %}{{ g.grouper }}{{ g.list | length }}{% endfor %}",
    "{% for row in [1, 2, 3, 4, 5] | batch(2) %}{{ row | join }};{% endfor %}",
    "Question: {{ s }}\nAnswer:{% if i %} {{ i }}{% endif %}",
    "{{ s.split(', ')[1].strip() }}: {{ ls | join(', ') }}{{ '\\n' }}{{ d.a[1] }}",
    "{{ 'A' if i == 7 else 'B' }} {{ ['A', 'B', 'C'][l | length - 1] }} {{ 'ABC'.index('B') }}",
    "{% set labels = ['A', 'B', 'C', 'D'] %}{% for x in l %}{{ labels[loop.index0] }}. {{ x }}\n{% endfor %}Answer:",
    "{% if zz is defined and zz.y %}a{% else %}b{% endif %}",
    "{% if d.zz %}a{% else %}b{% endif %}",
    "{{ d.zz or 'x' }}",
    "{{ s }} {{ zz }} {{ i }}",
]

CHAT_TEMPLATES = [
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}!",
    "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}",
    "{% for m in messages %}\n{% if m.role == 'assistant' %}\n{% generation %}\n{{ m.content }}\n{% endgeneration %}\n{% endif %}\n{% endfor %}",
    "{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}",
    "{% for m in messages %}\n    {{- m.role }}\n    {%- if loop.first %}\n        {{- ' first' }}\n    {%- endif %}\n{% endfor %}\n",
    "{{ raise_exception('x') if u else 'ok' }}",
    "{{ messages | tojson }}",
    "{% set ns = namespace(_x=1) %}",
    "{%- macro render(c) -%}\n  {%- if c is string -%}\n  {{- c -}}\n  {%- else -%}\n  x\n  {%- endif -%}\n{%- endmacro -%}\n{{ render('a') }}|{{ render(1) }}",
]


def environment(mode, template):
    return {"plain": PLAIN, "task": TASK}.get(mode) or None


def run(mode, template, vars):
    case = {"mode": mode, "template": template}
    try:
        if mode == "chat":
            compiled = hf._cached_compile_jinja_template(template)
        else:
            compiled = (PLAIN if mode == "plain" else TASK).from_string(template)
        case["output"] = compiled.render(**copy.deepcopy(vars))
        if re.search(" at 0x[0-9a-f]+>", case["output"]):
            del case["output"]
            case["error"] = "address"
    except Exception as e:
        case["error"] = type(e).__name__
    except RecursionError:
        case["error"] = "RecursionError"
    return case


def fixed():
    cases = []
    for e in EXPRESSIONS:
        for mode in ("plain", "task", "chat"):
            cases.append(run(mode, "{{ " + e + " }}", VARS))
    cases += [run("chat", "{{ " + e + " }}", VARS) for e in CHAT_EXPRESSIONS]
    cases += [run("task", "{{ " + e + " }}", VARS) for e in TASK_EXPRESSIONS]
    for t in TEMPLATES:
        for mode in ("plain", "task", "chat"):
            cases.append(run(mode, t, VARS))
    cases += [run("chat", t, VARS) for t in CHAT_TEMPLATES]
    # what the modes agree on is kept once
    kept = []
    for c in cases:
        same = [k for k in kept if k["template"] == c["template"] and k.get("output") == c.get("output")
                and ("error" in k) == ("error" in c)]
        if same:
            same[0]["mode"] += " " + c["mode"]
        else:
            kept.append(c)
    return kept


def random_cases(n, seed):
    rng = random.Random(seed)
    names = list(VARS) + ["zz"]
    pieces = [e for e in EXPRESSIONS if e]

    def expression(depth):
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(names + ["1", "2.5", "'a'", "-1", "none", "[]", "''", "0", "'é x'"])
        k = rng.randrange(7)
        a = expression(depth - 1)
        if k == 0:
            return f"({a} {rng.choice(['+', '-', '*', '/', '//', '%', '~', '==', '<', '>=', 'in', 'not in', 'and', 'or'])} {expression(depth - 1)})"
        if k == 1:
            return f"({a})|" + rng.choice(["upper", "lower", "length", "list", "first", "last", "sort", "join('-')", "string", "int", "float", "tojson", "trim", "title", "unique|list", "sum", "min", "max", "default('q')", "abs", "round(1)", "reverse|list", "map('string')|list", "select|list", "capitalize", "replace('a','b')", "wordcount"])
        if k == 2:
            return f"({a}).{rng.choice(['upper()', 'strip()', 'split()', 'items()', 'keys()|list', 'title()', 'b', 'k', 'x', 'lower()', 'count(1)'])}"
        if k == 3:
            return f"({a})[{rng.choice(['0', '-1', '1:', ':-1', '::-1', '::2', repr('b'), '5', '1:3', '-2::-1', '2:-9:-1'])}]"
        if k == 4:
            return f"({a} is {rng.choice(['defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'number', 'odd', 'true', 'boolean'])})"
        if k == 5:
            return f"({a} if {expression(depth - 1)} else {expression(depth - 1)})"
        return f"[{a}, {expression(depth - 1)}]"

    for _ in range(n):
        t = "".join(rng.choice(["{{ %s }}", "{%% if %s %%}y{%% else %%}n{%% endif %%}", "{%% for x in (%s) %%}{{ x }};{%% endfor %%}", "\n {%%- set v = %s %%}\n{{ v }}"]) % expression(3) for _ in range(rng.randrange(1, 3)))
        yield run(rng.choice(["plain", "task", "chat"]), t, VARS)


if len(sys.argv) > 1 and sys.argv[1] == "--random":
    cases = list(random_cases(int(sys.argv[2]), int(sys.argv[3])))
    json.dump({"vars": VARS, "cases": cases}, sys.stdout, ensure_ascii=True)
else:
    with open("tests/eval/data/templates.json", "w") as f:
        cases = fixed()
        f.write('{"jinja2": %s,\n"vars": %s,\n"cases": [\n' % (json.dumps(jinja2.__version__), json.dumps(VARS)))
        f.write(",\n".join(json.dumps(c) for c in cases))
        f.write("\n]}\n")
    print(len(cases), "cases,", sum("error" in c for c in cases), "errors")
