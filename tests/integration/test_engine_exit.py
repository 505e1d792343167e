"""However a process ends while the model is thinking, it ends cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from astraweave.core.settings import Settings
from astraweave.errors import ModelUnavailable
from astraweave.models import ModelStore

pytestmark = pytest.mark.models

OPENING = """
import os, signal, sys, threading
from astraweave.core.settings import Settings
from astraweave.errors import UsageError
from astraweave.llm import GenerationRequest, Message, LocalLanguageModel
from astraweave.models import ModelStore

model = LocalLanguageModel(ModelStore(Settings.from_environment()).ensure("smollm2-135m-instruct"))
story = GenerationRequest(messages=(Message("user", "Tell a very long story."),), max_tokens=900)
generation = model.generate(story)
next(iter(generation))
"""


@pytest.fixture(scope="module")
def home() -> str:
    store = ModelStore(Settings.from_environment())
    try:
        store.ensure("smollm2-135m-instruct")
    except ModelUnavailable as error:
        pytest.skip(f"the default weights are not here: {error}")
    return str(store.home)


def run(home: str, ending: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", OPENING + ending],
        env=os.environ | {"ASTRAWEAVE_HOME": home, "ASTRAWEAVE_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param("", 0, id="the program ends without close"),
        pytest.param("sys.exit(3)", 3, id="sys.exit"),
        pytest.param("model.close(); model.close()", 0, id="closed"),
        pytest.param("del model", 0, id="collected while it thinks"),
        pytest.param("other = model.generate(story); other.cancel()", 0, id="with a queue"),
        pytest.param(
            "threading.Thread(target=generation.result, daemon=True).start()", 0, id="with a reader"
        ),
        pytest.param(
            "threading.Thread(target=lambda: next(iter(model.generate(story)), None)).start()\n"
            "generation.cancel()",
            0,
            id="while another thread still asks",
        ),
        pytest.param("keep = model; keep.me = keep", 0, id="in a cycle"),
    ],
)
def test_it_ends_in_silence(home: str, ending: str, code: int) -> None:
    assert run(home, ending) == (code, "", "")


@pytest.mark.parametrize("ending", ["raise ValueError('oh')", "with model: raise ValueError('oh')"])
def test_an_exception_passes_and_is_all_that_is_printed(home: str, ending: str) -> None:
    code, _, stderr = run(home, ending)
    assert code == 1
    assert stderr.startswith("Traceback")
    assert stderr.rstrip().endswith("ValueError: oh")
    assert stderr.count("Traceback") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM"])
def test_signals_end_it_at_once(home: str, sent: str) -> None:
    number = getattr(signal, sent)
    ending = f"threading.Timer(0.05, os.kill, (os.getpid(), signal.{sent})).start()\n"
    code, _, stderr = run(home, ending + "generation.result()")
    assert code == -number
    assert "terminate" not in stderr
    assert stderr.count("Traceback") == (sent == "SIGINT")
    assert not stderr or stderr.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_told_and_both_end(home: str) -> None:
    ending = """
child = os.fork()
if child == 0:
    for attempt in (lambda: model.generate(story), lambda: model.generate(story)):
        try:
            attempt()
        except UsageError as error:
            print("forked" in str(error), flush=True)
    generation.cancel()
    model.close()
    # As multiprocessing ends its children: onnxruntime's own destructors would wait for threads
    # that did not come along.
    os._exit(7)
_, status = os.waitpid(child, 0)
generation.cancel()
print(os.waitstatus_to_exitcode(status), len(generation.result()) > 0, flush=True)
"""
    assert run(home, ending) == (0, "True\nTrue\n7 True\n", "")
