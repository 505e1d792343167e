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
