"""The server of faults in a process of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from typing import Any

from astraweave.bench import _fault_answers as answers
from astraweave.bench._fault_answers import Answer
from astraweave.bench._fault_modes import Mode, checked
from astraweave.bench._fault_thread import FaultServer
from astraweave.core.closing import Closing
from astraweave.errors import ModelUnavailable

__all__ = ["FaultServerProcess", "main"]


class FaultServerProcess(Closing):
    """The same server in a process of its own, where it takes no time from the one that asks.

    Parameters
    ----------
    mode : str
        How it treats requests at first.
    answer : str
        What the model says.
    **settings
        Further settings of `FaultServer` that are numbers or texts.

    Raises
    ------
    ModelUnavailable
        The process did not come up; its own words are in the text.
    """

    def __init__(self, mode: Mode = "ok", *, answer: str = "", **settings: float | str) -> None:
        self._mode = checked(mode)
        # A file, not a pipe: nobody reads it while the server runs.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "astraweave.bench.fault_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        try:
            self.url: str = self._ask({"mode": mode, "answer": answer, **settings})["url"]
        except BaseException:
            self.close()
            raise

    @property
    def mode(self) -> Mode:
        """How requests are treated that come from now on; may be set at any time."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._ask({"mode": checked(mode)})
        self._mode = mode

    @property
    def served(self) -> Counter[str]:
        """Requests by the mode that they met."""
        return Counter(self._ask({})["served"])

    def close(self) -> None:
        """End the process. Closing twice is allowed."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._said.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode("utf-8", "replace").strip()
            raise ModelUnavailable(f"the fault server's process ended: {said[-500:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> int:
    """Serve until the orders end: JSON a line, the settings first, then modes."""
    first = json.loads(sys.stdin.readline())
    line: str = first.pop("answer")
    said: Answer = (lambda _request: line) if line else answers.says
    with FaultServer(answer=said, **first) as server:
        _tell({"url": server.url})
        for order in map(json.loads, sys.stdin):
            if "mode" in order:
                server.mode = order["mode"]
            _tell({"served": dict(server.served)})
    return 0


def _tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()
