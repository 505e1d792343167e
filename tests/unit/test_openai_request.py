"""What is sent to which kind of server, and what is made of its events."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.clock import SystemClock
from astraweave.errors import ConfigError, InputError, InvalidResponse, ModelUnavailable
from astraweave.inference._http_errors import retry_after_s
from astraweave.inference._http_url import Endpoint, checked_key
from astraweave.inference.sse import ServerSentEvent
from astraweave.llm import (
    Choice,
    ChunkStream,
    GenerationRequest,
    JsonSchema,
    Lark,
    Message,
    Regex,
    SamplingParams,
    Tool,
)
from astraweave.llm._conforms import complaint
from astraweave.llm._dialects import DIALECTS, dialect_named, dialect_of
from astraweave.llm._gbnf import choice_to_gbnf, regex_to_gbnf
from astraweave.llm._openai_answer import AnswerReader, estimate_tokens
from astraweave.llm._openai_request import chat_body

USER = (Message("system", "You are Tam."), Message("user", "Is it warm?"))
SCHEMA = {"type": "object", "properties": {"gold": {"type": "integer"}}, "required": ["gold"]}


def ask(**values: Any) -> GenerationRequest:
    return GenerationRequest(messages=USER, **values)


def body(request: GenerationRequest, dialect: str, **extra: Any) -> dict[str, Any]:
    return chat_body(request, model="m", dialect=dialect_named(dialect), extra=extra)


@pytest.mark.parametrize("dialect", [each.name for each in DIALECTS])
def test_the_common_part_is_the_same_for_all(dialect: str) -> None:
    sent = body(ask(max_tokens=9, stop=("\n",), sampling=SamplingParams(seed=7)), dialect)
    assert sent["model"] == "m"
    assert sent["messages"][1] == {"role": "user", "content": "Is it warm?"}
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 9
    assert (sent["stop"], sent["seed"], sent["temperature"]) == (["\n"], 7, 0.7)
    assert "presence_penalty" not in sent
    json.dumps(sent)


def test_sampling_is_sent_by_the_names_that_the_server_knows() -> None:
    request = ask(sampling=SamplingParams(presence_penalty=0.5, repetition_penalty=1.2, top_k=3))
    assert body(request, "llama.cpp")["repeat_penalty"] == 1.2
    assert body(request, "vllm")["repetition_penalty"] == 1.2
    sent = body(request, "openai")
    assert not {"top_k", "min_p", "repeat_penalty", "repetition_penalty", "max_tokens"} & {*sent}
    assert sent["presence_penalty"] == 0.5


def test_only_so_many_stop_strings_are_sent_as_the_server_takes() -> None:
    many = ask(stop=tuple("abcdef"))
    assert len(body(many, "openai")["stop"]) == 4
    assert len(body(many, "llama.cpp")["stop"]) == 6


def test_fields_of_the_user_are_added_replaced_and_taken_away() -> None:
    sent = body(ask(), "generic", temperature=None, top_p=0.1, think=False)
    assert "temperature" not in sent
    assert (sent["top_p"], sent["think"]) == (0.1, False)


def test_a_beginning_is_gone_on_with_as_each_server_can() -> None:
    request = ask(prefix="Aye, ")
    begun = {"role": "assistant", "content": "Aye, "}
    assert body(request, "ollama")["messages"][-1] == begun
    sent = body(request, "vllm")
    assert sent["messages"][-1] == begun
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)
    assert body(request, "mistral")["messages"][-1] == begun | {"prefix": True}
    assert body(request, "openai")["messages"][-1]["content"].endswith('these words: "Aye, ")')
    assert request.messages == USER


def test_constraints_go_into_the_fields_that_the_server_knows() -> None:
    schema, regex = JsonSchema(schema=SCHEMA), Regex(pattern="(yes|no)")
    choice, lark = Choice(options=("yes", 'no "way"')), Lark(grammar="start: /a/")
    for dialect in ("openai", "llama.cpp", "ollama", "lmstudio", "generic"):
        sent = body(ask(constraint=schema), dialect)["response_format"]
        assert sent["json_schema"]["schema"] == SCHEMA
    assert body(ask(constraint=schema), "vllm")["structured_outputs"] == {"json": SCHEMA}
    assert body(ask(constraint=lark), "vllm")["structured_outputs"] == {"grammar": "start: /a/"}
    assert body(ask(constraint=regex), "llama.cpp")["grammar"] == 'root ::= ("yes" | "no")'
    assert body(ask(constraint=choice), "llama.cpp")["grammar"] == r'root ::= "yes" | "no \"way\""'
    sent = body(ask(constraint=choice), "openai")["response_format"]["json_schema"]["schema"]
    assert sent["properties"]["answer"]["enum"] == ["yes", 'no "way"']


@pytest.mark.parametrize(
    ("dialect", "constraint"),
    [
        ("openai", Regex(pattern="a")),
        ("ollama", Lark(grammar="start: /a/")),
        ("llama.cpp", Lark(grammar="start: /a/")),
    ],
)
def test_what_a_server_cannot_hold_to_is_refused_by_name(dialect: str, constraint: Any) -> None:
    with pytest.raises(InputError, match=f"'{dialect}' cannot hold an answer to"):
        body(ask(constraint=constraint), dialect)


def test_a_beginning_and_a_constraint_are_too_much() -> None:
    with pytest.raises(InputError, match="give one of them"):
        body(ask(constraint=JsonSchema(schema=SCHEMA), prefix="{"), "vllm")


def test_tools_are_sent() -> None:
    sent = body(ask(tools=(Tool(name="give", description="gold", parameters=SCHEMA),)), "openai")
    function = {"name": "give", "description": "gold", "parameters": SCHEMA}
    assert sent["tools"] == [{"type": "function", "function": function}]


def test_dialects_are_known_by_name_and_by_who_owns_the_models() -> None:
    assert dialect_of("llamacpp").name == "llama.cpp"
    assert dialect_of("somebody").name == "generic"
    with pytest.raises(ConfigError, match="'klingon' is no dialect; there are: auto, "):
        dialect_named("klingon")


# -- grammars


@pytest.mark.parametrize(
    ("pattern", "grammar"),
    [
        (r"^abc$", '"abc"'),
        (r"ab+c", '"a" "b"+ "c"'),
        (r"[a-z_]{2,5}?", "[a-z_]{2,5}"),
        (r"[^\d\]-]", r"[^0-9\]\x2D]"),
        (r"(?:\w+\s)*", r"([0-9A-Za-z_]+ [ \t\n\r\x0B\x0C])*"),
        (r"a|b|", '"a" | "b" | ""'),
        (r".\.", r'[^\n] "."'),
        (r"\"\\", r'"\"\\"'),
        (r"\x41é\n", r'"Aé\x0A"'),
    ],
)
def test_a_regular_expression_is_one_rule(pattern: str, grammar: str) -> None:
    assert regex_to_gbnf(pattern) == f"root ::= {grammar}"


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?=a)",
        r"(a)\1",
        r"\bword",
        "a**",
        "*a",
        "(a",
        "a)",
        "[a",
        "[z-a]",
        "a{3,1}",
        "a^b",
        "(" * 99,
    ],
)
def test_what_is_not_regular_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(InputError, match="cannot be made a grammar"):
        regex_to_gbnf(pattern)


@given(st.text(max_size=30))
def test_any_text_is_a_grammar_or_an_error_of_ours(pattern: str) -> None:
    try:
        grammar = regex_to_gbnf(pattern)
    except InputError:
        return
    assert grammar.startswith("root ::= ")
    assert "\n" not in grammar


@given(st.lists(st.text(max_size=9), min_size=1, max_size=5))
def test_a_choice_is_quoted(options: list[str]) -> None:
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', choice_to_gbnf(options))
    assert len(quoted) == len(options)


# -- schemas

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.floats(-2, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "schema", "wrong"),
    [
        ({"gold": 3}, SCHEMA, ""),
        ({"gold": 3.0}, SCHEMA, ""),
        ({"gold": True}, SCHEMA, "the answer.gold is not of type 'integer'"),
        ({}, SCHEMA, "the answer lacks 'gold'"),
        ([], SCHEMA, "the answer is not of type 'object'"),
        ({"gold": 1, "x": 1}, SCHEMA | {"additionalProperties": False}, "is not allowed"),
        (1, {"enum": [True]}, "none of the allowed values"),
        (1, {"const": 2}, "not the one allowed value"),
        ([1, "a"], {"items": {"type": "integer"}}, "[1] is not of type"),
        ([1, 2], {"maxItems": 1}, "length of the answer is out of bounds"),
        (11, {"maximum": 10}, "out of bounds"),
        ("abc", {"maxLength": 2}, "length of the answer is out of bounds"),
        (None, {"type": ["string", "null"]}, ""),
    ],
)
def test_a_value_keeps_to_a_schema_or_it_is_said_why_not(
    value: Any, schema: dict[str, Any], wrong: str
) -> None:
    found = complaint(value, schema)
    assert (found == "") == (wrong == "")
    assert wrong in found


@given(VALUES, VALUES)
def test_no_value_and_no_schema_without_an_answer(value: Any, other: Any) -> None:
    assert complaint(value, {"enum": [other, value]}) == ""
    assert complaint(value, {"const": value}) == ""


# -- answers


class Said:
    """Events as a server sends them, read into a stream."""

    def __init__(self, request: GenerationRequest, **how: Any) -> None:
        self.stream = ChunkStream()
        self.reader = AnswerReader(
            request, self.stream, count=lambda text: len(text.split()), clock=SystemClock(), **how
        )

    def choice(self, finish: str | None = None, **delta: Any) -> str:
        told = {"id": "a", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        return self.event(told)

    def event(self, told: object) -> str:
        return self.reader.feed(ServerSentEvent(data=msgspec.json.encode(told).decode()))


def test_text_usage_and_the_end() -> None:
    said = Said(ask())
    assert said.choice(content="Aye, ") == "more"
    assert said.choice(content="it is.", finish="stop") == "rest"
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    assert said.event({"id": "a", "choices": [], "usage": usage}) == "nothing"
    said.reader.end()
    assert said.stream.result(0) == "Aye, it is."
    found = said.stream.usage
    assert found is not None
    assert (found.prompt_tokens, found.reused_tokens, found.completion_tokens) == (5, 4, 2)
    assert not found.estimated


def test_a_server_that_counts_nothing_is_counted_for_and_that_is_said() -> None:
    said = Said(ask())
    said.choice(content="Aye, it is.", finish="length")
    said.reader.end()
    assert said.stream.finish_reason == "length"
    found = said.stream.usage
    assert found is not None
    assert found.estimated
    assert (found.prompt_tokens, found.completion_tokens) == (3 + 3 + 2 * 4 + 3, 3)


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 3, 9), (7,)])
@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("Aye, it is.", "it is."),
        ("\n Aye, it is.", "it is."),
        ("Ayes have it.", "Ayes have it."),
        ("Aye", "Aye"),
        ("It is.", "It is."),
    ],
)
def test_a_repeated_beginning_is_taken_away(told: str, left: str, cuts: tuple[int, ...]) -> None:
    said = Said(ask(prefix="Aye, "), repeats=True)
    for a, b in zip((0, *cuts), (*cuts, len(told)), strict=True):
        said.choice(content=told[a:b])
    said.choice(finish="stop")
    said.reader.end()
    assert said.stream.result(0) == left


def test_stop_strings_are_found_here_too_and_end_the_reading() -> None:
    said = Said(ask(stop=("Player:",)))
    assert said.choice(content="Aye.\nPla") == "more"
    assert said.choice(content="yer: and") == "nothing"
    said.reader.end()
    assert said.stream.result(0) == "Aye.\n"
    assert said.stream.finish_reason == "stop"


def test_parallel_calls_are_put_together_from_pieces() -> None:
    said = Said(ask(tools=(Tool(name="give"), Tool(name="go"))))
    say = said.choice
    say(tool_calls=[{"index": 0, "id": "x", "function": {"name": "give", "arguments": ""}}])
    say(tool_calls=[{"index": 1, "id": "y", "function": {"name": "go", "arguments": '{"to'}}])
    say(tool_calls=[{"index": 0, "function": {"arguments": '{"gold":'}}])
    say(tool_calls=[{"index": 0, "function": {"arguments": "3}"}}])
    say(tool_calls=[{"index": 1, "function": {"arguments": '": 1}'}}])
    say(finish="tool_calls")
    said.reader.end()
    assert said.stream.finish_reason == "tool_calls"
    calls = said.stream.tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("x", "give", '{"gold":3}'),
        ("y", "go", '{"to": 1}'),
    ]


def test_calls_that_come_whole_and_without_an_index_are_calls_too() -> None:
    said = Said(ask(tools=(Tool(name="give"),)))
    for name in ("give", "give"):
        said.choice(tool_calls=[{"function": {"name": name, "arguments": "{}"}}])
    said.choice(finish="stop")  # some servers say so
    said.reader.end()
    assert [call.id for call in said.stream.tool_calls] == ["call_0", "call_1"]
    assert said.stream.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"id": "a"}, "without an answer"),
        ({"id": "b", "choices": []}, "another answer"),
        ({"choices": [{"delta": {"content": 5}}]}, "cannot be read"),
        ([], "cannot be read"),
    ],
)
def test_an_event_that_cannot_be_is_refused(told: object, text: str) -> None:
    said = Said(ask())
    said.choice(content="A")
    with pytest.raises(InvalidResponse, match=text):
        said.event(told)


def test_an_error_in_the_stream_is_an_error() -> None:
    with pytest.raises(ModelUnavailable, match="broke off with an error: full") as caught:
        Said(ask()).event({"error": {"message": "full\x1b[0m", "code": 429}})
    assert caught.value.details["rate_limited"] is True


@pytest.mark.parametrize(
    ("constraint", "wrapped", "told", "result"),
    [
        (Choice(options=("yes", "no")), False, "no", "no"),
        (Choice(options=("yes", "no")), True, '{"answer": "no"}', "no"),
        (Choice(options=("yes", "no")), True, '{"answer": "maybe"}', None),
        (Choice(options=("yes", "no")), False, "well, no", None),
        (JsonSchema(schema=SCHEMA), False, '{"gold": 3}', '{"gold": 3}'),
        (JsonSchema(schema=SCHEMA), False, '{"gold": "3"}', None),
        (JsonSchema(schema=SCHEMA), False, '{"gold": 3', None),
    ],
)
def test_an_answer_is_held_to_its_constraint_whatever_the_server_did(
    constraint: Any, wrapped: bool, told: str, result: str | None
) -> None:
    said = Said(ask(constraint=constraint), wrapped=wrapped)
    said.choice(content=told, finish="stop")
    if result is None:
        with pytest.raises(InvalidResponse):
            said.reader.end()
    else:
        said.reader.end()
        assert said.stream.result(0) == result


@pytest.mark.parametrize("reason", ["", "content_filter", "abort"])
def test_an_answer_without_a_good_end_is_none(reason: str) -> None:
    said = Said(ask())
    said.choice(content="A", finish=reason or None)
    with pytest.raises(InvalidResponse):
        said.reader.end()


@given(st.recursive(VALUES, lambda inner: st.fixed_dictionaries({"choices": inner, "id": inner})))
def test_no_json_brings_anything_but_errors_of_ours(told: object) -> None:
    try:
        Said(ask()).event(told)
    except (InvalidResponse, ModelUnavailable):
        return


def test_a_guess_is_rather_too_high() -> None:
    assert estimate_tokens("Aye, the forge is warm today.") == 9
    assert estimate_tokens("") == 0


# -- addresses, keys and headers


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://x/v1",
        "http://",
        "http://a b/",
        "http://x:99999/",
        "http://[::1/",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"must be like http://127\.0\.0\.1:8080/v1"):
        Endpoint.parse(url)


@pytest.mark.parametrize("url", ["http://me:pass@x/v1", "https://x/v1?key=pass", "http://x/#pass"])
def test_an_address_must_not_hold_secrets_and_they_are_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint.parse(url)
    assert "pass@" not in str(caught.value)
    assert "=pass" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example.com/v1", True),
        ("http://api.example.com/v1", False),
        ("http://8.8.8.8/v1", False),
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://localhost:1234/v1", True),
        ("http://box.local/v1", True),
    ],
)
def test_a_key_goes_unencrypted_to_no_public_host(url: str, allowed: bool) -> None:
    endpoint = Endpoint.parse(url)
    if allowed:
        assert checked_key("k", endpoint) == "k"
    else:
        with pytest.raises(ConfigError, match="use https://"):
            checked_key("k", endpoint)


@pytest.mark.parametrize("key", ["", " qqq", "qqq\n", "qqq\r\nX: y", "qéq"])
def test_a_key_that_is_no_header_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_key(key, Endpoint.parse("https://x/v1"))
    assert not key.strip() or key.strip() not in str(caught.value)


DATE = "Sat, 01 Jan 2000 00:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("Sat, 01 Jan 2000 00:01:00 GMT", 60.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("1e9", None),
        ("soon", None),
        ("Sat, 99 Jan 2000 00:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": value, "Date": DATE}) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_breaks_the_waiting(value: str, date: str) -> None:
    seconds = retry_after_s({"Retry-After": value, "Date": date})
    assert seconds is None or seconds >= 0
