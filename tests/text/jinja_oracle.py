#!/usr/bin/env python3
"""jinja_oracle.py RENDER_LINES FOLDER...: renders templates with Kylin and with python3-jinja2, configured as transformers does,
and fails unless every result is equal. A case that Jinja refuses, Kylin must refuse. The *.jinja files of the folders
are rendered with random conversations; a folder that is not there is named and passed over."""
import functools
import json
import pathlib
import random
import subprocess
import sys

from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CONVERSATIONS = 40  # for each template

# Templates of other models that may differ, and why. Everything else must be equal.
MAY_DIFFER = {
    "deepseek-ai-DeepSeek-V3.2.jinja": "needs the filter from_json, which transformers lacks too",
    "deepseek-ai-DeepSeek-V4.jinja": "needs the filter from_json",
    "deepseek-ai-DeepSeek-V4-Flash-0731.jinja": "needs the filter from_json",
    "llama-cpp-deepseek-r1.jinja": "writes a generator as JSON, which Jinja refuses and Kylin can do",
    "meetkai-functionary-medium-v3.1.jinja": "Jinja's |safe makes it write &#34; for quotes; nobody can want that",
    "tencent-Hy3.jinja": "needs str.format",
}

MESSAGES = [
    {"role": "system", "content": " Be  brief.\n"},
    {"role": "user", "content": "Hello <|im_end|> 你好"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHi!", "tool_calls": [{"name": "f", "arguments": {"a": [1, 2.5, None, True, "x\"y\n"]}}]},
    {"role": "user", "content": ""},
]
CONTEXT = {"messages": MESSAGES, "empty": [], "n": 7, "x": 2.5, "s": "a,b,,c", "t": "\t Über-straße\x1f \n", "none_value": None, "yes": True, "no": False,
           "d": {"b": 1, "a": {"z": [3, 1, 2]}, "items": "shadowed?", "é": "\u2028\u0007<&>'"}, "words": ["pear", "Apple", "fig", "apple"],
           "people": [{"name": "Bo", "age": 3}, {"name": "al", "age": 9}, {"name": "Cy"}], "quoted": ["it's", 'say "x"', "both ' and \""]}

# Each line is one case.
EXPRESSIONS = r"""
1 + 2 * 3 - 4 // 3 % 5 ** 2
-7 // 2, -7 % 3, 7 // -2, 7 % -3, -7.5 // 2, -7.5 % 2
2 ** 3 ** 2, 2 ** -1, -2 ** 2
7 / 2, 1e3, 1.5e-7, 1e22, 123456789.125, 1_000, 0.1 + 0.2
"a" "b" ~ 1 ~ none ~ true ~ 1.0
"ab" * 3, 2 * [1, 2], [1] + [2]
not yes or no and yes, not (yes and no)
1 < 2 < 3, 1 < 3 < 2, 3 > 2 >= 2 != 1 == 1
"a" < "b", "a" in s, "z" not in s, 2 in [1, 2], "b" in d, "q" in d, 1 in []
yes if n > 3 else no, "only" if no, ("a" if no else "b") if yes
none_value, yes, no, n, x, empty, d.a, words, quoted, missing
[1, [2, (3, "x")], {"k": none}], {}, {"a": 1, 2: "b"}
1 == 1.0, true == 1, "1" == 1, none == false, [1, 2] == [1, 2], {"a": 1} == {"a": 1.0}, missing == missing
messages[0].role, messages[-1]["role"], messages[1].content[0], messages[9] is defined, messages[0].nothing is defined
messages[::-1] | map(attribute="role") | join("|"), s[1:3], s[::-1], s[-3:], s[:-2], s[::2], words[1:], words[-2:], words[5:], s[4:0:-2], words[-99:99]
s.split(","), s.split(",", 1), s.rsplit(",", 1), " a  b c ".split(), " a  b c ".split(none, 1), " a  b c ".rsplit(none, 1), "".split(), "".split(",")
t.strip(), t.lstrip(), t.rstrip(), "xxaxx".strip("x"), "xyaxy".lstrip("yx"), "aé".rstrip("é"), t | trim
"abc".startswith("ab"), "abc".endswith(("x", "bc")), "abc".startswith(("x",)), "abc".find("c"), "éa".find("a"), "abcb".rfind("b"), "aXbX".count("X")
"Hello".upper(), "HeLLO".lower(), "heLLo wOrld".capitalize(), "x".join(["a", "b"]), "aaa".replace("a", "b", 2), "abc".replace("", "-"), "abc".replace("b", "")
"a\nb\r\nc\n".splitlines(), "a\n".splitlines(true), "pre-x".removeprefix("pre-"), "x.txt".removesuffix(".txt"), "12".isdigit(), "a1".isdigit(), "ab".isalpha(), " ".isspace(), "".isspace()
s | length, words | count, d | length, "é你" | length, missing | length
words | first, words | last, "abc" | first, [] | first is defined, words | reverse | list, "abc" | reverse
words | sort, words | sort(reverse=true), words | sort(case_sensitive=true), people[:2] | sort(attribute="age") | map(attribute="name") | list
words | unique | list, [1, 1.0, 2] | unique | list, d.a | dictsort, {"B": 1, "a": 2, "C": 0} | dictsort, {"B": 1, "a": 2} | dictsort(true), {"B": 1, "a": 0} | dictsort(by="value")
d.a | items | list, d.a.items() | list, d.keys() | list, d.a.values() | list, d.get("b"), d.get("q"), d.get("q", 5), d["items"], d.b
words | join, words | join(", "), [1, none, "x"] | join("-"), people | join("+", attribute="name")
people | selectattr("age") | list | length, people | selectattr("age", "defined") | map(attribute="name") | join, people | rejectattr("age", "defined") | list, people | selectattr("age", "gt", 3) | list
[1, 2, 3, 4] | select("even") | list, [1, 2, 3] | reject("odd") | list, [0, 1, "", "a", none] | select | list, [0, 1] | reject | list, ["a", "b"] | select("equalto", "a") | list
["a", "b"] | map("upper") | list, [[1, 2], [3]] | map("length") | list, ["a,b"] | map("replace", ",", ";") | list, people | map(attribute="age", default=0) | list
missing | default("d"), none_value | default("d"), "" | default("d", true), "" | d("x", boolean=true), 0 | default(5), missing | default
"a\nb\n\nc" | indent, "a\nb" | indent(2, true), "a\n\nb" | indent(2, blank=true), "a\nb" | indent("> "), "a\n" | indent
"heLLo wOrld-foo (bar)" | title, "heLLo" | capitalize, "é" | upper, "É" | lower, n | string | upper
"a" | safe ~ "b"
"42" | int, "4.9" | int, "x" | int, "x" | int(7), 4.9 | int, -4.9 | int, true | int, " 5 " | int, "1.5" | float, "x" | float, "x" | float(2.5), 3 | float
-3 | abs, 2.5 | round, 3.5 | round, 2.567 | round(2), 2.1 | round(0, "ceil"), 2.9 | round(method="floor"), 7 | round
[1, 2] | sum, [1, 2.5] | sum, people[:2] | sum(attribute="age"), [] | sum, [3, 1, 2] | max, [3, 1, 2] | min, ["b", "A"] | min, people[:2] | max(attribute="age")
d | tojson, d | tojson(indent=2), [] | tojson, {} | tojson(indent=4), quoted | tojson(ensure_ascii=true), "é😀" | tojson(true), quoted | tojson, 1.0 | tojson, none | tojson, t | tojson, [[], {}, [1]] | tojson(indent=1), {1: 2, none: 3, true: 4} | tojson
messages | tojson, messages | string, quoted | string, t
missing is defined, n is defined, missing is undefined, none_value is none, n is not none, yes is true, no is false, n is boolean, yes is boolean
s is string, n is string, n is number, x is number, yes is number, n is integer, x is integer, yes is integer, x is float, n is float
d is mapping, words is mapping, words is sequence, s is sequence, n is sequence, words is iterable, n is iterable, missing is iterable, d is iterable, none_value is iterable
n is odd, n is even, 9 is divisibleby 3, 9 is divisibleby(2), n is eq 7, n is ne(7), n is gt 3, n is lessthan 3, n is in [7], "a" is in "abc", n is sameas 7, n is equalto 7
"abc" is lower, "ABC" is upper, "aB" is lower, range is callable, n is callable
not missing is defined, n is defined and n is odd, n is odd if yes else no, 1 + 1 is odd
range(3) | list, range(1, 4) | list, range(9, 0, -3) | list, dict(a=1, b="x"), dict(a=1).a, range(0) | list
namespace(a=1).a, namespace() is defined, namespace(a=1).b is defined
"\x41\u00e9\U0001F600\t\\\'\"\q" , 'it\'s', "a" 'b'
(1,), (), (1, 2)[0], [1, 2,][1], {"a": 1,}["a"], {"a": {"b": [1, {"c": 5}]}}.a.b[1].c, people.0.name
"%s" ~ "x" | upper, ("a" ~ "b") | upper, -3 | abs, (-3) | abs, "a" + "b" | upper
none and 1, 0 or "x", "" or [] or "end", 1 and 2, missing or "m"
"abc" is startingwith "a"
1 / 0
missing.attribute
missing + 1
missing()
"a" + 1
[1] < "a"
n.foo.bar
none_value | length
5 | length
1 in 5
[1, "a"] | sort
words | nosuchfilter
n is nosuchtest
{"a": 1
"unclosed
1 +
a b
range(1, 2, 0) | list
"x" | int | nosuch
raise_exception("no " ~ n)
namespace(1)
words[none_value]
words["a"] is defined, s["a"] is defined, d[1] is defined, n["a"] is defined, n[0] is defined, none_value["a"] is defined
""".strip("\n").split("\n")

TEMPLATES = [
    "a\n{% if yes %}\nb\n{% endif %}\nc\n", "  {% if yes %}  b  {% endif %}  \n", "a  {%- if yes -%}  b  {%- endif -%}  c", "a\n  {%+ if yes %}\nb{% endif +%}\nc",
    "a {# c #} b\n{# line #}\nc\n  {#- x -#}  d", "{{ 1 }}\n{{ 2 -}}\n {{- 3 }}\n", "  {{ 1 }}", "\n\n  {% set a = 1 %}\n  {{ a }}\n", "x\n", "x\n\n", "\r\na\r\n{% if 1 %}\r\nb\r{% endif %}\r\n",
    "{% raw %}{{ not }} {% a %}{% endraw %}!", " {%- raw -%}  {{ x }}  {%- endraw -%}  y", "a\n  {% raw %}\n b {% endraw %}\n c", "{%raw%}{% endraw", "{# x", "{% if", "{{ 1", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': {'b': 1}} }}",
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {{ m.role }}\n{% endfor %}",
    "{% for w in words %}{{ loop.previtem }}<{{ w }}>{{ loop.nextitem }}{{ loop.cycle('a', 'b') }} {% endfor %}", "{% for x in empty %}x{% else %}none{% endfor %}", "{% for x in missing %}x{% else %}none{% endfor %}",
    "{% for w in words if w != 'fig' %}{{ loop.index }}{{ w }}{% else %}e{% endfor %}", "{% for w in words if w == 'q' %}{{ w }}{% else %}e{% endfor %}", "{% for k, v in d.a.items() %}{{ k }}={{ v }}{% endfor %}", "{% for k in d %}{{ k }},{% endfor %}",
    "{% for c in 'aé你' %}{{ c }}.{% endfor %}", "{% for a, b in [[1, 2], (3, 4)] %}{{ a }}{{ b }} {% endfor %}", "{% for a, b in [[1]] %}{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in 1, 2 %}{{ i }}{% endfor %}", "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(n=0) %}{% for i in range(5) %}{% set ns.n = ns.n + i %}{% set ns.last = i %}{% endfor %}{{ ns.n }}{{ ns.last }}",
    "{% if no %}a{% elif n == 7 %}b{% elif 1 %}c{% else %}d{% endif %}", "{% if no %}a{% endif %}{% if yes %}{% set q = 3 %}{% endif %}{{ q }}", "{% set a, b = 1, 'x' %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set n.x = 1 %}",
    "{% set text %}<{{ n }}>\n{% for w in words %}{{ w }}{% endfor %}{% endset %}{{ text | upper }}{{ text is string }}", "{% set t2 | trim | upper %}  ab {% endset %}[{{ t2 }}]", "{% filter upper | replace('A', 'o') %}banana {{ n }}{% endfilter %}",
    "{% macro f(a, b='z') %}({{ a }}-{{ b }}-{{ n }}){% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(b=3, a=4) }}{{ f() }}{{ f(1) | length }}", "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(5) }}",
    "{% set g = 5 %}{% macro f() %}{{ g }}{% set g = 6 %}{{ g }}{% endmacro %}{{ f() }}{{ g }}", "{% macro f(x) %}{% for i in range(x) %}{{ i }}{% endfor %}{% endmacro %}{% for i in [1, 2] %}{{ f(i) }};{% endfor %}",
    "{% for m in messages %}{% for c in m.content %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% if n %}", "{% endif %}", "{% for x in words %}", "{% foo %}", "{% if n %}{% endfor %}", "{{ }}", "{% set %}", "{% for in x %}{% endfor %}",
    "{{ '{{' }} {{ '%}' }} {{ \"}}\" }}", "{{ 'a' }}{{- ' b' }} {{+ 1 }}", "{{ (1) }}", "{% if (n == 7) and not (missing is defined) %}ok{% endif %}", "{% if messages[0]['role'] == 'system' -%}\n {{ messages[0]['content'] | trim }}\n{%- endif %}\n",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}", "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | last }}",
    "{%- for m in messages[1:] -%}\n  {{- m.role }}\n{% endfor -%}\n  end", "{% set loop_messages = messages[1:] %}{% set sys = messages[0]['content'] %}{{ loop_messages | length }}{{ sys }}", "a{%- set x = 1 +%}\nb", "{%- if tools is defined and tools %}t{% else %}-{% endif %}",
    "{{ x.y if x.y is defined else 'no' }}", "{{ none }}", "{{ loop }}", "{{ loop is defined }}", "{% for i in [1] %}{{ i }}{% endfor %}{{ i }}{{ i is defined }}", "{{ 'x' if messages[0].role == 'system' and messages | length > 1 else 'y' }}",
    "{{ [1, 2] | tojson }}{{ 'é<' | tojson }}", "{{ dict(role='x') }}", "{% set a = [1] %}{% set a = a + [2] %}{{ a }}", "{{ messages[0].content.strip().split(' ') | first }}", "{{ '' }}{{ ' ' }}",
]


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Refusal(Exception):
    pass


def refuse(message):
    raise Refusal(message)


class Generation(Extension):
    """{% generation %} marks the assistant's words for training; transformers adds it, and rendering only needs its body."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = refuse


@functools.lru_cache
def compiled(template):
    return environment.from_string(template)


def jinja(case):
    try:
        return compiled(case["template"]).render(**case["context"])
    except (TemplateError, Refusal, TypeError, ValueError, ZeroDivisionError, AttributeError):
        return None


def random_text(rng):
    pieces = ["Hello", " ", "\n", "<think>", "</think>", "\n\n", "你好", "<tool_response>", "</tool_response>", "a'b\"c", "{x}", "<|im_end|>", "\t", "é", "😀"]
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(8)))


def random_conversation(rng):
    messages = []
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": random_text(rng)})
    for _ in range(rng.randrange(1, 7)):
        role = rng.choice(["user", "assistant", "tool", "system"])
        message = {"role": role, "content": random_text(rng)}
        if role == "assistant":
            if rng.random() < 0.3:
                message["reasoning_content"] = random_text(rng)
            if rng.random() < 0.4:
                call = {"name": "f", "arguments": rng.choice([{"a": [1, "x\n"], "é": None}, '{"raw": true}'])}
                message["tool_calls"] = [rng.choice([call, {"type": "function", "function": call}]) for _ in range(rng.randrange(1, 3))]
        messages.append(message)
    context = {"messages": messages, "add_generation_prompt": rng.random() < 0.5, "bos_token": "<s>", "eos_token": "</s>"}
    if rng.random() < 0.4:
        context["tools"] = [{"type": "function", "function": {"name": "f", "description": random_text(rng), "parameters": {"type": "object", "properties": {}}}}]
    if rng.random() < 0.6:
        context["enable_thinking"] = rng.random() < 0.5
    return context


def main():
    render_lines, *folders = sys.argv[1:]
    rng = random.Random(1)
    cases = [{"template": "{{ " + e + " }}", "context": CONTEXT} for e in EXPRESSIONS]
    cases += [{"template": t, "context": CONTEXT} for t in TEMPLATES]
    for folder in map(pathlib.Path, folders):
        if not folder.is_dir():
            print(f"{folder} is not there: run reference/install")
        for path in sorted(folder.glob("*.jinja")):
            if path.name not in MAY_DIFFER:
                template = path.read_text(encoding="utf-8")
                cases += [{"template": template, "context": random_conversation(rng), "path": str(path)} for _ in range(CONVERSATIONS)]
    lines = "".join(json.dumps({"template": c["template"], "context": c["context"]}) + "\n" for c in cases)
    output = subprocess.run([render_lines], input=lines, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    results = [json.loads(line) for line in output.strip("\n").split("\n")]
    assert len(results) == len(cases)

    n_different = n_refused = 0
    for case, ours in zip(cases, results):
        theirs = jinja(case)
        n_refused += theirs is None
        if ours.get("text") == theirs:
            continue
        n_different += 1
        print(f"template {case.get('path', case['template'])!r}\n  jinja {theirs!r}\n  kylin {ours}")
        if "path" in case:
            print("  context", json.dumps(case["context"], ensure_ascii=False))
    print(f"{len(cases)} cases, {n_refused} of them refused by Jinja, {n_different} different")
    return n_different != 0


sys.exit(main())
