"""Whatever a server does: an error of our own tree, in time, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import threading
import traceback
from collections.abc import Iterator

import pytest

pytest.importorskip("aiohttp")

from astraweave.bench.fault_server import MODES, FaultServer, Mode
from astraweave.embeddings import OpenAIEmbedder
from astraweave.errors import (
    AstraweaveError,
    ConfigError,
    InvalidResponse,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    UsageError,
)
from astraweave.inference.http import HttpTimeouts
from astraweave.llm import (
    Choice,
    Chunk,
    GenerationRequest,
    JsonSchema,
    Message,
    OpenAILanguageModel,
)
from astraweave.observability import Telemetry

KEY = "sk-0123456789-very-secret"
IN_A_HURRY = HttpTimeouts(connect_s=1.0, first_s=0.3, between_s=0.3, total_s=2.0)
QUESTION = GenerationRequest(messages=(Message("user", "Is it warm?"),))
BROKEN: dict[Mode, type[AstraweaveError] | tuple[type[AstraweaveError], ...]] = {
    "refuse": ModelUnavailable,
    "reset": ModelUnavailable,
    "reset_midway": ModelUnavailable,
    "rate_limit": ModelUnavailable,
    "rate_limit_retry_after": ModelUnavailable,
    "server_error": ModelUnavailable,
    "slow_headers": ModelTimeout,
    "slow_bytes": ModelTimeout,
    "malformed_sse": InvalidResponse,
    "malformed_json": InvalidResponse,
    "schema_violation": (InvalidResponse, ModelUnavailable),  # it may call itself an error
    "huge": InvalidResponse,
    "other_answer": InvalidResponse,
    "mixed_answers": InvalidResponse,
    "silence": ModelTimeout,
}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def model(server: FaultServer) -> Iterator[OpenAILanguageModel]:
    server.mode = "ok"
    with OpenAILanguageModel(
        server.url, "m", dialect="generic", api_key=KEY, timeouts=IN_A_HURRY
    ) as model:
        yield model


def test_every_mode_is_tried() -> None:
    assert {"ok", *BROKEN} == set(MODES)


@pytest.mark.parametrize(
    ("mode", "seed"),
    [(mode, 0) for mode in BROKEN]
    + [(m, seed) for m in ("malformed_sse", "schema_violation", "huge") for seed in (1, 2, 3)],
)
def test_a_fault_is_an_error_of_ours_and_the_next_request_is_answered(
    mode: Mode, seed: int
) -> None:
    with (
        FaultServer(mode, seed=seed) as server,
        OpenAILanguageModel(
            server.url, "m", dialect="generic", api_key=KEY, timeouts=IN_A_HURRY
        ) as model,
    ):
        for _ in range(3):
            with pytest.raises(BROKEN[mode]) as caught:
                model.generate(QUESTION).result(10)
            assert isinstance(caught.value, ModelError)
            assert KEY not in str(caught.value)
        server.mode = "ok"
        answer = model.generate(QUESTION)
        assert answer.result(10).startswith("Aye, the forge")


@pytest.mark.parametrize("mode", BROKEN)
def test_the_same_faults_meet_an_embedder(mode: Mode) -> None:
    with FaultServer(seed=4) as server:
        embedder = OpenAIEmbedder(server.url, "m", timeouts=IN_A_HURRY, max_bytes=1 << 20)
        with embedder:
            assert embedder.embed("hello").shape == (64,)
            server.mode = mode
            with pytest.raises((InvalidResponse, ModelUnavailable, ModelTimeout)):
                embedder.embed("hello")
            server.mode = "ok"
            assert embedder.embed("hello").shape == (64,)


def test_a_rate_limit_says_that_it_is_one_and_how_long(
    model: OpenAILanguageModel, server: FaultServer
) -> None:
    server.mode = "rate_limit_retry_after"
    with pytest.raises(ModelUnavailable, match="asks to wait 1 s") as caught:
        model.generate(QUESTION).result(10)
    assert caught.value.details["rate_limited"] is True
    assert caught.value.details["retry_after_s"] == 1.0
    server.mode = "rate_limit"
    with pytest.raises(ModelUnavailable) as caught:
        model.generate(QUESTION).result(10)
    assert caught.value.details["rate_limited"] is True
    assert caught.value.details["retry_after_s"] is None
    server.mode = "server_error"
    with pytest.raises(ModelUnavailable) as caught:
        model.generate(QUESTION).result(10)
    assert caught.value.details["rate_limited"] is False
    assert caught.value.details["status"] == 500


@pytest.mark.parametrize(
    ("mode", "phase"),
    [("silence", "first"), ("slow_headers", "first"), ("slow_bytes", "first")],
)
def test_a_timeout_names_its_phase(
    model: OpenAILanguageModel, server: FaultServer, mode: Mode, phase: str
) -> None:
    server.mode = mode
    with pytest.raises(ModelTimeout) as caught:
        model.generate(QUESTION).result(10)
    assert caught.value.phase == phase


def test_a_pause_between_words_has_its_own_limit_and_the_whole_answer_too() -> None:
    with FaultServer(token_s=0.2) as server:
        for timeouts, phase in (
            (HttpTimeouts(between_s=0.05), "between"),
            (HttpTimeouts(between_s=1.0, total_s=0.5), "total"),
        ):
            with OpenAILanguageModel(
                server.url, "m", dialect="generic", timeouts=timeouts
            ) as model:
                answer = model.generate(QUESTION)
                with pytest.raises(ModelTimeout) as caught:
                    answer.result(10)
                assert caught.value.phase == phase


@pytest.mark.parametrize("seed", range(6))
def test_an_answer_that_breaks_its_constraint_is_none(seed: int) -> None:
    schema = {"type": "object", "required": ["gold"], "properties": {"gold": {"type": "integer"}}}
    with FaultServer("schema_violation", seed=seed) as server:
        for dialect in ("generic", "vllm", "llama.cpp"):
            with OpenAILanguageModel(server.url, "m", dialect=dialect) as model:
                for constraint in (JsonSchema(schema=schema), Choice(options=("yes", "no"))):
                    request = GenerationRequest(messages=QUESTION.messages, constraint=constraint)
                    with pytest.raises(InvalidResponse):
                        model.generate(request).result(10)


def test_many_threads_share_one_model(server: FaultServer) -> None:
    texts: list[str] = []
    server.mode = "ok"
    patient = HttpTimeouts(connect_s=10.0, first_s=10.0, between_s=10.0, total_s=20.0)

    with OpenAILanguageModel(
        server.url, "m", dialect="generic", api_key=KEY, timeouts=patient
    ) as model:

        def talk() -> None:
            texts.extend(model.generate(QUESTION).result(20) for _ in range(25))

        threads = [threading.Thread(target=talk) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert len(texts) == 200
    assert len(set(texts)) == 1


def test_awaited(model: OpenAILanguageModel) -> None:
    async def read() -> list[Chunk]:
        return [chunk async for chunk in model.generate(QUESTION)]

    chunks = asyncio.run(read())
    assert "".join(chunk.text for chunk in chunks).startswith("Aye")
    assert chunks[-1].finish_reason == "stop"


def test_connections_are_used_again(model: OpenAILanguageModel, server: FaultServer) -> None:
    for _ in range(20):
        model.generate(QUESTION).result(10)
    assert server.connections == 1


def test_a_request_that_was_lost_on_an_old_connection_is_sent_again() -> None:
    def choose(number: int) -> Mode:
        return "reset" if number in (1, 2, 3) else "ok"

    with (
        FaultServer(choose=choose) as server,
        OpenAILanguageModel(server.url, "m", dialect="generic") as model,
    ):
        model.generate(QUESTION).result(10)
        with pytest.raises(ModelUnavailable):  # the second try has a connection of its own
            model.generate(QUESTION).result(10)
        with pytest.raises(ModelUnavailable):
            model.generate(QUESTION).result(10)
        assert model.generate(QUESTION).result(10)
        assert server.served == {"ok": 2, "reset": 3}


def test_a_huge_answer_is_not_read(server: FaultServer) -> None:
    with FaultServer("huge") as server, OpenAILanguageModel(
        server.url, "m", dialect="generic", timeouts=IN_A_HURRY
    ) as model:  # fmt: skip
        answer = model.generate(QUESTION)
        with pytest.raises(InvalidResponse, match="more than"):
            answer.result(10)
        assert len(answer.text) < 1_000_000  # type: ignore[attr-defined]


def test_cancelling_closes_the_connection_at_once() -> None:
    long = GenerationRequest(messages=QUESTION.messages, max_tokens=1000)
    with (
        FaultServer(token_s=0.05, answer=lambda _: "word " * 1000) as server,
        OpenAILanguageModel(server.url, "m", dialect="generic") as model,
    ):
        answer = model.generate(long)
        words = iter(answer)
        assert next(words).text
        assert server.connections == 1
        answer.cancel()
        last = list(words)[-1]
        assert last.finish_reason == "cancelled"
        assert last.usage is not None
        assert last.usage.estimated
        for _ in range(100):
            if server.connections == 0:
                break
            threading.Event().wait(0.02)
        assert server.connections == 0
        answer.cancel()  # again: nothing happens


def test_closing_ends_what_runs_as_cancelled_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with FaultServer("silence") as server:
        model = OpenAILanguageModel(server.url, "m", dialect="generic")
        answers = [model.generate(QUESTION) for _ in range(100)]
        model.close()
        assert {list(answer)[-1].finish_reason for answer in answers} == {"cancelled"}
        model.close()
        with pytest.raises(UsageError, match="closed"):
            model.generate(QUESTION)
    assert threading.active_count() == before


def test_a_model_that_nobody_holds_ends_its_thread(server: FaultServer) -> None:
    server.mode = "ok"
    model = OpenAILanguageModel(server.url, "m", dialect="generic")
    model.generate(QUESTION).result(10)
    threads = [each for each in threading.enumerate() if each.name == "astraweave-http"]
    del model
    gc.collect()
    for each in threads:
        each.join(10)
    assert not any(each.is_alive() for each in threads)


@pytest.mark.parametrize("mode", BROKEN)
def test_the_key_is_in_nothing_that_anybody_sees(
    mode: Mode, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    telemetry = Telemetry()
    with FaultServer(mode) as server:
        model = OpenAILanguageModel(
            server.url, "m", dialect="generic", api_key=KEY, timeouts=IN_A_HURRY,
            headers={"X-Other-Key": f"other-{KEY}"}, telemetry=telemetry,
        )  # fmt: skip
        with model, pytest.raises(AstraweaveError) as caught:
            model.generate(QUESTION).result(10)
        error = caught.value
        shown = [
            repr(model), str(model.info), repr(error), str(error), repr(error.details),
            repr(pickle.dumps(error)), "".join(traceback.format_exception(error)),
            repr(telemetry.counters), caplog.text, *capfd.readouterr(),
        ]  # fmt: skip
        assert not any(KEY in text for text in shown)
        while error is not None:  # nor in what a crash reporter finds behind it
            for value in vars(error).values():
                assert KEY not in repr(value)
            assert error.__cause__ is None
            assert not type(error.__context__).__module__.startswith("aiohttp")
            for frame, _ in traceback.walk_tb(error.__traceback__):
                if "astraweave" in frame.f_code.co_filename:
                    assert KEY not in repr(frame.f_locals)
            error = error.__context__  # type: ignore[assignment]


def test_a_server_that_repeats_the_key_does_not_bring_it_into_the_text() -> None:
    from astraweave.inference._http_errors import status_error

    body = b'{"error": {"message": "Incorrect API key provided: %s\\u001b[2J", "code": "x"}}'
    for status in (400, 401, 404, 429, 500):
        error = status_error(
            status, {}, body % KEY.encode(), place="here:80", path="/x", secrets=(KEY,)
        )
        assert KEY not in str(error) + repr(error.details)
        assert "\x1b" not in str(error)
    assert isinstance(status_error(401, {}, b"", place="here:80", path="/x"), ConfigError)
