"""The file of a world's saves: a tree in it, cuts and flips at every byte, and what is kept."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.errors import CorruptDataError, InputError
from astraweave.world import _records, savefile
from astraweave.world._digests import id_of
from astraweave.world.deltas import PAGE, make_delta
from astraweave.world.savefile import SaveInfo, read_directory
from astraweave.world.savewriting import append_save, delete_save, fits_behind, write_save


def image_of(seed: int, pages: int, tail: int = 0) -> bytes:
    return random.Random(seed).randbytes(pages * PAGE + tail)


def altered(image: bytes, seed: int, edits: int) -> bytes:
    draw, new = random.Random(seed), bytearray(image)
    for _ in range(edits if new else 0):
        new[draw.randrange(len(new))] ^= 1 + draw.randrange(255)
    return bytes(new)


def put(
    path: Path,
    image: bytes,
    *,
    parent: str = "",
    name: str = "",
    keep: int = 99,
    base: bytes | None = None,
    append: bool = True,
) -> SaveInfo:
    """As a slot does it; `base` is the image of `parent`, where it is known what has changed."""
    about = SaveInfo(
        id=id_of(image).hex(),
        writer="1",
        bytes=len(image),
        note={"n": len(image)},
        parent=parent,
        name=name,
    )
    delta = None if base is None else make_delta(image, base)
    there = savefile.directory_or_none(path)
    if append and there and delta is not None and fits_behind(there, about, delta, parent):
        return append_save(there, about, delta, parent, keep=keep)
    return write_save(path, image, about, delta=delta, base=parent, keep=keep)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_every_save_that_is_kept_can_be_read(tmp_path_factory, data) -> None:
    """Saves from anywhere in the tree, names, deletions and merges, against a plain list."""
    path = tmp_path_factory.mktemp("file") / "world.aw"
    keep = data.draw(st.integers(1, 4))
    model: dict[str, tuple[bytes, str]] = {}
    image, standing, stood = image_of(0, 12), "", b""
    for step in range(data.draw(st.integers(1, 14))):
        action = data.draw(st.sampled_from(("save", "save", "save", "name", "load", "delete")))
        if action in ("save", "name"):
            size = data.draw(st.sampled_from((0, 100)))
            image = altered(image + bytes(step * size), step, 2)
            name = f"n{step}" if action == "name" else ""
            known = stood if data.draw(st.booleans()) and standing in model else None
            info = put(path, image, parent=standing, name=name, keep=keep, base=known)
            model[info.id] = (image, name)
            standing, stood = info.id, image
            unnamed = [key for key, (_, called) in model.items() if not called and key != info.id]
            spare = len(unnamed) + (not name) - keep
            for key in unnamed[: max(0, spare)]:
                del model[key]
        elif model:
            chosen = data.draw(st.sampled_from(sorted(model)))
            if action == "load":
                image, standing = model[chosen][0], chosen
                stood = image
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


def test_a_save_at_the_end_costs_what_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    image = image_of(1, 200)
    info = put(path, image)
    before = path.read_bytes()
    for step in range(3):
        was, image = image, altered(image, step, 3)
        info = put(path, image, parent=info.id, base=was)
    after = path.read_bytes()
    assert after[40 : len(before)] == before[40:]
    assert len(after) - len(before) < 1000
    assert read_directory(path).image(info.id) == image


def test_the_file_is_written_anew_when_half_of_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    image = image_of(1, 10)
    info = put(path, image)
    whole, images = [], {info.id: image}
    for step in range(30):
        was, image = image, altered(image, step, 1)
        info = put(path, image, parent=info.id, base=was, keep=4)
        images[info.id] = image
        there = read_directory(path)
        whole.append(there.way(info.id)[-1].info.id)
        *way, _ = there.way(info.id)
        assert 2 * sum(place.pages for place in way) <= 10
        for one in there.saves:
            assert there.image(one.id) == images[one.id]
    assert 5 <= len(set(whole)) <= 15
    assert (tmp_path / "world.aw.bak").exists()
    read_directory(tmp_path / "world.aw.bak").image(
        read_directory(tmp_path / "world.aw.bak").latest.id
    )


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """A file before and after a save was put at its end; and its saves."""
    path = tmp_path_factory.mktemp("grown") / "world.aw"
    image, files, saves = image_of(1, 40), [], []
    info = put(path, image)
    saves.append((info.id, image))
    for step in range(3):
        was, image = image, altered(image, step, 4)
        files.append(path.read_bytes())
        info = put(path, image, parent=info.id, base=was, name=f"s{step}")
        saves.append((info.id, image))
    return files[-1], path.read_bytes(), saves


def test_a_save_cut_off_at_any_byte_leaves_the_one_before(tmp_path: Path, grown) -> None:
    """Whatever of a save had come to the disk when the machine died."""
    before, after, saves = grown
    path = tmp_path / "world.aw"
    header = 40
    assert after[header : len(before)] == before[header:]
    for end in range(len(before), len(after)):
        path.write_bytes(before + after[len(before) : end])
        assert read_directory(path).latest.id == saves[-2][0]
    path.write_bytes(before + after[len(before) :])  # all of it, and nobody was told
    assert read_directory(path).latest.id == saves[-1][0]
    for end in range(header + 1):  # died while noting how much is there
        path.write_bytes(after[:end] + before[end:header] + after[header:])
        there = read_directory(path)
        assert there.latest.id == saves[-1][0]
        assert there.image(saves[-1][0]) == saves[-1][1]


def test_pages_that_never_came_to_the_disk_leave_the_save_before(tmp_path: Path, grown) -> None:
    """The file is as long as it should be, but some of it is zeros: it was never synced."""
    before, after, saves = grown
    path = tmp_path / "world.aw"
    for begin in range(len(before), len(after), 3):
        for end in (begin + 1, len(after)):
            if not any(after[begin:end]):
                continue
            path.write_bytes(before + after[len(before) : begin] + bytes(end - begin) + after[end:])
            there = read_directory(path)
            assert there.latest.id == saves[-2][0]
            assert there.image(saves[-2][0]) == saves[-2][1]


def test_the_next_save_takes_the_place_of_what_was_cut_off(tmp_path: Path, grown) -> None:
    before, after, saves = grown
    path = tmp_path / "world.aw"
    for end in (len(before) + 1, len(after) - 1):
        path.write_bytes(before + after[len(before) : end])
        image = altered(saves[-2][1], 77, 1)
        new = put(path, image, parent=saves[-2][0], base=saves[-2][1])
        there = read_directory(path)
        assert [info.id for info in there.saves] == [*(key for key, _ in saves[:-1]), new.id]
        assert there.size == path.stat().st_size
        assert there.image(new.id) == image


def test_a_copy_that_was_cut_short_says_so(tmp_path: Path, grown) -> None:
    """A save that stood is never passed over in silence."""
    _, after, _ = grown
    path = tmp_path / "world.aw"
    ends = {*range(200), *range(200, len(after), 997), *range(len(after) - 600, len(after))}
    for end in sorted(ends):
        path.write_bytes(after[:end])
        with pytest.raises(CorruptDataError, match=r"world\.aw"):
            read_directory(path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_never_gives_another_image(tmp_path_factory, grown, data) -> None:
    _, after, saves = grown
    near = st.one_of(st.integers(0, 200), st.integers(len(after) - 1200, len(after) - 1))
    place = data.draw(st.one_of(near, st.integers(0, len(after) - 1)))
    damaged = bytearray(after)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "flipped.aw"
    path.write_bytes(damaged)
    try:
        there = read_directory(path)
    except CorruptDataError:
        return
    assert [info.id for info in there.saves] == [key for key, _ in saves]
    for key, image in saves:
        try:
            assert there.image(key) == image
        except CorruptDataError:
            assert place >= 40
            continue


def test_a_damaged_difference_damages_no_save_before_it(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    images = [image_of(1, 150)]
    infos = [put(path, images[0])]
    for step in range(2):
        images.append(altered(images[-1], step, 30))
        infos.append(put(path, images[-1], parent=infos[-1].id, base=images[-2]))
    data = bytearray(path.read_bytes())
    data[read_directory(path).places[infos[1].id].start + 30] ^= 1
    path.write_bytes(data)
    there = read_directory(path)
    assert there.image(infos[0].id) == images[0]
    for lost in infos[1:]:
        with pytest.raises(CorruptDataError, match="has changed"):
            there.image(lost.id)
    third = altered(images[2], 3, 30)  # a save is possible all the same
    info = put(path, third, parent=infos[2].id, base=images[2], append=False)
    assert read_directory(path).latest == info
    assert read_directory(path).image(info.id) == third
    assert read_directory(path).image(infos[2].id) == images[2]
    with pytest.raises(CorruptDataError):
        read_directory(path).image(infos[0].id)  # told by what is damaged, now


def test_a_tree_that_leads_nowhere_is_unsound() -> None:
    def entry(number: int, base: int, **more) -> _records.Entry:
        told = {"parent": -1, "gone": ()} | more
        return _records.Entry(
            id=bytes([number]),
            length=1,
            check=b"",
            base=base,
            pages=0,
            writer="",
            game_time=0.0,
            state_hash=b"",
            name="",
            note={},
            **told,
        )

    assert _records._sound([entry(0, -1), entry(1, 0), entry(2, 1)])
    assert _records._sound([entry(0, 2), entry(1, 0, gone=(0,)), entry(2, -1)])
    for unsound in (
        [entry(0, 0)],
        [entry(0, -1), entry(1, 2), entry(2, 1)],
        [entry(0, -1), entry(1, -1)],
        [entry(0, -1), entry(0, 0)],
        [entry(0, -1), entry(1, 7)],
        [entry(0, -1), entry(1, 0, parent=5)],
        [entry(0, -1), entry(1, 0, gone=(1,))],
    ):
        assert not _records._sound(unsound)


def test_names_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "world.aw"
    for name in ("a\nb", "x" * 500):
        with pytest.raises(InputError, match="called"):
            put(path, image_of(1, 1), name=name)
    first = image_of(1, 8)
    here = put(path, first, name="here")
    for base in (None, first):
        with pytest.raises(InputError, match="already"):
            put(path, altered(first, 2, 1), name="here", parent=here.id, base=base)
    with pytest.raises(InputError, match="'here'"):
        read_directory(path).find("there")
    with pytest.raises(InputError):
        read_directory(path).find("")
