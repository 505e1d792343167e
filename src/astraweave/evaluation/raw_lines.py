"""Raw lines of a language model, drawn to be labelled by hand: what the output check is judged on.

``python -m astraweave.evaluation.raw_lines OUT.jsonl`` draws them anew with the default model. The
labelled ones that the check is measured on stand in ``data/labelled_lines.jsonl``.
"""

from __future__ import annotations

import itertools
import random
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings
from astraweave.core.text import sanitize
from astraweave.dialogue import ClauseSplitter, DialogueGenerator, Situation
from astraweave.llm import LanguageModel
from astraweave.observability import Telemetry
from astraweave.persona import Persona
from astraweave.rag import Memory, Retrieved
from astraweave.serving import open_road
from astraweave.world.brains import load_brains

__all__ = [
    "RawLine",
    "Scene",
    "draft",
    "draw_lines",
    "everyday_lines",
    "labelled_lines",
    "pieces_of",
    "scenes",
    "scenes_of",
    "situation_of",
    "tuning_lines",
]

_TEMPERATURES = (0.2, 0.4, 0.7, 1.0)
_DRAWS = 6
_FEWEST_WORDS = 4


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One character with what it remembers."""

    persona: Persona
    memories: tuple[tuple[str, str], ...]
    """Who said it (empty: it was seen) and what."""
    utterances: tuple[str, ...]


class RawLine(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of a draft, exactly as the model gave it.

    Attributes
    ----------
    id : str
        Short and stable.
    character : str
        Id of the persona.
    utterance : str
        What was said to the character.
    opening : str
        What the character had already said of this line; empty: the model began it.
    begun : str
        How it began before the model's part; the rest of `opening` is the model's already.
    piece : str
        What the model said next.
    temperature : float
        How it was drawn.
    certainty : float or None
        Mean natural logarithm of the probability that the model gives to the piece's tokens.
    ok : bool or None
        Whether it may be shown; None: nobody has judged it.
    why : str
        What is wrong with it: ``"cut"`` (it does not end), ``"imagined"`` (it claims what the
        character cannot know), ``"role"`` (no person of this world would say it), ``"unfit"`` (it
        makes no sense there).
    held_out : bool
        Whether it was kept from whoever tuned the check; drawn by character and utterance.
    """

    id: str
    character: str
    utterance: str
    opening: str
    piece: str
    temperature: float
    begun: str = ""
    certainty: float | None = None
    ok: bool | None = None
    why: str = ""
    held_out: bool = False


def scenes(name: str = "raw_line_scenes") -> list[Scene]:
    """Every character and moment of a file."""
    text = resources.files("astraweave.evaluation.data") / f"{name}.toml"
    found = []
    for entry in tomllib.loads(text.read_text(encoding="utf-8"))["characters"]:
        card = entry.get("card")
        persona = msgspec.convert(card, Persona) if card else Persona.builtin(entry["persona"])
        memories = tuple((speaker, said) for speaker, said in entry["memories"])
        found.append(
            Scene(persona=persona, memories=memories, utterances=tuple(entry["utterances"]))
        )
    return found


def labelled_lines(*, held_out: bool | None = None) -> list[RawLine]:
    """The lines that were labelled by hand, before the check was tuned.

    A line is good where a player could read it in that place and nothing in it would be wrong or
    strange. Lines on which one could argue were left out.

    Parameters
    ----------
    held_out : bool, optional
        Only one of the halves.
    """
    lines = _read("labelled_lines")
    return [line for line in lines if held_out is None or line.held_out == held_out]


def tuning_lines() -> list[RawLine]:
    """Further lines, labelled by hand, that the check was tuned on; none of them is measured.

    They come from other moments (``tuning_line_scenes.toml``) and other draws. Only lines that no
    rule of form refuses are among them, and none on which one could argue.
    """
    return _read("tuning_lines")


def everyday_lines() -> list[RawLine]:
    """Lines for 243 everyday sayings, each said to several characters; none is measured.

    They were drawn and labelled after the others, in the same way and by the same rule, and are
    what the check compares clauses with beside `tuning_lines`.
    """
    return _read("everyday_lines")


def scenes_of(lines: Iterable[RawLine]) -> list[Scene]:
    """The characters of the other files, spoken to as in some lines."""
    heard: dict[str, dict[str, None]] = {}
    for line in lines:
        heard.setdefault(line.character, {})[line.utterance] = None
    known: dict[str, Scene] = {}
    for scene in [*scenes(), *scenes("tuning_line_scenes")]:
        known.setdefault(scene.persona.id, scene)
    return [
        msgspec.structs.replace(known[character], utterances=tuple(utterances))
        for character, utterances in heard.items()
    ]


def _read(name: str) -> list[RawLine]:
    raw = (resources.files("astraweave.evaluation.data") / f"{name}.jsonl").read_bytes()
    return msgspec.json.Decoder(RawLine).decode_lines(raw)


def situation_of(scene: Scene, utterance: str, rng: random.Random) -> Situation:
    """The moment in which the character was spoken to."""
    memories = [
        Retrieved(
            memory=Memory(
                id=place + 1,
                owner=scene.persona.id,
                text=text,
                speaker=speaker,
                addressee=scene.persona.id if speaker else "",
                game_time=100.0 * place,
            ),
            score=1.0,
        )
        for place, (speaker, text) in enumerate(scene.memories)
    ]
    return Situation(
        persona=scene.persona,
        speaker="player",
        utterance=sanitize(utterance),
        rng=rng,
        memories=memories,
        now=3600.0,
    )


def draw_lines(
    settings: Settings, chosen: Iterable[Scene] | None = None, *, seed: int = 5, mark: str = "r"
) -> Iterator[RawLine]:
    """Draw from the default model: several prompts, temperatures and characters.

    Parameters
    ----------
    settings : Settings
        Where the model is.
    chosen : iterable of Scene, optional
        For which moments; by default for all of the measured ones.
    seed : int
        Equal seeds give equal lines.
    mark : str
        What the ids begin with.
    """
    telemetry, clock = Telemetry(), SystemClock()
    brains = load_brains(settings, telemetry)
    assert brains.model is not None, "there is no language model to draw from"
    road = open_road(brains.model, clock=clock, telemetry=telemetry)
    generator = DialogueGenerator(road.scheduler, embedder=brains.embedder)
    moments = (
        (scene, utterance, draw)
        for scene in (scenes() if chosen is None else chosen)
        for utterance in scene.utterances
        for draw in range(_DRAWS)
    )
    number = itertools.count(1)
    try:
        for scene, utterance, draw in moments:
            for line in draft(generator, brains.model, scene, utterance, draw, seed=seed):
                yield msgspec.structs.replace(line, id=f"{mark}{next(number):04d}")
    finally:
        road.close()
        brains.close()


def draft(
    generator: DialogueGenerator,
    model: LanguageModel,
    scene: Scene,
    utterance: str,
    draw: int,
    *,
    seed: int,
) -> Iterator[RawLine]:
    """The first two pieces of one draft, without ids.

    Parameters
    ----------
    generator : DialogueGenerator
        Plans the line and asks for it.
    model : LanguageModel
        Says it.
    scene, utterance : Scene, str
        The moment.
    draw : int
        Which of several drafts: it decides the temperature, and every third one begins without an
        opening of ours.
    seed : int
        Equal seeds give equal requests.
    """
    rng = RandomStreams(seed)[f"{scene.persona.id}/{utterance}/{draw}"]
    situation = situation_of(scene, utterance, rng)
    plan = generator.planner(scene.persona).plan(situation)
    bare = draw % 3 == 2
    request = generator.request(situation, plan)
    temperature = _TEMPERATURES[draw % len(_TEMPERATURES)]
    request = msgspec.structs.replace(
        request,
        sampling=msgspec.structs.replace(request.sampling, temperature=temperature),
        prefix="" if bare else request.prefix,
    )
    opening = begun = "" if bare else plan.opening
    for piece in pieces_of(model.generate(request).result(), opening)[:2]:
        yield RawLine(
            id="",
            character=scene.persona.id,
            utterance=utterance,
            opening=opening,
            piece=piece,
            temperature=temperature,
            begun=begun,
        )
        opening = f"{opening} {piece}".strip()


def pieces_of(text: str, opening: str) -> list[str]:
    """A draft as the pieces that are judged one by one: clauses, those of few words joined.

    Examples
    --------
    >>> pieces_of("Aye. Come in, the fire is warm. Sit down by it, friend.", "Aye.")
    ['Come in, the fire is warm.', 'Sit down by it, friend.']
    """
    splitter = ClauseSplitter()
    pieces, begun = [], ""
    for piece in [*splitter.push(text.removeprefix(opening)), *splitter.flush()]:
        begun += piece
        if len(begun.split()) >= _FEWEST_WORDS:
            pieces.append(begun.strip())
            begun = ""
    return pieces + ([begun.strip()] if begun.strip() else [])


def _main(out: Path) -> None:
    encoder = msgspec.json.Encoder()
    with out.open("wb") as file:
        for line in draw_lines(Settings.from_environment()):
            file.write(encoder.encode(line) + b"\n")
            sys.stderr.write(f"\r{line.id}")
    sys.stderr.write("\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
