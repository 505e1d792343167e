"""The road between a writer of text and its readers."""

from __future__ import annotations

import asyncio
import threading

import pytest

from astraweave.errors import DeadlineExceeded, ModelError
from astraweave.llm import Chunk, ChunkStream, Usage


def test_readers_see_everything_whenever_they_come() -> None:
    stream = ChunkStream()
    seen: list[list[Chunk]] = []
    early = threading.Thread(target=lambda: seen.append(list(stream)))
    early.start()
    stream.push("Aye")
    stream.push("")
    stream.push(", friend")
    stream.finish("stop", text=".", usage=Usage(completion_tokens=3))
    early.join()
    seen.append(list(stream))
    assert seen[0] == seen[1]
    assert [chunk.text for chunk in seen[0]] == ["Aye", ", friend", "."]
    assert seen[0][-1].finish_reason == "stop"
    assert stream.result() == stream.text == "Aye, friend."
    assert stream.usage == Usage(completion_tokens=3)
    assert (stream.done, stream.finish_reason, stream.error) == (True, "stop", None)


def test_the_first_end_counts() -> None:
    stream = ChunkStream()
    assert stream.finish("cancelled")
    assert not stream.fail(ModelError("too late"))
    assert not stream.finish("stop", text="too late")
    stream.push("too late")
    assert stream.result() == ""
    assert stream.finish_reason == "cancelled"


def test_an_error_comes_after_the_text_before_it() -> None:
    stream = ChunkStream()
    stream.push("Aye")
    stream.fail(ModelError("the model broke"))
    read = []
    with pytest.raises(ModelError, match="broke"):
        read.extend(chunk.text for chunk in stream)
    with pytest.raises(ModelError, match="broke"):
        stream.result()
    assert stream.finish_reason == "error"
    assert stream.text == "Aye"


def test_result_waits_no_longer_than_it_may() -> None:
    stream = ChunkStream()
    with pytest.raises(DeadlineExceeded, match=r"0\.01 s"):
        stream.result(timeout=0.01)
    assert not stream.done


def test_cancel_tells_the_writer_once_it_matters() -> None:
    told = []
    stream = ChunkStream(on_cancel=lambda: told.append(stream.cancelled))
    stream.cancel()
    stream.finish("cancelled")
    stream.cancel()
    assert told == [True]


def test_several_event_loops_read_what_a_thread_writes() -> None:
    stream = ChunkStream()
    started = threading.Barrier(3)

    async def read() -> list[str]:
        texts = []
        started.wait()
        async for chunk in stream:
            texts.append(chunk.text)
        return texts

    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(read()))) for _ in "ab"]
    for thread in threads:
        thread.start()
    started.wait()
    pieces = [f"{n} " for n in range(500)]
    for piece in pieces:
        stream.push(piece)
    stream.finish("stop", text="end")
    for thread in threads:
        thread.join()
    assert results == [[*pieces, "end"]] * 2


def test_an_awaited_error_is_raised_in_the_loop() -> None:
    stream = ChunkStream()

    async def read() -> None:
        threading.Timer(0.02, stream.fail, [ModelError("the model broke")]).start()
        async for _ in stream:
            pass

    with pytest.raises(ModelError, match="broke"):
        asyncio.run(read())


def test_a_reader_whose_loop_has_gone_disturbs_nobody() -> None:
    stream = ChunkStream()

    async def look() -> None:
        reader = aiter(stream)
        stream.push("one")
        await anext(reader)
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        kept.append((reader, waiting))
        waiting.cancel()

    kept: list[object] = []
    asyncio.run(look())
    stream.push("two")
    stream.finish("stop")
    assert stream.result() == "onetwo"


def heard(stream: ChunkStream) -> tuple[list[Chunk], list[BaseException | None], list[int]]:
    chunks: list[Chunk] = []
    errors: list[BaseException | None] = []
    threads: list[int] = []

    def listener(fresh, error) -> None:  # type: ignore[no-untyped-def]
        chunks.extend(fresh)
        errors.append(error)
        threads.append(threading.get_ident())

    stream.listen(listener)
    return chunks, errors, threads


def test_a_listener_hears_what_came_and_what_comes_in_the_writers_thread() -> None:
    stream = ChunkStream()
    stream.push("Aye")
    chunks, errors, threads = heard(stream)
    assert [chunk.text for chunk in chunks] == ["Aye"]
    writer = threading.Thread(target=lambda: (stream.push(", I"), stream.finish("stop", text="!")))
    writer.start()
    writer.join()
    assert [chunk.text for chunk in chunks] == ["Aye", ", I", "!"]
    assert errors == [None] * 3
    assert threads[1:] == [writer.ident] * 2
    late, _, _ = heard(stream)
    assert late == chunks


def test_a_listener_hears_of_an_error_once_and_with_the_text_before_it() -> None:
    stream = ChunkStream()
    problem = ModelError("the model broke")
    before, errors_before, _ = heard(stream)
    stream.push("Aye")
    stream.fail(problem)
    after, errors_after, _ = heard(stream)
    assert before == after == [Chunk(text="Aye")]
    assert (errors_before, errors_after) == ([None, problem], [problem])


def test_listeners_that_come_while_words_are_pushed_miss_none_and_hear_none_twice() -> None:
    for _ in range(30):
        stream = ChunkStream()
        pieces = [f"{n} " for n in range(200)]

        def write(stream: ChunkStream = stream, pieces: list[str] = pieces) -> None:
            for piece in pieces:
                stream.push(piece)
            stream.finish("stop")

        writer = threading.Thread(target=write)
        writer.start()
        listeners = [heard(stream) for _ in range(10)]
        writer.join()
        for chunks, _, _ in listeners:
            assert [chunk.text for chunk in chunks] == [*pieces, ""]


def test_a_listener_may_cancel_what_it_hears() -> None:
    stream = ChunkStream(on_cancel=lambda: stream.finish("cancelled"))
    seen: list[str | None] = []

    def enough(fresh, error) -> None:  # type: ignore[no-untyped-def]
        seen.extend(chunk.finish_reason for chunk in fresh)
        stream.cancel()

    stream.listen(enough)
    stream.push("Aye")
    assert seen == [None, "cancelled"]


def test_who_waits_for_the_end_is_woken_by_nothing_else() -> None:
    stream = ChunkStream()
    reader = threading.Thread(target=stream.result)
    reader.start()
    while not stream._at_end:
        threading.Event().wait(0.001)
    for number in range(100):
        stream.push(f"{number}")
    assert len(stream._at_end) == 1
    stream.finish("stop")
    reader.join(60)
    assert not reader.is_alive()


def test_a_slow_listener_is_not_called_again_before_it_returns() -> None:
    stream = ChunkStream()
    stream.push("first")
    heard_so_far: list[str] = []
    pushed = threading.Event()

    def slow(fresh, error) -> None:  # type: ignore[no-untyped-def]
        if fresh[0].text == "first":
            assert pushed.wait(60)
        heard_so_far.extend(chunk.text for chunk in fresh)

    def write() -> None:
        stream.push("second")  # does not wait for the listener, and does not call it
        pushed.set()

    writer = threading.Thread(target=write)
    listening = threading.Thread(target=stream.listen, args=(slow,))
    listening.start()
    while not stream._ears or not stream._ears[0].busy:
        threading.Event().wait(0.001)
    writer.start()
    writer.join(60)
    listening.join(60)
    assert heard_so_far == ["first", "second"]
