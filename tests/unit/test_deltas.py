"""Images of databases told by each other, and the file that holds many of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.errors import CorruptDataError, InputError
from astraweave.world import savefile
from astraweave.world.deltas import PAGE, apply_delta, make_delta
from astraweave.world.savefile import SaveInfo, delete_save, read_directory, write_save


def image_of(seed: int, pages: int, tail: int = 0) -> bytes:
    return random.Random(seed).randbytes(pages * PAGE + tail)


def altered(image: bytes, seed: int, edits: int) -> bytes:
    draw, new = random.Random(seed), bytearray(image)
    for _ in range(edits if new else 0):
        new[draw.randrange(len(new))] ^= 1 + draw.randrange(255)
    return bytes(new)


@settings(max_examples=150, deadline=None)
@given(
    pages=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    tails=st.tuples(st.sampled_from((0, 1, PAGE - 1)), st.sampled_from((0, 1, 7))),
    edits=st.integers(0, 5),
    alike=st.booleans(),
)
def test_a_delta_gives_back_the_image(pages, tails, edits, alike) -> None:
    base = image_of(1, pages[0], tails[0])
    image = altered(base, 2, edits) if alike else image_of(3, pages[1], tails[1])
    assert apply_delta(base, make_delta(image, base)) == image


def test_a_delta_costs_what_differs() -> None:
    base = image_of(1, 500)
    assert len(make_delta(altered(base, 2, 10), base)) < 1000
    assert len(make_delta(base, base)) < 40


@pytest.mark.parametrize("cut", [0, 5, 12, 20, -1])
def test_a_damaged_delta_is_told(cut: int) -> None:
    base = image_of(1, 3)
    delta = make_delta(image_of(2, 3), base)
    with pytest.raises(CorruptDataError):
        apply_delta(base, delta[:cut])


def put(path: Path, image: bytes, *, parent: str = "", name: str = "", keep: int = 99) -> SaveInfo:
    digest = savefile.digest_of(image).hex()
    about = SaveInfo(
        id=digest, writer="1", bytes=len(image), note={"n": len(image)}, parent=parent, name=name
    )
    return write_save(path, image, about, keep=keep)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_save_that_is_kept_can_be_read(tmp_path_factory, data) -> None:
    """Saves from anywhere in the tree, names, deletions and merges, against a plain list."""
    path = tmp_path_factory.mktemp("file") / "world.aw"
    keep = data.draw(st.integers(1, 4))
    model: dict[str, tuple[bytes, str]] = {}
    image, standing = image_of(0, 6), ""
    for step in range(data.draw(st.integers(1, 12))):
        action = data.draw(st.sampled_from(("save", "save", "name", "load", "delete")))
        if action in ("save", "name"):
            image = altered(image + bytes(step * 100), step, 20)
            name = f"n{step}" if action == "name" else ""
            info = put(path, image, parent=standing, name=name, keep=keep)
            model[info.id] = (image, name)
            standing = info.id
            unnamed = [key for key, (_, called) in model.items() if not called and key != info.id]
            spare = len(unnamed) + (not name) - keep
            for key in unnamed[: max(0, spare)]:
                del model[key]
        elif model:
            chosen = data.draw(st.sampled_from(sorted(model)))
            if action == "load":
                image, standing = model[chosen][0], chosen
            elif chosen == list(model)[-1]:
                with pytest.raises(InputError):
                    delete_save(path, chosen)
            else:
                delete_save(path, chosen)
                del model[chosen]
        if not model:
            continue
        there = read_directory(path)
        assert [info.id for info in there.saves] == list(model)
        assert there.size == path.stat().st_size
        for key, (expected, name) in model.items():
            assert there.image(key) == expected
            assert there.find(key).name == name
            assert there.find(key).parent in {"", *model}


def test_a_damaged_difference_damages_no_other_save(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    first = image_of(1, 8)
    old = put(path, first)
    new = put(path, altered(first, 2, 30), parent=old.id)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    there = read_directory(path)
    assert there.image(new.id) == altered(first, 2, 30)
    with pytest.raises(CorruptDataError, match="has changed"):
        there.image(old.id)
    third = put(path, altered(first, 3, 30), parent=new.id)  # a save is possible all the same
    assert read_directory(path).image(new.id) == altered(first, 2, 30)
    assert read_directory(path).latest == third


def test_a_directory_that_leads_nowhere_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    put(path, image_of(1, 2))
    there = savefile.read_directory(path)
    place = next(iter(there.places.values()))
    assert savefile._told((place,))
    import msgspec

    circle = msgspec.structs.replace(place, base=place.info.id)
    assert not savefile._told((circle,))
    assert not savefile._told((place, place))


def test_names_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    for name in ("a\nb", "x" * 500):
        with pytest.raises(InputError, match="called"):
            put(path, image_of(1, 1), name=name)
    put(path, image_of(1, 1), name="here")
    with pytest.raises(InputError, match="already"):
        put(path, image_of(2, 1), name="here")
    with pytest.raises(InputError, match="'here'"):
        read_directory(path).find("there")
    with pytest.raises(InputError):
        read_directory(path).find("")
