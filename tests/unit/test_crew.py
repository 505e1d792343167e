"""Threads that come when there is work and go when there has been none."""

from __future__ import annotations

import threading

from astraweave.core.threads import Crew


def test_jobs_that_block_hold_up_no_other() -> None:
    crew = Crew("crew")
    together = threading.Barrier(5)
    for _ in range(4):
        crew.run(lambda: together.wait(60))
    together.wait(60)
    crew.close()
    assert crew.threads == 0


def test_threads_without_work_are_used_again_and_go_in_the_end() -> None:
    crew = Crew("crew", patience_s=0.05)
    names: list[int | None] = []
    for _ in range(20):
        done = threading.Event()
        crew.run(lambda done=done: (names.append(threading.current_thread().ident), done.set()))
        assert done.wait(60)
        while crew._free < 2:
            threading.Event().wait(0.001)
    assert len(set(names)) <= crew.threads == 2  # one that works and one that waits
    while crew.threads:
        threading.Event().wait(0.005)
    crew.run(lambda: names.append(None))
    while len(names) < 21:
        threading.Event().wait(0.001)
    crew.close()


def test_no_job_is_lost_while_threads_come_and_go() -> None:
    crew = Crew("crew", patience_s=0.0005)
    count = threading.Semaphore(0)
    for number in range(500):
        crew.run(count.release)
        if number % 7 == 0:
            threading.Event().wait(0.0006)
    for _ in range(500):
        assert count.acquire(timeout=60)
    crew.close()
    crew.run(count.release)
    assert not count.acquire(timeout=0.01)
