"""However a process ends while a server answers, it ends cleanly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("aiohttp")

from astraweave.bench.fault_server import FaultServer

OPENING = """
import os, sys, threading
from astraweave.embeddings import OpenAIEmbedder
from astraweave.errors import UsageError
from astraweave.llm import GenerationRequest, Message, OpenAILanguageModel

model = OpenAILanguageModel(sys.argv[1], "m", dialect="generic")
story = GenerationRequest(messages=(Message("user", "Tell a very long story."),), max_tokens=900)
generation = model.generate(story)
next(iter(generation))
"""


def run(ending: str, *flags: str) -> tuple[int, str, str]:
    with FaultServer(token_s=0.05, answer=lambda _: "word " * 900) as server:
        done = subprocess.run(
            [sys.executable, *flags, "-c", OPENING + ending, server.url],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param("", 0, id="the program ends without close"),
        pytest.param("sys.exit(3)", 3, id="sys.exit"),
        pytest.param("model.close(); model.close()", 0, id="closed"),
        pytest.param("del model", 0, id="collected while it is answered"),
        pytest.param(
            "threading.Thread(target=generation.result, daemon=True).start()", 0, id="with a reader"
        ),
        pytest.param("keep = model; keep.me = keep", 0, id="in a cycle"),
        pytest.param("generation.cancel()", 0, id="cancelled"),
        pytest.param(
            "more = [model.generate(story) for _ in range(100)]", 0, id="with a hundred answers"
        ),
        pytest.param("OpenAIEmbedder(sys.argv[1], 'm').embed('a')", 0, id="with an embedder"),
    ],
)
def test_it_ends_in_silence(ending: str, code: int) -> None:
    assert run(ending, "-W", "error") == (code, "", "")


@pytest.mark.parametrize("ending", ["raise ValueError('oh')", "with model: raise ValueError('oh')"])
def test_an_exception_passes_and_is_all_that_is_printed(ending: str) -> None:
    code, stdout, stderr = run(ending)
    assert (code, stdout) == (1, "")
    assert stderr.splitlines()[-1] == "ValueError: oh"
    assert stderr.count("Traceback") == 1


FORKED = """
child = os.fork()
if child == 0:
    try:
        model.generate(story)
    except UsageError as error:
        print("child:", str(error).split(" after ")[0], flush=True)
    generation.cancel()
    model.close()
    {ending}
_, status = os.waitpid(child, 0)
print("parent:", os.waitstatus_to_exitcode(status), bool(next(iter(generation)).text), flush=True)
generation.cancel()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)"])
def test_a_forked_child_is_told_and_ends_by_itself(ending: str) -> None:
    code, stdout, stderr = run(FORKED.format(ending=ending))
    assert stderr == ""
    assert stdout.splitlines() == ["child: this process was forked", "parent: 0 True"]
    assert code == 0
