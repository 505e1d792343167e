"""Programs write what the template engine writes, or leave it to the engine."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.bench.prompts import PERSONA, VALUES
from astraweave.errors import AstraweaveError, ConfigError
from astraweave.kernels.rendering import Step, are_plain, render
from astraweave.prompts import PromptLibrary, PromptTemplate, Untrusted
from astraweave.prompts._program import translate

NAMES = ["a", "b", "xs", "ys", "x"]

atoms = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["", " ", "{{ a }}", "{% if a %}", "\ud800", "\n", "\x85", "é", "<&>'\""]),
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63, -(2**64), 10**15, 2**200]),
    st.floats(),
    st.sampled_from([1.0, -0.0, 0.5, 1e-4, 9.9e-5, 1e16, 1e15, -1e16, 123456.789]),
    st.booleans(),
    st.none(),
    st.text(max_size=4).map(Untrusted),
)
values = st.one_of(
    atoms,
    st.lists(atoms, max_size=4),
    st.lists(atoms, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(NAMES), atoms, max_size=2),
    st.lists(st.lists(atoms, max_size=2), max_size=2),
)
given_values = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
full_values = st.fixed_dictionaries(
    {"a": atoms, "b": atoms, "x": atoms, "xs": st.lists(atoms, max_size=4), "ys": st.lists(atoms)}
)

spaces = st.sampled_from(["", " ", "  ", "\n", "\t\n "])
names = st.sampled_from(NAMES)
conditions = st.builds(
    lambda name, more: f"{'not ' if more == 'not' else ''}{name}{'' if more == 'not' else more}",
    names,
    st.sampled_from(["", "", "not", " > 0.5", " <= 1", " == 0", "!=2", " >= 1000000.25", " < 3"]),
)


def tag(opening, closing, dashes, inner):
    left, right = dashes
    return f"{opening}{left}{inner}{right}{closing}"


dashes = st.tuples(st.sampled_from(["", "-"]), st.sampled_from(["", "-"]))
padded = st.tuples(spaces, spaces)


def value_tags(inner):
    return st.builds(
        lambda d, p, i: tag("{{", "}}", d, f"{p[0] or ' '}{i}{p[1] or ' '}"), dashes, padded, inner
    )


def statements(*words):
    return st.builds(
        lambda d, w: tag("{%", "%}", d, f" {w} "),
        dashes,
        st.sampled_from(words) if isinstance(words[0], str) else words[0],
    )


leaves = st.one_of(
    spaces,
    st.sampled_from(["You are", "x\n", "\n- ", "}}", "%}", "{ {", "é "]),
    value_tags(names),
    value_tags(
        st.builds(lambda n, s: f"{n} | join({s!r})", names, st.sampled_from([", ", "", "{"]))
    ),
    value_tags(st.sampled_from(["loop.index", "a | upper", "1", "a ~ b", "x.y", "'%}'", "true"])),
    st.builds(lambda d: tag("{#", "#}", d, " {{ note }} "), dashes),
)


def blocks(inner, conditions=conditions, items=names, lists=names):
    bodies = st.lists(inner, max_size=4).map("".join)
    ifs = st.builds(
        lambda i, b, rest, e: i + b + rest + e,
        statements(conditions.map(lambda c: f"if {c}")),
        bodies,
        st.one_of(
            st.just(""),
            st.builds(lambda s, b: s + b, statements("else"), bodies),
            st.builds(
                lambda s, b, t, c: s + b + t + c,
                statements(conditions.map(lambda c: f"elif {c}")),
                bodies,
                statements("else"),
                bodies,
            ),
        ),
        statements("endif"),
    )
    loops = st.builds(
        lambda f, b, rest, e: f + b + rest + e,
        statements(st.builds(lambda n, s: f"for {n} in {s}", items, lists)),
        bodies,
        st.one_of(st.just(""), st.builds(lambda s, b: s + b, statements("else"), bodies)),
        statements("endfor"),
    )
    return ifs | loops


templates = st.lists(st.recursive(leaves, blocks, max_leaves=8), max_size=6).map("".join)

# What programs are for: names that have a value, each of the kind that its place wants.
usual_values = st.fixed_dictionaries(
    {
        "a": st.text(max_size=4),
        "b": st.integers(-3, 3) | st.text(max_size=4),
        "n": st.integers(-3, 3) | st.sampled_from([0.5, 0.25, 2.0, 1e9]),
        "xs": st.lists(st.text(max_size=3) | st.integers(-(2**63), 2**63 - 1), max_size=4),
        "ys": st.lists(st.sampled_from(["", "y", 2.5, 7]), max_size=3),
    }
)
usual_leaves = st.one_of(
    spaces,
    st.sampled_from(["You are", "x\n", "\n- ", "}}", "%}", "{ { ", "é "]),
    value_tags(st.sampled_from(["a", "b", "n"])),
    value_tags(st.sampled_from(["xs | join(', ')", 'ys|join("")'])),
    st.builds(lambda d: tag("{#", "#}", d, " {{ note }} "), dashes),
)
usual_conditions = st.sampled_from(
    ["a", "not a", "xs", "not ys", "n > 0.5", "n <= 1", "n==0", "n != 2", "n < 3", "n >= 1"]
)
item_leaves = st.builds(
    lambda f, before, d, after, e: f + before + tag("{{", "}}", d, " b ") + after + e,
    statements(st.sampled_from(["for b in xs", "for b in ys"])),
    spaces,
    dashes,
    st.sampled_from(["{{ loop.index }}", "{{ loop.index }}. {{ a }}\n", "{% if b %}b{% endif %}"]),
    statements("endfor"),
)
usual_templates = st.lists(
    st.recursive(
        usual_leaves | item_leaves,
        lambda inner: blocks(
            inner, usual_conditions, st.sampled_from(["a", "b", "i"]), st.sampled_from(["xs", "ys"])
        ),
        max_leaves=8,
    ),
    max_size=6,
).map("".join)
SOUP = ["{{", "}}", "{%", "%}", "{#", "#}", "-", "+", " ", "\n", "a", "xs", "'", '"', "|", "join",
        "(", ")", "if", "else", "endif", "for", "in", "endfor", "loop.index", "not", ">", "1", "\\",
        "{% if a %}", "{% endif %}", "{% for x in xs %}", "{% endfor %}", "{{ x }}"]  # fmt: skip
soups = st.lists(st.sampled_from(SOUP), max_size=14).map("".join)


def outcome(template, given_):
    try:
        return template.render_values(given_, quote=True)
    except AstraweaveError as error:
        return type(error), str(error)


def assert_alike(source, given_):
    try:
        quick, engine = PromptTemplate(source), PromptTemplate(source)
    except ConfigError:
        return
    engine._program = None
    assert outcome(quick, given_) == outcome(engine, given_)


@settings(max_examples=500)
@given(templates, given_values | full_values)
def test_programs_write_what_the_engine_writes(source, given_):
    assert_alike(source, given_)


@settings(max_examples=500)
@given(usual_templates, usual_values)
def test_usual_templates_are_rendered_by_their_programs(source, given_):
    assert_alike(source, given_)
    program = PromptTemplate(source)._program
    assert program is not None
    assert render(program, given_) is not None


@settings(max_examples=300)
@given(soups, full_values)
def test_no_soup_of_signs_is_misread(source, given_):
    assert_alike(source, given_)


@given(full_values)
def test_the_persona_prompt_is_the_engines(given_):
    assert_alike(PERSONA, VALUES | {"title": given_["a"], "trust": given_["b"]})
    assert_alike(PERSONA, VALUES | {"traits": given_["xs"], "facts": given_["ys"]})


def test_usual_prompts_need_no_engine():
    for source in (
        PERSONA,
        *(s for s, _ in PromptLibrary.load()["dialogue"]._entry.sections.values()),
    ):
        template = PromptTemplate(source)
        assert template._program is not None, source
    assert render(PromptTemplate(PERSONA)._program, VALUES) is not None


@pytest.mark.parametrize(
    "source",
    [
        "{{ a | upper }}",
        "{{ a + 1 }}",
        "{{ a.b }}",
        "{% if a and b %}x{% endif %}",
        "{% if a is defined %}x{% endif %}",
        "{% if not a > 1 %}x{% endif %}",
        "{%+ if a %}x{% endif %}",
        "{{ loop.index }}",
        "a\r\nb",
        "{% for x in xs %}{% for y in x %}{{ y }}{% endfor %}{% endfor %}",
        "{{ 'x' }}",
        "{{ a | join(', ') | upper }}",
        "{{ a | join('\\n') }}",
        "{% if a %}" * 30 + "{% endif %}" * 30,
        "".join(f"{{% for x{n} in xs %}}" for n in range(9)) + "{% endfor %}" * 9,
    ],
)
def test_the_rest_is_left_to_the_engine(source):
    assert translate(source) is None
    PromptTemplate(source)


@pytest.mark.parametrize(
    "value", [True, None, 2**64, math.nan, math.inf, 1e16, 9e-5, -0.0, [1], {}, (1,), "\ud800", {1}]
)
def test_values_whose_text_is_the_engines(value):
    program = translate("{{ a }}")
    assert program is not None
    assert render(program, {"a": value}) is None


def test_long_loops_are_left_to_the_engine():
    program = translate("{% for x in a %}{% for y in a %}{{ y }}{% endfor %}{% endfor %}")
    assert program is not None
    assert render(program, {"a": [1] * 1000}) is None
    assert render(program, {"a": [1] * 10}) == "1" * 100


@pytest.mark.parametrize(
    "body", ["", "{{ x }}", "{% if x > 0 %}{% endif %}", "{% for y in a %}{% endfor %}"]
)
def test_loops_end_where_the_engines_end(body):
    source = "{% for x in a %}" + body + "{% endfor %}"
    for length in (10, 60, 1_500, 2_700, 4_100, 8_001, 20_000):
        assert_alike(source, {"a": [1] * length})


def test_values_of_other_kinds_run_no_code_of_their_own():
    class Loud(str):
        __slots__ = ()

        def __len__(self):
            raise AssertionError

        __str__ = __bool__ = __eq__ = __iter__ = __len__  # type: ignore[assignment]

    class Sly(list):
        __len__ = __iter__ = __getitem__ = Loud.__len__  # type: ignore[assignment]

    for source in ("{{ a }}", "{% if a %}{% endif %}", "{% if a > 1 %}{% endif %}",
                   "{{ a | join('') }}", "{% for x in a %}{% endfor %}"):  # fmt: skip
        program = translate(source)
        assert program is not None
        for value in (Loud("x"), Sly([1])):
            assert render(program, {"a": value}) is None
            assert not are_plain({"a": value})
            assert not are_plain({"a": [value]})


def test_references_are_given_back():
    word, program = "".join(["per", "sona"]), translate("{% for x in a %}{{ x }}{% endfor %}")
    before = sys.getrefcount(word)
    for _ in range(100):
        render(program, {"a": [word, 2]})  # type: ignore[arg-type]
        render(program, {"a": [word, {}]})  # type: ignore[arg-type]
    assert sys.getrefcount(word) == before


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "jump"},
        {"kind": "each", "depth": 8},
        {"kind": "each"},
        {"kind": "index"},
        {"kind": "value", "depth": -2},
        {"kind": "when", "comparison": "<>"},
        {"kind": "when", "body": ("text",)},
    ],
)
def test_there_are_no_other_steps(arguments):
    with pytest.raises(ValueError, match="step"):
        Step(**arguments)


def test_a_program_is_made_of_steps():
    with pytest.raises(TypeError):
        render(("text",), {})  # type: ignore[arg-type]
