"""The awaited door: tasks that are cancelled, loops that end, readers that leave early."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.errors import Cancelled, UsageError
from astraweave.llm import ScriptedModel

SETTINGS = aw.Settings(model="none", embedder="mock")


@pytest.fixture
def world(tmp_path: Path):
    model = ScriptedModel(["The bread is warm today. The road is long."] * 60, delay=0.02)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=2.0) as world:
        world.npc("tam", persona="tam")
        yield world


def test_a_cancelled_task_leaves_the_line_alone(world: aw.World) -> None:
    async def main() -> aw.Reply:
        reply = world.npc("tam").say("Lovely weather, isn't it?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply, 0.001)
        assert not reply.done
        return await reply

    assert asyncio.run(main()).text


def test_a_line_outlives_the_loop_that_asked_for_it(world: aw.World) -> None:
    async def ask() -> aw.Reply:
        return world.npc("tam").say("Lovely weather, isn't it?")

    async def hear(reply: aw.Reply) -> str:
        return "".join([piece async for piece in reply])

    async def give_up(reply: aw.Reply) -> None:
        async for _ in reply:
            break

    reply = asyncio.run(ask())
    asyncio.run(give_up(reply))
    assert asyncio.run(hear(reply)) == reply.text
    assert asyncio.run(hear(reply)) == reply.text  # what has ended can be read again
    assert world._mailbox._loops == {}


def test_a_loop_that_was_closed_over_a_waiting_task_keeps_nobody_from_hearing(
    world: aw.World,
) -> None:
    loop = asyncio.new_event_loop()
    reply = world.npc("tam").say("Lovely weather, isn't it?")

    async def hear() -> None:
        await reply

    task = loop.create_task(hear())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def listen() -> str:
        return (await reply).text

    assert asyncio.run(listen())
    assert reply.wait().done
    task.get_coro().close()
    task._log_destroy_pending = False


def test_many_are_awaited_together(world: aw.World) -> None:
    cast = [world.npc(f"npc{n}", persona="tam") for n in range(6)]

    async def main() -> list[aw.Reply]:
        return await asyncio.gather(*(npc.say(f"I have {n} cows.") for npc in cast for n in (2, 3)))

    replies = asyncio.run(main())
    assert all(reply.done and reply.text for reply in replies)
    assert world.tick().speaking == 0


def test_awaiting_on_another_thread_is_refused(world: aw.World) -> None:
    reply = world.npc("tam").say("Lovely weather, isn't it?")
    caught: list[BaseException] = []

    async def hear() -> None:
        await reply

    def intrude() -> None:
        try:
            asyncio.run(hear())
        except UsageError as error:
            caught.append(error)

    thread = threading.Thread(target=intrude)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert reply.wait().text


def test_a_cancelled_line_says_so_behind_both_doors(world: aw.World) -> None:
    async def awaited() -> None:
        reply = world.npc("tam").say("Lovely weather, isn't it?")
        reply.cancel()
        assert "".join([piece async for piece in reply]) == reply.text
        with pytest.raises(Cancelled):
            await reply

    asyncio.run(awaited())


def test_closing_ends_what_another_task_awaits(tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedModel(["Slow words come here."], delay=0.5)
        world = aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=5.0)
        reply = world.npc("tam", persona="tam").say("Good morning!")

        async def hear() -> None:
            await reply

        task = asyncio.create_task(hear())
        await asyncio.sleep(0.05)
        world.close()
        with pytest.raises(Cancelled):
            await task
        assert [piece async for piece in reply] == reply._pieces  # still readable

    asyncio.run(main())


def test_an_awaited_save_holds_what_was_said_before_it(world: aw.World, tmp_path: Path) -> None:
    async def main() -> None:
        await world.npc("tam").say("My sister Mira lives in the old mill.")
        await world.save_async({"menu": "before the storm"})
        await world.flush_async()

    asyncio.run(main())
    world.close()
    with aw.World.open(tmp_path, settings=SETTINGS) as again:
        assert len(again.npc("tam").history) == 2
