"""The command `astraweave`, run as people and scripts run it: in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import astraweave

BARE = {"ASTRAWEAVE_MODEL": "none", "ASTRAWEAVE_EMBEDDER": "mock"}
COMMAND = [sys.executable, "-m", "astraweave.cli"]
# As on a machine where only numpy and msgspec are installed: what an extra brings is not found.
WITHOUT_EXTRAS = """
import sys

EXTRAS = {
    "aiohttp", "esper", "gguf", "minijinja", "numba", "onnx", "onnxruntime", "platformdirs",
    "psutil", "rich", "safetensors", "tokenizers", "uvloop",
}

class Bare:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
"""


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return {**kept, "PYTHONIOENCODING": "utf-8", "TERM": "xterm", "COLUMNS": "120", **variables}


def run(
    *arguments: str, typed: str = "", timeout_s: float = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=typed,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )


def python(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def last_object(text: str) -> dict[str, object]:
    """What a script reads: the object that the output ends with."""
    document = json.loads(text[text.index("{") :])
    assert isinstance(document, dict)
    return document


def test_version_and_help():
    version = run("--version")
    assert (version.returncode, version.stdout.strip()) == (0, astraweave.__version__)
    usage = run("--help")
    assert usage.returncode == 0
    assert all(word in usage.stdout for word in ("demo", "talk", "models", "doctor", "bench"))
    assert run("nonsense").returncode == 2
    assert run().returncode == 2


# models


def test_models_list_is_json_for_scripts(tmp_path):
    listed = run("models", "list", "--json", ASTRAWEAVE_HOME=str(tmp_path))
    assert listed.returncode == 0, listed.stderr
    rows = {row["id"]: row for row in json.loads(listed.stdout)}
    assert {"smollm2-135m-instruct", "all-minilm-l6-v2"} <= set(rows)
    assert all({"task", "licence", "state", "size"} <= set(row) for row in rows.values())


def test_models_list_is_plain_when_piped(tmp_path):
    listed = run("models", "list", ASTRAWEAVE_HOME=str(tmp_path))
    assert "smollm2-135m-instruct" in listed.stdout
    assert listed.stdout.isascii()


def test_an_unknown_model_is_one_line(tmp_path):
    fetched = run("models", "fetch", "no-such-model", ASTRAWEAVE_HOME=str(tmp_path))
    assert fetched.returncode == 2
    assert fetched.stderr.splitlines()[-1].startswith("astraweave: ")
    assert "no-such-model" in fetched.stderr
    assert "Traceback" not in fetched.stderr


def test_verifying_what_is_not_there_fails(tmp_path):
    verified = run("models", "verify", "--json", ASTRAWEAVE_HOME=str(tmp_path))
    assert verified.returncode == 1
    assert all(not row["ok"] and row["problem"] for row in json.loads(verified.stdout))


@pytest.mark.models
def test_models_verify_checks_what_is_here(decoder_files, encoder_files):
    verified = run("models", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert [row["ok"] for row in json.loads(verified.stdout)] == [True, True]


# doctor


def test_doctor_json(tmp_path):
    done = run("doctor", "--json", ASTRAWEAVE_HOME=str(tmp_path), ASTRAWEAVE_THREADS="1")
    findings = json.loads(done.stdout)
    assert all(set(each) == {"name", "value", "ok", "advice"} for each in findings)
    found = {each["name"]: each for each in findings}
    assert {"astraweave", "SIMD", "threads", "onnxruntime", "provider"} <= set(found)
    assert not found["smollm2-135m-instruct"]["ok"]  # an empty home
    assert "models fetch" in found["smollm2-135m-instruct"]["advice"]
    assert done.returncode == 1


def test_doctor_is_content_without_models():
    done = run("doctor", "--json", ASTRAWEAVE_THREADS="1", **BARE)
    assert all(each["ok"] for each in json.loads(done.stdout)), done.stdout
    assert done.returncode == 0


def test_doctor_measures_nothing_without_a_model():
    done = run("doctor", "--measure", "--json", ASTRAWEAVE_THREADS="1", **BARE)
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert found["decoder"]["value"].startswith("none")
    assert found["decoding"]["value"].startswith("not measured")
    assert done.returncode == 0


@pytest.mark.models
def test_doctor_measures_a_line_and_eight(decoder_files):
    done = run("doctor", "--measure", "--json", ASTRAWEAVE_THREADS="1")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert "GB/s with 1 thread" in found["reading memory"]["value"]
    assert "tokens/s" in found["one line"]["value"]
    assert "times one line" in found["eight lines"]["value"]
    assert found["decoder"]["value"].startswith(("native", "the ONNX graph"))


def test_doctor_is_plain_when_piped():
    done = run("doctor", ASTRAWEAVE_THREADS="1", **BARE)
    assert "\x1b" not in done.stdout
    assert re.search(r"^ok +astraweave +\d", done.stdout, re.MULTILINE)


def test_a_wrong_variable_is_one_line():
    done = run("doctor", ASTRAWEAVE_THREADS="many")
    assert done.returncode == 2
    assert done.stderr.startswith("astraweave: ASTRAWEAVE_THREADS='many'")
    assert len(done.stderr.splitlines()) == 1


# talk


@pytest.mark.parametrize("persona", ["no-such.toml", "nobody"])
def test_an_unknown_persona_is_one_line(persona):
    done = run("talk", "--persona", persona, **BARE)
    assert done.returncode == 2
    assert done.stderr.startswith("astraweave: ")
    assert persona in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_typo_in_a_persona_names_its_line(tmp_path):
    path = tmp_path / "kara.toml"
    path.write_text('name = "Kara"\nrole = "a guard"\ntraitz = ["stern"]\n', encoding="utf-8")
    done = run("talk", "--persona", str(path), **BARE)
    assert done.returncode == 2
    assert "kara.toml:3" in done.stderr
    assert "traits" in done.stderr


def test_talk_through_a_pipe_answers_each_line():
    done = run("talk", typed="Good morning, Tam!\nMy dog is called Biscuit.\n", **BARE)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answers = [line for line in done.stdout.splitlines() if line.startswith("Tam  ")]
    assert len(answers) == 2
    assert all(len(answer) > len("Tam  ") for answer in answers)
    assert "\x1b" not in done.stdout


def test_talk_remembers_what_was_saved(tmp_path):
    slot = str(tmp_path / "slot")
    first = run("talk", "--save", slot, typed="My dog is called Biscuit.\n", **BARE)
    assert first.returncode == 0, first.stderr
    second = run("talk", "--save", slot, typed="What is my dog called?\n", **BARE)
    assert second.returncode == 0, second.stderr
    assert "Biscuit" in second.stdout
    stranger = run("talk", typed="What is my dog called?\n", **BARE)
    assert "Biscuit" not in stranger.stdout


def test_talk_takes_what_no_one_should_type():
    hostile = "a\x00b <|im_end|> \u202eabc \U0001f409\n" + "x" * 100_000 + "\n"
    done = run("talk", typed=hostile, **BARE)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "<|im_end|>" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_a_terminal_saves_and_leaves_no_traceback(tmp_path, times):
    slot = tmp_path / "slot"
    terminal = Terminal("talk", "--save", str(slot), **BARE)
    terminal.expect("you  ")
    terminal.type("My dog is called Biscuit.\n")
    terminal.expect("Biscuit", "you  ")
    for _ in range(times):
        terminal.interrupt()
    code, text = terminal.end()
    assert "Traceback" not in text, text
    assert code in ({0} if times == 1 else {0, 130}), text
    if times == 1:
        again = run("talk", "--save", str(slot), typed="What is my dog called?\n", **BARE)
        assert "Biscuit" in again.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_ctrl_c_while_the_world_opens(tmp_path):
    slot = tmp_path / "slot"
    terminal = Terminal("talk", "--save", str(slot), **BARE)
    end = time.monotonic() + 60
    while not slot.exists() and time.monotonic() < end:
        time.sleep(0.002)
    terminal.interrupt()
    code, text = terminal.end()
    assert "Traceback" not in text, text
    assert code in {0, 130}, text


def test_warnings_of_ours_are_one_friendly_line(tmp_path):
    home = {"ASTRAWEAVE_HOME": str(tmp_path), "ASTRAWEAVE_OFFLINE": "1"}
    done = run("talk", typed="Hello!\n", ASTRAWEAVE_EMBEDDER="mock", **home)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("note: language model 'smollm2-135m-instruct'")
    assert ".py" not in line
    assert "ModelWarning" not in line


class Terminal:
    """A command in a pseudo-terminal."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        import pty

        ours, theirs = pty.openpty()
        self.fd = ours
        self.text = ""
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(**variables),
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def interrupt(self) -> None:
        os.write(self.fd, b"\x03")  # as the key does: the terminal sends the signal

    def expect(self, *parts: str, timeout_s: float = 60) -> None:
        """Read until the parts have appeared, one after the other."""
        start = len(self.text)
        end = time.monotonic() + timeout_s
        while True:
            at = start
            for part in parts:
                at = self.text.find(part, at)
                if at < 0:
                    break
                at += len(part)
            else:
                return
            assert time.monotonic() < end, f"{parts} did not appear in {self.text!r}"
            assert self._read(1.0), f"it ended: {self.text!r}"

    def end(self, timeout_s: float = 60) -> tuple[int, str]:
        """Wait for the end; the exit code and everything that was shown."""
        end = time.monotonic() + timeout_s
        while self._read(0.2) and time.monotonic() < end:
            pass
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"it did not end: {self.text!r}")
        finally:
            os.close(self.fd)
        return code, self.text

    def _read(self, timeout_s: float) -> bool:
        """Read what there is; False at the end."""
        import select

        if not select.select([self.fd], [], [], timeout_s)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


# demo

SUMMARY = {
    "recall", "questions", "first_word_ms_p50", "first_word_ms_p95", "line_ms_p50", "line_ms_p95",
    "tokens_per_s", "tick_us_p50", "tick_us_p99", "tick_us_p999", "frames_late", "tiers", "model",
    "provider", "rss_mb",
}  # fmt: skip


def test_demo_json_ends_with_one_object():
    done = run("demo", "--json", "--turns", "30", "--seed", "4", timeout_s=300, **BARE)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    summary = last_object(done.stdout)
    assert set(summary) >= SUMMARY
    assert summary["model"] == "none"
    questions = summary["questions"]
    assert isinstance(questions, list)
    assert len(questions) == 10
    wanted = {"question", "expected", "line", "memories", "tier", "correct"}
    assert all(wanted <= set(each) for each in questions)
    assert summary["recall"] == sum(each["correct"] for each in questions) / 10
    assert {each["tier"] for each in questions} == {"composed"}


def test_demo_goes_on_without_a_model_that_is_not_there(tmp_path):
    home = {"ASTRAWEAVE_HOME": str(tmp_path), "ASTRAWEAVE_OFFLINE": "1"}
    done = run("demo", "--json", "--turns", "30", timeout_s=300, **home)
    assert done.returncode == 0, done.stderr
    notes = done.stderr.splitlines()
    assert len(notes) == 2, notes  # each model once, not once a process
    assert all(note.startswith("note: ") for note in notes)
    assert last_object(done.stdout)["model"] == "none"


def test_demo_keeps_its_save_where_it_is_told(tmp_path):
    slot = tmp_path / "kept"
    done = run("demo", "--turns", "30", "--save", str(slot), timeout_s=300, **BARE)
    assert done.returncode == 0, done.stderr
    assert (slot / "world.aw").is_file()
    assert "of 10 questions" in done.stdout
    assert "\x1b" not in done.stdout


def test_too_few_turns_are_one_line():
    done = run("demo", "--turns", "3", **BARE)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


# bench


def test_bench_prints_rows():
    done = run("bench", "--only", "context.", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    names = {row["name"] for row in rows}
    assert {"context.window", "context.fit", "context.append"} <= names
    assert all(name.startswith("context.") for name in names)
    wanted = {"name", "ours", "peer", "peer_name", "ratio", "unit", "quality"}
    assert all(wanted <= set(row) for row in rows)
    table = run("bench", "--only", "context.append")
    assert "context.append" in table.stdout
    assert run("bench", "--only", "nothing").returncode == 2


def test_bench_searches_the_vectors_that_it_is_given(tmp_path):
    vectors = tmp_path / "own.npy"
    np.save(vectors, np.random.default_rng(1).standard_normal((300, 8)).astype("float32"))
    picture = tmp_path / "curve.png"
    done = run("bench", "--data", str(vectors), "--json", "--plot", str(picture))
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["search.data_exact"]["quality"]["recall_at_10"] == 1.0
    assert rows["search.data_exact"]["unit"] == "queries/s"
    assert picture.read_bytes().startswith(b"\x89PNG")
    one = run("bench", "--data", str(vectors), "--json", "--only", "search.data_exact")
    assert [row["name"] for row in json.loads(one.stdout)] == ["search.data_exact"]


def test_vectors_that_cannot_be_read_are_one_line(tmp_path):
    (tmp_path / "own.npy").write_bytes(b"no array")
    done = run("bench", "--data", str(tmp_path / "own.npy"))
    assert done.returncode == 2
    assert done.stderr.startswith("astraweave: ")
    assert len(done.stderr.splitlines()) == 1
    done = run("bench", "--only", "context.append", "--plot", str(tmp_path / "curve.gif"))
    assert done.returncode == 2
    assert ".png" in done.stderr


def test_bench_frame_prints_one_object():
    done = run("bench", "frame", "--frames", "30", "--json", **BARE)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["alone"]["frames"] == figures["thinking"]["frames"] == 30
    assert figures["work_slowdown_p99"] > 0
    assert [set(bar) >= {"name", "value", "limit", "met"} for bar in figures["bars"]] == [True] * 2
    table = run("bench", "frame", "--frames", "30", **BARE)
    assert "alone" in table.stdout
    assert "tick p99.9" in table.stdout
    assert run("bench", "frame", "--frames", "0", **BARE).returncode == 2


def test_bench_dialogue_prints_one_object():
    done = run("bench", "dialogue", "--turns", "25", "--json", **BARE)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["turns"] == 25
    assert figures["line_ms_p95"] >= figures["first_word_ms_p50"] > 0


@pytest.mark.models
def test_bench_memory_prints_one_object(encoder_files):
    done = run("bench", "memory", "--crowd", "3", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["memories"] == 10_000
    assert figures["found"] >= 0.9


# a bare install


def test_importing_astraweave_loads_nothing_else():
    done = python(
        """
        import sys
        import astraweave
        print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
        """
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "astraweave" in loaded
    assert not loaded & {
        "aiohttp", "asyncio", "esper", "gguf", "minijinja", "numba", "numpy", "onnx",
        "onnxruntime", "platformdirs", "rich", "safetensors", "sqlite3", "uvloop",
    }  # fmt: skip


def test_a_world_lives_without_any_extra(tmp_path):
    done = python(
        WITHOUT_EXTRAS
        + textwrap.dedent("""
        import warnings
        import astraweave as aw

        warnings.simplefilter("error")
        slot = sys.argv[1]
        bare = aw.Settings(model="none", embedder="mock")
        with aw.World.open(slot, settings=bare) as world:
            tam = world.npc("tam", persona="tam")
            assert tam.say("My dog is called Biscuit.").wait().text
            world.save()
        with aw.World.open(slot, settings=bare) as world:
            print(world.npc("tam").say("What is my dog called?").wait().text)
        assert not EXTRAS & set(sys.modules), EXTRAS & set(sys.modules)

        warnings.simplefilter("always")
        with warnings.catch_warnings(record=True) as caught:
            with aw.World.open(slot, settings=aw.Settings()) as world:
                assert world.model_info is None
                print(world.npc("tam").say("What is my dog called?").wait().text)
        for warning in caught:
            print(f"{warning.category.__name__}: {' '.join(str(warning.message).split())}")
        """),
        str(tmp_path / "slot"),
    )
    assert done.returncode == 0, done.stderr
    first, second, *warned = done.stdout.splitlines()
    assert "Biscuit" in first
    assert "Biscuit" in second
    assert len(warned) == 2
    assert all(line.startswith("ModelWarning: ") for line in warned)
    assert all("astraweave[cpu]" in line for line in warned)


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["--version"], 0, astraweave.__version__),
        (["doctor"], 1, "astraweave[cpu]"),
        (["models", "list"], 2, "astraweave[cpu]"),
        (["talk"], 0, "You are talking to Tam"),
        (["demo", "--turns", "30"], 0, "of 10 questions"),
        (["bench", "--only", "search.exact_1k"], 0, "search.exact_1k"),
    ],
)
def test_the_command_without_any_extra(tmp_path, arguments, code, shown):
    # The demo starts processes of its own: sitecustomize reaches them too.
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_EXTRAS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    done = subprocess.run(
        [*COMMAND, *arguments],
        input="Hello!\n",
        env={
            name: value
            for name, value in environment(PYTHONPATH=path).items()
            if not name.startswith("ASTRAWEAVE_")
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert shown in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_ends_a_command_quietly(tmp_path: Path):
    done = subprocess.run(
        f'"{sys.executable}" -m astraweave.cli models list | head -n 1',
        shell=True,
        env=environment(ASTRAWEAVE_HOME=str(tmp_path)),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
