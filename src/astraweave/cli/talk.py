"""`astraweave talk`: a conversation in the terminal."""

from __future__ import annotations

import argparse
import select
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from astraweave.cli.console import Console
from astraweave.errors import InputError
from astraweave.world import Npc, World

__all__ = ["run"]

FRAME_S = 1 / 60


def run(arguments: argparse.Namespace) -> int:
    """Talk until the player leaves; saves on the way out when there is somewhere to save."""
    console = Console()
    with ExitStack() as stack:
        slot = arguments.save
        if slot is None:
            slot = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="astraweave-")))
        with console.progress() as progress:
            world = World.open(slot, recover=arguments.recover, progress=progress)
        stack.enter_context(world)
        npc = world.npc(Path(arguments.persona).stem, persona=arguments.persona)
        console.say(f"You are talking to {npc.persona.name}. An empty line ends it.", style="dim")
        try:
            while line := _ask(console):
                _speak(console, world, npc, line)
        except KeyboardInterrupt:
            console.say()
        if arguments.save is not None:
            world.save()
            console.say(f"{npc.persona.name} will remember this ({slot}).", style="dim")
    return 0


def _ask(console: Console) -> str:
    if console.live:
        console.say("you  ", style="bold cyan", end="")
        _wait_for_typing()
    try:
        return input().strip()
    except EOFError:
        return ""


def _wait_for_typing() -> None:
    """Return when a line can be read.

    `input` alone does not hear a Ctrl-C that comes in the moment before it begins to wait.
    """
    if sys.platform != "win32" and sys.stdin.isatty():
        while not select.select([sys.stdin], [], [], 0.2)[0]:
            pass


def _speak(console: Console, world: World, npc: Npc, line: str) -> None:
    try:
        reply = npc.say(line)
    except InputError as error:
        console.error(str(error))
        return
    name = npc.persona.name.split()[0]
    console.say(f"{name}  ", style="bold yellow", end="")
    try:
        while not reply.done:
            world.tick()
            if text := reply.take():
                console.say(text, end="")
                sys.stdout.flush()
            time.sleep(FRAME_S)
        console.say(reply.take())
    except KeyboardInterrupt:  # the first one silences the character, the next one leaves
        reply.cancel()
        reply.wait()
        console.say(" ...")
