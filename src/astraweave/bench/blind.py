"""A blind A/B test of lines, for a studio to run with its own players.

``python -m astraweave.bench.blind make ours.jsonl other.jsonl --out test`` writes ``sheet.html`` (a
page that works without a network and gives the answers as a file), ``sheet.csv`` (the same for a
spreadsheet) and, apart from them, ``key.json``: which line is whose. ``... score answers.csv --key
test/key.json`` says who was preferred, and how likely so clear a result is where nobody prefers
anything (exact two-sided binomial test over the answers that are not a tie).

The files hold one JSON object a line with ``said`` and ``line``, and perhaps ``name`` and ``role``;
`astraweave.bench.conversations` writes such. Lines to the same utterance make a pair.
"""

from __future__ import annotations

import argparse
import csv
import html
import io
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from astraweave.core.rng import RandomStreams
from astraweave.errors import InputError

__all__ = ["Key", "Pair", "Row", "binomial", "main", "make_sheet", "pair_up", "score"]

_COLUMNS = ("number", "who", "said", "A", "B", "better")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line and what it answers."""

    said: str
    line: str
    name: str = ""
    role: str = ""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two lines to the same utterance."""

    said: str
    who: str
    first: str
    """Of the first file."""
    second: str


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What the sheet does not say.

    Attributes
    ----------
    seed : int
        What order and sides were drawn from.
    names : tuple of str
        What the two files are called.
    first_is : tuple of str
        For each number of the sheet, from 1, where the line of the first file stands.
    """

    seed: int
    names: tuple[str, str]
    first_is: tuple[str, ...]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Who was preferred how often; `p` is two-sided and exact."""

    first: int
    second: int
    ties: int
    p: float


def pair_up(first: Iterable[Row], second: Iterable[Row]) -> list[Pair]:
    """Pairs of lines to the same utterance of the same character, in the order of the first file.

    Lines that are the same on both sides tell nothing and are left out.
    """
    waiting: dict[tuple[str, str], list[Row]] = {}
    for row in second:
        waiting.setdefault((row.name, row.said), []).append(row)
    pairs = []
    for row in first:
        others = waiting.get((row.name, row.said))
        if not others:
            continue
        other = others.pop(0)
        if other.line.strip() != row.line.strip():
            who = f"{row.name}, {row.role}" if row.role else row.name
            pairs.append(Pair(said=row.said, who=who, first=row.line, second=other.line))
    return pairs


def make_sheet(
    pairs: Sequence[Pair], *, seed: int, names: tuple[str, str], most: int = 40
) -> tuple[str, str, Key]:
    """The sheet as CSV and as a page, and the key to it.

    Parameters
    ----------
    pairs : sequence of Pair
        See `pair_up`.
    seed : int
        Draws which pairs, their order, and on which side each line stands.
    names : tuple of str
        What the two are called in the key.
    most : int
        At most so many pairs.

    Raises
    ------
    InputError
        There are no pairs.
    """
    if not pairs:
        raise InputError("no two lines answer the same utterance: there is nothing to compare")
    dice = RandomStreams(seed)["bench.blind"]
    chosen = dice.sample(list(pairs), k=min(most, len(pairs)))
    sides = tuple(dice.choice("AB") for _ in chosen)
    rows = [
        {
            "number": str(number),
            "who": pair.who,
            "said": pair.said,
            "A": pair.first if side == "A" else pair.second,
            "B": pair.second if side == "A" else pair.first,
            "better": "",
        }
        for number, (pair, side) in enumerate(zip(chosen, sides, strict=True), start=1)
    ]
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return sheet.getvalue(), _page(rows), Key(seed=seed, names=names, first_is=sides)


def score(answers: str, key: Key) -> Score:
    """Count the answers of one or several sheets, one after the other.

    Parameters
    ----------
    answers : str
        CSV with the columns ``number`` and ``better``: A, B, or = for neither.
    key : Key
        Of this sheet.

    Raises
    ------
    InputError
        A number is not of the sheet, or an answer is none.
    """
    counts = {"first": 0, "second": 0, "tie": 0}
    for row in csv.DictReader(io.StringIO(answers)):
        better = (row.get("better") or "").strip().upper()
        if not better or row.get("number") == "number":  # not answered; the head of another sheet
            continue
        number = row.get("number") or ""
        if (
            not number.isascii()
            or not number.isdigit()
            or not 1 <= int(number) <= len(key.first_is)
        ):
            raise InputError(f"the sheet has no number {number!r}", number=number)
        if better not in {"A", "B", "="}:
            raise InputError(f"number {number}: better is A, B or =, not {better!r}", number=number)
        if better == "=":
            counts["tie"] += 1
        else:
            counts["first" if better == key.first_is[int(number) - 1] else "second"] += 1
    first, second = counts["first"], counts["second"]
    return Score(first=first, second=second, ties=counts["tie"], p=binomial(first, first + second))


def binomial(wins: int, trials: int) -> float:
    """How likely a result at least as far from even is when both are equally good.

    Examples
    --------
    >>> round(binomial(15, 20), 4), binomial(0, 0)
    (0.0414, 1.0)
    """
    far = max(wins, trials - wins)
    tail = sum(math.comb(trials, k) for k in range(far, trials + 1))
    return min(1.0, float(2 * tail / 2**trials))


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text


def _page(rows: Sequence[Mapping[str, str]]) -> str:
    parts = []
    for row in rows:
        number = row["number"]
        options = "".join(
            f'<label><input type="radio" name="n{number}" value="{value}"> {label}</label>'
            for value, label in (("A", "A is better"), ("B", "B is better"), ("=", "no difference"))
        )
        parts.append(
            f"<section><h2>{number}. {html.escape(row['who'])}</h2>"
            f"<p>You say: <q>{html.escape(row['said'])}</q></p>"
            f"<p><b>A</b> <q>{html.escape(row['A'])}</q></p>"
            f"<p><b>B</b> <q>{html.escape(row['B'])}</q></p><p>{options}</p></section>"
        )
    return _FRAME.replace("%ROWS%", "\n".join(parts)).replace("%COUNT%", str(len(rows)))


_FRAME = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Which answer is better?</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em }
section { border-top: 1px solid #ccc; padding: .5em 0 }
label { margin-right: 1.5em }
q { quotes: none; font-style: italic }
</style>
<h1>Which answer is better?</h1>
<p>In each of these, a character of a game answers you. Say which answer you would rather hear.</p>
<form>
%ROWS%
</form>
<p><button type="button" onclick="give()">Save my answers</button></p>
<script>
function give() {
  var rows = ["number,better"], form = document.forms[0];
  for (var n = 1; n <= %COUNT%; n++) rows.push(n + "," + (form["n" + n].value || ""));
  var link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([rows.join("\\n") + "\\n"], { type: "text/csv" }));
  link.download = "answers.csv";
  link.click();
}
</script></html>
"""


def _rows(path: Path) -> list[Row]:
    decoder = msgspec.json.Decoder(Row)
    return [decoder.decode(line) for line in path.read_bytes().splitlines() if line.strip()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a sheet, or score one."""
    parser = argparse.ArgumentParser(prog="python -m astraweave.bench.blind")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="write sheet.html, sheet.csv and key.json")
    make.add_argument("first", type=Path)
    make.add_argument("second", type=Path)
    make.add_argument("--out", type=Path, default=Path("blind"))
    make.add_argument("--seed", type=int, default=1)
    make.add_argument("--pairs", type=int, default=40)
    count = commands.add_parser("score", help="who was preferred")
    count.add_argument("answers", type=Path, nargs="+")
    count.add_argument("--key", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.command == "make":
        pairs = pair_up(_rows(given.first), _rows(given.second))
        names = (given.first.stem, given.second.stem)
        sheet, page, key = make_sheet(pairs, seed=given.seed, names=names, most=given.pairs)
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "sheet.csv").write_text(sheet, encoding="utf-8")
        (given.out / "sheet.html").write_text(page, encoding="utf-8")
        (given.out / "key.json").write_bytes(msgspec.json.format(msgspec.json.encode(key)))
        return 0
    key = msgspec.json.decode(given.key.read_bytes(), type=Key)
    texts = [path.read_text(encoding="utf-8-sig") for path in given.answers]
    results = [score(text, key) for text in texts]
    first, second = sum(r.first for r in results), sum(r.second for r in results)
    report = {
        key.names[0]: first,
        key.names[1]: second,
        "no difference": sum(r.ties for r in results),
        "p": binomial(first, first + second),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
