"""`astraweave voices`."""

from __future__ import annotations

import json

from astraweave.cli.main import main

GOOD = 'name = "x"\nextends = "plain"\n[acts]\ngreeting = ["One.", "Two.", "Three."]\n'


def test_shipped_voices_pass(capsys):
    assert main(["voices", "lint"]) == 0
    assert "0 errors" in capsys.readouterr().out


def test_a_mistake_is_named_by_file_and_line(tmp_path, capsys):
    path = tmp_path / "x.toml"
    path.write_text(GOOD.replace("Two.", "Two {nam}."), encoding="utf-8")
    assert main(["voices", "lint", str(path)]) == 1
    assert f"{path}:4: error: [greeting]" in capsys.readouterr().out
    assert main(["voices", "lint", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [p["kind"] for p in found if p["severity"] == "error"] == ["field"]


def test_a_name_that_is_none_gets_a_hint(capsys):
    assert main(["voices", "lint", "sailr"]) == 2
    assert "sailor" in capsys.readouterr().err
    assert main(["voices", "show", "sailr"]) == 2
    assert "sailor" in capsys.readouterr().err


def test_show_prints_lines_of_each_act_or_all_of_one(tmp_path, capsys):
    assert main(["voices", "show", "gruff_de"]) == 0
    said = capsys.readouterr().out
    assert "bark_work" in said
    assert "{" not in said
    path = tmp_path / "x.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert main(["voices", "show", str(path), "--act", "greeting", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {"when": "any", "line": "Two."}
    assert main(["voices", "show", "plain", "--act", "greting"]) == 2
    assert "greeting" in capsys.readouterr().err
