"""The native mailbox against five deques, and what only the native one has to survive."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave._native import Mailbox
from astraweave._native.reference_mailbox import Mailbox as Reference
from astraweave.errors import UsageError
from astraweave.world.mailbox import Mailbox as WorldMailbox

lanes = st.integers(0, Mailbox.LANES - 1)
steps = st.one_of(
    st.tuples(st.just("post"), lanes),
    st.tuples(st.just("deliver"), st.sampled_from([-1, 0])),
    st.tuples(st.just("arm"), st.none()),
)


@given(st.lists(steps, max_size=120))
def test_it_is_five_deques(script) -> None:
    boxes = (Mailbox(), Reference())
    got: tuple[list[int], list[int]] = ([], [])
    for number, (what, argument) in enumerate(script):
        outcomes = []
        for box, seen in zip(boxes, got, strict=True):
            if what == "post":
                outcomes.append(box.post(lambda seen=seen, n=number: seen.append(n), argument))
            elif what == "deliver":
                outcomes.append(box.deliver(argument))
            else:
                outcomes.append(box.arm())
            outcomes.append(len(box))
        half = len(outcomes) // 2
        assert outcomes[:half] == outcomes[half:]
    assert got[0] == got[1]
    assert boxes[0].counts() == boxes[1].counts()


def test_it_keeps_no_reference_too_many_and_none_too_few() -> None:
    def delivery() -> None: ...

    before = sys.getrefcount(delivery)
    box = Mailbox()
    for _ in range(5_000):  # more than one chunk
        box.post(delivery)
    assert sys.getrefcount(delivery) == before + 5_000
    assert box.deliver(-1) == 5_000
    assert sys.getrefcount(delivery) == before
    for _ in range(300):
        box.post(delivery, 3)
    del box
    assert sys.getrefcount(delivery) == before


def test_a_cycle_through_it_is_collected() -> None:
    class World:
        def __init__(self) -> None:
            self.box = Mailbox()
            self.box.post(self.tick)
            self.box.deliver(-1)
            self.box.post(self.tick, 2)
            self.box.post(lambda: self)

        def tick(self) -> None: ...

    left = weakref.ref(World())
    gc.collect()
    assert left() is None


def test_what_a_delivery_raises_is_raised_and_the_others_wait() -> None:
    box = Mailbox()
    seen: list[str] = []
    box.post(lambda: seen.append("first"))
    box.post(lambda: 1 / 0)
    box.post(lambda: seen.append("last"))
    with pytest.raises(ZeroDivisionError):
        box.deliver(-1)
    assert (seen, len(box)) == (["first"], 1)
    assert box.deliver(-1) == 1
    assert seen == ["first", "last"]


def test_a_delivery_may_post_and_deliver() -> None:
    box = Mailbox()
    seen: list[int] = []

    def outer() -> None:
        box.post(lambda: seen.append(2))
        box.post(lambda: seen.append(3))
        assert box.deliver(0) == 1
        seen.append(1)

    box.post(outer)
    assert box.deliver(-1) == 2
    assert seen == [2, 1, 3]


@pytest.mark.parametrize("arguments", [(), (len, 5), (len, 0, 0)])
def test_nonsense_is_refused(arguments) -> None:
    box = Mailbox()
    with pytest.raises(UsageError):
        box.post(*arguments)
    with pytest.raises((TypeError, OverflowError)):
        box.post(len, -1)
    with pytest.raises(TypeError):
        box.deliver("soon")  # type: ignore[arg-type]
    assert len(box) == 0
    with pytest.raises(UsageError, match="never set up"):
        Mailbox.__new__(Mailbox).deliver(0)


def test_eight_threads_post_and_one_delivers() -> None:
    mailbox = WorldMailbox()
    seen: list[tuple[int, int]] = []
    posters, each = 8, 2_000

    def post(poster: int) -> None:
        for number in range(each):
            mailbox.post(lambda n=number: seen.append((poster, n)))

    threads = [threading.Thread(target=post, args=(n,)) for n in range(posters)]
    for thread in threads:
        thread.start()
    # Sleeps until it is woken: hangs if a wake-up is lost.
    assert mailbox.deliver_until(lambda: len(seen) == posters * each, 60.0)
    for thread in threads:
        thread.join()
    for poster in range(posters):
        assert [n for who, n in seen if who == poster] == list(range(each))


def test_a_loop_is_woken_once_for_many_and_again_for_more() -> None:
    mailbox = WorldMailbox()
    seen: list[int] = []
    wakes: list[int] = []

    async def read() -> None:
        loop = asyncio.get_running_loop()
        stop = mailbox.listen(loop)
        await asyncio.sleep(0)
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *call, **how: (  # type: ignore[method-assign]
            wakes.append(1),
            wake(*call, **how),
        )[1]
        for round_ in range(3):
            for number in range(100):
                mailbox.post(lambda n=number: seen.append(n))
            assert len(wakes) == round_ + 1
            while len(seen) < 100 * (round_ + 1):  # noqa: ASYNC110
                await asyncio.sleep(0)
        stop()

    asyncio.run(read())


def test_a_loop_goes_on_behind_a_delivery_that_raises() -> None:
    mailbox = WorldMailbox()
    seen: list[int] = []
    problems: list[object] = []

    async def read() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context["exception"]))
        stop = mailbox.listen(loop)
        mailbox.post(lambda: 1 / 0 and None)
        mailbox.post(lambda: seen.append(1))
        while not seen:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stop()

    asyncio.run(read())
    assert isinstance(problems[0], ZeroDivisionError)


def test_urgent_deliveries_come_first_within_a_tick() -> None:
    mailbox = WorldMailbox()
    seen: list[str] = []
    for priority in ("background", "low", "high", "critical", "high"):
        mailbox.post(lambda p=priority: seen.append(p), priority)
    assert mailbox.deliver(0.0) == 1
    assert seen == ["critical"]
    mailbox.deliver()
    assert seen == ["critical", "high", "high", "low", "background"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_mailbox_of_its_own() -> None:
    box = Mailbox()
    seen: list[int] = []
    for number in range(10):
        box.post(lambda n=number: seen.append(n))
    child = os.fork()
    if not child:
        box.post(lambda: seen.append(10))
        code = 0 if box.deliver(-1) == 11 and seen == list(range(11)) else 1
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert box.deliver(-1) == 10
    assert seen == list(range(10))
