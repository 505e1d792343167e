"""However a process ends while a world speaks, it ends cleanly and says nothing of its own."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.llm import ScriptedModel

SETTINGS = aw.Settings(model="none", embedder="mock")
TALKING = """
    import sys, threading, time
    import astraweave as aw
    from astraweave.llm import ScriptedModel
    settings = {settings}
    world = aw.World.open({slot!r}, settings=settings, deadline_s=30.0{model})
    cast = [world.npc(f"npc{{n}}", persona="tam") for n in range(3)]
    replies = [npc.say("Good morning!") for npc in cast]
    while not any(reply.text for reply in replies):
        world.tick()
    print("speaking", flush=True)
"""
SCRIPTED = 'aw.Settings(model="none", embedder="mock")'
SCRIPT = ', model=ScriptedModel(["A fine day for it, and a long one."] * 9, delay=20.0)'


def start(slot: Path, ending: str, *, real: bool = False) -> subprocess.Popen[str]:
    talking = TALKING.format(
        settings="aw.Settings(offline=True)" if real else SCRIPTED,
        slot=str(slot),
        model="" if real else SCRIPT,
    )
    code = textwrap.dedent(talking) + textwrap.dedent(ending)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


ENDINGS = {
    "in a frame loop": "while True: world.tick(); time.sleep(0.001)",
    "in wait": "[reply.wait() for _ in range(10**9) for reply in replies or [cast[0].say('Hm?')]]\n"
    "while True: cast[0].say('Good morning!').wait()",
    "in a with block": "with world:\n    while True: world.tick(); time.sleep(0.001)",
    "in a save": "while True: world.save()",
}


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("ending", ENDINGS)
def test_ctrl_c_shows_the_scripts_own_traceback_alone(tmp_path: Path, ending: str) -> None:
    interrupted(start(tmp_path, ENDINGS[ending]))
    aw.World.open(tmp_path, settings=SETTINGS, recover=True).close()


@pytest.mark.models
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("ending", ["in wait", "in a frame loop", "in a with block"])
def test_ctrl_c_while_the_real_model_speaks(
    tmp_path: Path, decoder_files, encoder_files, ending: str
) -> None:
    interrupted(start(tmp_path, ENDINGS[ending], real=True))


def interrupted(process: subprocess.Popen[str]) -> None:
    with process:
        assert process.stdout.readline() == "speaking\n", process.stderr.read()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert stderr.count("Traceback") == 1, stderr
    assert stderr.startswith("Traceback")
    assert stderr.rstrip().endswith("KeyboardInterrupt"), stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_while_closing_waits_until_all_is_closed(tmp_path: Path) -> None:
    ending = f"""
        import os, signal
        world._runtime.at_end(lambda: time.sleep(1.0))
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            world.close()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        aw.World.open({str(tmp_path)!r}, settings=settings).close()
        print([reply.done for reply in replies], flush=True)
    """
    with start(tmp_path, ending) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert stdout == "speaking\ninterrupted\n[True, True, True]\n"
    assert (process.returncode, stderr) == (0, "")


def test_a_world_that_nobody_holds_lets_go_of_its_slot_and_threads(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    world = aw.World.open(tmp_path, settings=SETTINGS, model=ScriptedModel(["Aye."] * 3))
    world.npc("tam", persona="tam").say("Good morning!").wait()
    gone = weakref.ref(world)
    del world
    gc.collect()
    assert gone() is None
    assert not [t for t in threading.enumerate() if t not in threads and t.is_alive()]
    aw.World.open(tmp_path, settings=SETTINGS).close()


@pytest.mark.parametrize("thread", ["mind", "loop"])
def test_a_world_collected_on_its_own_thread_ends_too(tmp_path: Path, thread: str) -> None:
    threads = set(threading.enumerate())
    world = aw.World.open(tmp_path, settings=SETTINGS, model=ScriptedModel(["Aye."] * 3))
    world.npc("tam", persona="tam").say("Good morning!").wait()
    runtime, go = world._runtime, threading.Event()

    def collect() -> None:
        go.wait(10)
        gc.collect()

    if thread == "mind":
        runtime.blocking.submit(collect)
    else:
        runtime.loop.call_soon_threadsafe(collect)
    gc.disable()
    try:
        del world, runtime
        go.set()
        for _ in range(1000):
            left = [t for t in threading.enumerate() if t not in threads and t.is_alive()]
            if not left:
                break
            time.sleep(0.01)
    finally:
        gc.enable()
    assert not left
    aw.World.open(tmp_path, settings=SETTINGS).close()
