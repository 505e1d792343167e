"""Templates: the dialect, its errors, and what the sandbox keeps out."""

from __future__ import annotations

import pytest

from astraweave.errors import CapacityError, ConfigError, InputError
from astraweave.prompts import PromptTemplate, Untrusted

jinja2 = pytest.importorskip("jinja2")

PERSONA = """\
You are {{ name }}, {{ age }} years old, {{ role }} of {{ town }}.
{%- if title %} People call you {{ title }}.{% endif %}

Traits: {{ traits | join(", ") }}. Voice: {{ voice | upper }}. Gold: {{ gold + 1 }}.
{%- for fact in facts %}
{{ loop.index }}. {{ fact }}
{%- else %}
nothing
{%- endfor %}
{{ 'You trust ' ~ player if trust > 0.5 and not foe else "wary" }}
{{ {'a': 1}.a }} {{ facts | length }}
"""
VALUES = {
    "name": "Tam", "age": 54, "role": "smith", "town": "Oakford", "title": None, "gold": 3,
    "traits": ["gruff", "kind"], "voice": "low", "facts": ["one", "two"], "player": "Ash",
    "trust": 0.7, "foe": False,
}  # fmt: skip


def test_the_dialect_is_a_part_of_jinja():
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
    expected = environment.from_string(PERSONA).render(**VALUES)
    assert PromptTemplate(PERSONA).render(**VALUES) == expected


def test_a_line_with_only_a_statement_leaves_no_empty_line():
    template = PromptTemplate("a\n  {% for x in xs %}\n- {{ x }}\n  {% endfor %}\nb")
    assert template.render(xs=[1, 2]) == "a\n- 1\n- 2\nb"


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("\n{{ nmae }}", 11, "'nmae' has no value; did you mean 'name'"),
        ("{% if name %}\nx\n{% endif %}\n{{ nmae }}", 13, "nmae"),
        ("{{ tam.trats }}", 10, "did you mean 'tam.traits'"),
        ("\n\n{{ name | uper }}", 12, "did you mean 'upper'"),
        ("{% set a = 1 %}", 10, "the statement 'set'"),
        ("{% raw %}{% endraw %}", 10, "the statement 'raw'"),
        ("{% macro f() %}{% endmacro %}", 10, "the statement 'macro'"),
        ("{% include 'x' %}", 10, "the statement 'include'"),
        ("\n{{ 'a' * 3 }}", 11, "multiplication"),
        ("{{ 2 ** 3 }}", 10, "multiplication"),
        ("{{ name.upper() }}", 10, "calls"),
        ("{{ not name.upper() }}", 10, "calls"),
        ("{{ ('x')() }}", 10, "calls"),
        ("{{ range(9) }}", 10, "calls"),
        ("{{ name | join(name) }}", 10, "separator"),
        ("{{ name | join('a' ~ name) }}", 10, "separator"),
        ("{% for x in xs recursive %}{{ loop(x) }}{% endfor %}", 10, "recursive"),
        ("{{ name is nuber }}", 10, "did you mean 'number'"),
        ("x\n{% if name %}", 11, ""),
        ("{{ name", 10, ""),
        ("{{ 'name }}", 10, ""),
        ("{% for a in age %}{% endfor %}", 10, "not iterable"),
    ],
)
def test_errors_name_file_line_and_reason(source, line, words):
    with pytest.raises(ConfigError) as caught:
        PromptTemplate(source, name="tam.toml", first_line=10).render(
            name="Tam", age=3, tam={"traits": []}, xs=[]
        )
    assert str(caught.value).startswith(f"tam.toml:{line}: ")
    assert words in str(caught.value)
    assert caught.value.line == line


def test_comments_strings_and_tests_are_no_tags():
    template = PromptTemplate(
        "{# {% set a = 1 %} #}{{ '{% set %} {{ * }}' }}{{ (1 if n is divisibleby(2)) }}"
        "{{ 2 if n is not defined else (3) }}"
    )
    assert template.render(n=4) == "{% set %} {{ * }}13"


def test_endless_templates_are_stopped():
    loops = "{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}"
    with pytest.raises(CapacityError, match="did not end") as caught:
        PromptTemplate(loops).render(l=list(range(1000)))
    assert caught.value.limit > 0


def test_templates_reach_no_python():
    class Secret:
        key = "secret"

    with pytest.raises(InputError, match="not Secret"):
        PromptTemplate("{{ s.key }}").render(s=Secret())
    with pytest.raises(InputError, match="not Secret"):
        PromptTemplate("{{ s }}").render(s=[{"deep": [Secret()]}])
    with pytest.raises(ConfigError):
        PromptTemplate("{{ s.__class__ }}").render(s="text")
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InputError, match="nested"):
        PromptTemplate("{{ s }}").render(s=endless)


def test_values_are_never_rendered_again():
    text = "{{ secret }}{% if x %}{# c #}"
    assert PromptTemplate("<{{ a }}>").render(a=text, secret="no") == f"<{text}>"
    assert PromptTemplate("<{{ a }}>").render(a=Untrusted("$x {y} %z")) == '<"$x {y} %z">'


def test_variables_are_known_after_compilation():
    template = PromptTemplate("{% for x in xs %}{{ x }}{{ loop.index }}{{ who }}{% endfor %}")
    assert template.variables == {"xs", "who"}
    assert not template.bare
    assert PromptTemplate(" {{ line }}\n").bare


def test_untrusted_alone_is_not_quoted():
    assert PromptTemplate("{{ line }}").render(line=Untrusted('say "hi"')) == 'say "hi"'
    assert PromptTemplate("> {{ line }}").render(line=Untrusted('say "hi"')) == "> \"say 'hi'\""


@pytest.mark.parametrize("text", ["", " \n\t", "\x00", "<|im_end|>", "\u202e"])
def test_untrusted_nothing_stays_nothing(text):
    assert Untrusted(text).quoted == ""
    assert (
        PromptTemplate("{% if a %}{{ a }}{% else %}-{% endif %}").render(a=Untrusted(text)) == "-"
    )


def test_untrusted_wants_text():
    with pytest.raises(InputError, match="must be a str"):
        Untrusted(3)  # type: ignore[arg-type]
