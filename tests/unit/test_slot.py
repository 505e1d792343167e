"""The save slot: what a save keeps, what a crash leaves, and what bad input is told."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.core.clock import ManualClock
from astraweave.errors import (
    CorruptDataError,
    FormatVersionError,
    InputError,
    SlotInUseError,
    StorageError,
    UsageError,
)
from astraweave.world import Slot, SlotSummary, _sessions, savewriting
from astraweave.world import savefile as save_format


def open_slot(path: Path, *, recover: bool = False) -> Slot:
    return Slot.open(path, clock=ManualClock(), recover=recover)


def crash(slot: Slot) -> None:
    """What a SIGKILL leaves: nothing is committed, synced or removed; the kernel drops the lock."""
    slot.connection.rollback()
    files = {path: path.read_bytes() for path in (slot.path / "crash").iterdir()}
    slot._closed = True
    slot.connection.close()
    slot._lock.release()
    for path, content in files.items():
        path.write_bytes(content)


def put(slot: Slot, value: str) -> None:
    slot.state.put("mood/tam", value)


def mood(slot: Slot) -> str | None:
    return slot.state.get("mood/tam", str)


def test_a_save_is_what_the_next_open_gives(tmp_path):
    with open_slot(tmp_path / "saves" / "slot1") as slot:
        assert slot.info is None
        assert not slot.recovered
        put(slot, "glad")
        info = slot.save({"place": "forge"})
        assert not slot.dirty
    with open_slot(tmp_path / "saves" / "slot1") as slot:
        assert mood(slot) == "glad"
        assert slot.info == info
        assert slot.info.note == {"place": "forge"}
        assert not slot.recoverable
    assert {p.name for p in (tmp_path / "saves" / "slot1").iterdir()} == {
        "world.aw",
        "crash",
        "lock",
    }
    assert list((tmp_path / "saves" / "slot1" / "crash").iterdir()) == []


def test_a_slot_changes_only_in_save(tmp_path):
    with open_slot(tmp_path) as slot:
        put(slot, "glad")
        slot.save()
        before = (tmp_path / "world.aw").read_bytes()
        put(slot, "sad")
        slot.flush()
        assert (tmp_path / "world.aw").read_bytes() == before
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"


def test_a_save_copies_as_one_file(tmp_path):
    with open_slot(tmp_path / "one") as slot:
        put(slot, "glad")
        slot.save()
        (tmp_path / "two").mkdir()
        shutil.copy(tmp_path / "one" / "world.aw", tmp_path / "two")
        with open_slot(tmp_path / "two") as other:
            assert mood(other) == "glad"


def test_an_older_save_rewinds_everything(tmp_path):
    with open_slot(tmp_path) as slot:
        put(slot, "glad")
        slot.save()
        shutil.copy(tmp_path / "world.aw", tmp_path / "kept.aw")
        put(slot, "sad")
        slot.state.put("mood/mira", "new")
        slot.save()
    shutil.copy(tmp_path / "kept.aw", tmp_path / "world.aw")
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"
        assert slot.state.get("mood/mira", str) is None


def test_unsaved_work_comes_back_only_on_request(tmp_path):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.save()
    put(slot, "sad")
    slot.flush()
    put(slot, "never flushed")
    crash(slot)
    assert Slot.look(tmp_path).recoverable
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"
        assert slot.recoverable
        assert len(slot.unclaimed) == 1
    with open_slot(tmp_path, recover=True) as slot:
        assert slot.recovered
        assert mood(slot) == "sad"
        assert not slot.recoverable
        slot.save()
    assert not Slot.look(tmp_path).recoverable
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "sad"


def test_a_world_that_was_never_saved_can_be_recovered(tmp_path):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.flush()
    crash(slot)
    with open_slot(tmp_path, recover=True) as slot:
        assert mood(slot) == "glad"


def test_unclaimed_work_stays_until_the_next_save(tmp_path):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.flush()
    crash(slot)
    slot = open_slot(tmp_path)
    (unclaimed,) = slot.unclaimed
    put(slot, "other")
    slot.flush()
    assert unclaimed.exists()
    crash(slot)
    slot = open_slot(tmp_path, recover=True)  # the newest of the two
    assert mood(slot) == "other"
    assert slot.unclaimed == (unclaimed,)
    slot.save()
    assert not unclaimed.exists()
    slot.close()


def test_a_session_without_work_does_not_hide_the_one_before(tmp_path):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.flush()
    crash(slot)
    crash(open_slot(tmp_path))
    (tmp_path / "crash" / "session-9.db.new").write_bytes(b"half made")
    (tmp_path / "crash" / "session-8.db-wal").write_bytes(b"orphan")
    with open_slot(tmp_path, recover=True) as slot:
        assert mood(slot) == "glad"
    assert not (tmp_path / "crash" / "session-8.db-wal").exists()


def test_closing_keeps_unsaved_work_unless_told_otherwise(tmp_path):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.close()
    slot.close()
    slot = open_slot(tmp_path, recover=True)
    assert mood(slot) == "glad"
    slot.close(discard=True)
    with open_slot(tmp_path, recover=True) as slot:
        assert mood(slot) is None
        assert not slot.recovered


def test_work_on_another_save_is_not_applied(tmp_path):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.save()
    shutil.copy(tmp_path / "world.aw", tmp_path / "old.aw")
    put(slot, "sad")
    slot.save()
    put(slot, "angry")
    slot.flush()
    crash(slot)
    shutil.copy(tmp_path / "world.aw", tmp_path / "new.aw")
    shutil.copy(tmp_path / "old.aw", tmp_path / "world.aw")
    with pytest.raises(CorruptDataError, match="another save") as caught:
        open_slot(tmp_path, recover=True)
    assert caught.value.reason == "another save"
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"
        assert not slot.recoverable
        assert len(slot.unclaimed) == 1
    shutil.copy(tmp_path / "new.aw", tmp_path / "world.aw")
    with open_slot(tmp_path, recover=True) as slot:
        assert mood(slot) == "angry"


@pytest.mark.parametrize("damage", [b"", b"no database" * 1000])
def test_damaged_unsaved_work_is_told_and_kept(tmp_path, damage):
    slot = open_slot(tmp_path)
    put(slot, "glad")
    slot.save()
    put(slot, "sad")
    slot.flush()
    crash(slot)
    (left,) = (tmp_path / "crash").glob("*.db")
    left.with_name(left.name + "-wal").unlink()
    left.write_bytes(damage)
    with pytest.raises(CorruptDataError, match="damaged"):
        open_slot(tmp_path, recover=True)
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"
        assert left.exists()


@pytest.fixture(params=["anew", "behind"])
def ready(request, tmp_path):
    """An open slot whose next save writes the file anew, or goes behind those that are there."""
    slot = open_slot(tmp_path)
    slot.state.put("ballast", os.urandom(500_000))
    for value in ("well", "glad") if request.param == "anew" else ("well", "fine", "glad"):
        put(slot, value)
        slot.save()
    slot._saves._backed_up = request.param == "behind"
    written = "replace_atomically" if request.param == "anew" else "sync_file"
    put(slot, "sad")
    return slot, written


def test_a_death_between_the_new_save_and_its_note_in_the_journal(tmp_path, monkeypatch, ready):
    slot, written = ready
    original = getattr(savewriting, written)

    class Killed(BaseException):
        pass

    files = {}

    def kill_after(*args, **kwargs):
        original(*args, **kwargs)
        files["world.aw"] = (tmp_path / "world.aw").read_bytes()
        raise Killed

    monkeypatch.setattr(savewriting, written, kill_after)
    with pytest.raises(Killed):
        slot.save()
    crash(slot)
    (tmp_path / "world.aw").write_bytes(files["world.aw"])  # nobody was there to tidy up
    assert not Slot.look(tmp_path).recoverable
    with open_slot(tmp_path, recover=True) as slot:
        assert mood(slot) == "sad"
        assert not slot.recovered


def test_a_save_that_appears_and_then_fails_keeps_later_work_recoverable(
    tmp_path, monkeypatch, ready
):
    slot, written = ready
    original = getattr(savewriting, written)

    def fail_after(*args, **kwargs):
        original(*args, **kwargs)
        raise OSError(errno.EIO, "cannot be synced")

    monkeypatch.setattr(savewriting, written, fail_after)
    with pytest.raises(StorageError):
        slot.save()
    monkeypatch.undo()
    put(slot, "angry")
    slot.flush()
    crash(slot)
    with open_slot(tmp_path, recover=True) as slot:
        assert mood(slot) == "angry"
        slot.save()
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "angry"


def test_a_save_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch, ready):
    slot, written = ready
    before = (tmp_path / "world.aw").read_bytes()

    def fail(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(savewriting, written, fail)
    with pytest.raises(StorageError, match="disk is full"):
        slot.save()
    assert (tmp_path / "world.aw").read_bytes() == before
    monkeypatch.undo()
    slot.save()
    assert len(slot.saves()) > 1
    slot.close()
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "sad"


def test_the_save_before_is_kept_and_can_be_put_back(tmp_path):
    with open_slot(tmp_path) as slot:
        put(slot, "glad")
        slot.save()
        put(slot, "sad")
        slot.save()
    (tmp_path / "world.aw").write_bytes(b"broken")
    with pytest.raises(CorruptDataError, match=r"world\.aw\.bak"):
        open_slot(tmp_path)
    shutil.copy(tmp_path / "world.aw.bak", tmp_path / "world.aw")
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"


def test_a_damaged_file_is_mended_to_the_latest_save_that_can_be_read(tmp_path):
    with open_slot(tmp_path) as slot:
        slot.state.put("ballast", os.urandom(500_000))
        for value in ("well", "fine", "glad", "sad", "angry"):
            put(slot, value)
            slot.save(name=value)
        ends = [(place.info.name, place.start) for place in slot.directory().places.values()]
        with pytest.raises(SlotInUseError):
            Slot.mend(tmp_path)
    whole = (tmp_path / "world.aw").read_bytes()
    damaged = bytearray(whole)
    damaged[dict(ends)["sad"] + 9] ^= 8
    for content, left in (
        (whole[:-1], ["well", "fine", "glad", "sad"]),
        (bytes(damaged), ["well", "fine", "glad"]),
        (whole, ["well", "fine", "glad", "sad", "angry"]),
    ):
        (tmp_path / "world.aw").write_bytes(content)
        if content != whole:
            with pytest.raises(CorruptDataError, match=r"Slot\.mend.*world\.aw\.bak"):
                open_slot(tmp_path)
        assert Slot.mend(tmp_path).name == left[-1]
        assert (tmp_path / "world.aw.damaged").read_bytes() == content
        with open_slot(tmp_path) as slot:
            assert mood(slot) == left[-1]
            assert [info.name for info in slot.saves()] == left
            for name in left:
                slot.load(name)
                assert mood(slot) == name
    (tmp_path / "world.aw").write_bytes(whole[:200_000])
    with pytest.raises(CorruptDataError, match="cannot be read"):
        Slot.mend(tmp_path)
    assert (tmp_path / "world.aw").read_bytes() == whole[:200_000]


# Bad input


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    with open_slot(folder) as slot:
        put(slot, "glad")
        slot.save({"place": "forge"})
    return (folder / "world.aw").read_bytes()


@pytest.mark.parametrize("length", [0, 1, 7, 8, 11, 12, 40, 56, 87, 88, 100, 130, 5000, -4096, -1])
def test_a_truncated_save_is_corrupt(tmp_path, saved, length):
    (tmp_path / "world.aw").write_bytes(saved[:length])
    with pytest.raises(CorruptDataError, match=r"world\.aw"):
        open_slot(tmp_path)


def test_a_save_that_was_never_finished_is_passed_over(tmp_path, saved):
    (tmp_path / "world.aw").write_bytes(saved + bytes(100))
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"
        put(slot, "sad")
        slot.save()
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "sad"
        assert len(slot.saves()) == 2


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "world.aw"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_corrupt_or_does_no_harm(saved, scratch, data):
    bit = data.draw(
        st.one_of(st.integers(0, 8 * 160 - 1), st.integers(0, 8 * len(saved) - 1)), label="bit"
    )
    damaged = bytearray(saved)
    damaged[bit // 8] ^= 1 << (bit % 8)
    scratch.write_bytes(damaged)
    if 12 <= bit // 8 < 40:  # how much of the file was known to be there
        damaged_image = save_format.read_save(scratch)[1]
        scratch.write_bytes(saved)
        assert damaged_image == save_format.read_save(scratch)[1]
        return
    with pytest.raises(CorruptDataError, match=r"format|cannot be read"):
        save_format.read_save(scratch)


@settings(max_examples=100, deadline=None)
@given(junk=st.binary(max_size=300))
def test_junk_is_no_save(scratch, junk):
    scratch.write_bytes(junk)
    with pytest.raises(CorruptDataError):
        save_format.read_save(scratch)
    scratch.write_bytes(b"\x89AWSAVE\n" + junk)
    with pytest.raises(CorruptDataError):
        save_format.read_save(scratch)


def test_a_newer_save_says_so(tmp_path, saved):
    newer = saved[:8] + struct.pack("<I", 99) + saved[12:]
    (tmp_path / "world.aw").write_bytes(newer)
    with pytest.raises(FormatVersionError, match="update the game") as caught:
        open_slot(tmp_path)
    assert (caught.value.found, caught.value.supported) == (99, 3)


def test_a_newer_schema_says_so(tmp_path):
    with open_slot(tmp_path) as slot:
        slot.connection.execute("PRAGMA user_version = 999")
        slot.save()
    with pytest.raises(FormatVersionError, match="schema 999"):
        open_slot(tmp_path)


def test_two_worlds_on_one_slot(tmp_path):
    with open_slot(tmp_path):
        with pytest.raises(SlotInUseError, match=str(os.getpid())):
            open_slot(tmp_path)
        code = f"""
            from astraweave.core.clock import ManualClock
            from astraweave.errors import SlotInUseError
            from astraweave.world import Slot, SlotSummary, _sessions
            try:
                Slot.open({str(tmp_path)!r}, clock=ManualClock())
            except SlotInUseError:
                print("in use")
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "in use\n"
    with open_slot(tmp_path):
        pass


def test_a_path_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file"):
        open_slot(tmp_path / "file")
    with pytest.raises(StorageError, match="file"):
        open_slot(tmp_path / "file" / "slot")


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs POSIX rights")
def test_a_folder_without_rights(tmp_path):
    folder = tmp_path / "slot"
    folder.mkdir()
    folder.chmod(0o555)
    code = f"""
        import os
        from astraweave.core.clock import ManualClock
        from astraweave.errors import StorageError
        from astraweave.world import Slot, SlotSummary, _sessions
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            Slot.open({str(folder)!r}, clock=ManualClock())
        except StorageError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "rights" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file limits")
def test_a_full_disk_keeps_the_old_save_and_loses_nothing(tmp_path):
    code = f"""
        import os, resource, signal
        from pathlib import Path
        from astraweave.core.clock import ManualClock
        from astraweave.errors import StorageError
        from astraweave.world import Slot, SlotSummary, _sessions
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        folder = Path({str(tmp_path)!r})
        slot = Slot.open(folder, clock=ManualClock())
        slot.state.put("small", "first")
        slot.save()
        old = (folder / "world.aw").read_bytes()
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for limit in (len(old) + 20_000, 300_000, 1_100_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            slot.state.put(f"large/{{limit}}", os.urandom(500_000))
            slot.journal.record("event", {{"limit": limit}})
            for act in (slot.save, slot.flush if limit < 500_000 else slot.save):
                try:
                    act()
                except StorageError as error:
                    print("refused", limit)
                else:
                    print("worked", limit)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            assert (folder / "world.aw").read_bytes() == old
            assert not list(folder.glob("*.new"))
        slot.state.put("small", "last")
        slot.save()
        slot.close()
        slot = Slot.open(folder, clock=ManualClock())
        assert slot.state.get("small", str) == "last"
        assert [len(v) for _, v in slot.state.items("large/", bytes)] == [500_000] * 3
        slot.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "worked" not in done.stdout


def test_wrong_thread_and_after_close(tmp_path):
    slot = open_slot(tmp_path)
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            slot.save()
        except UsageError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(caught) == 1
    slot.close()
    with pytest.raises(UsageError, match="closed"):
        slot.flush()


@pytest.mark.parametrize("note", [{"x": object()}, {"x": "y" * (1 << 20)}])
def test_a_note_that_cannot_be_written_changes_nothing(tmp_path, note):
    with open_slot(tmp_path) as slot:
        put(slot, "glad")
        with pytest.raises(InputError, match="note"):
            slot.save(note)
        assert not (tmp_path / "world.aw").exists()
        slot.save()
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"


def test_a_menu_may_look_at_an_open_slot(tmp_path):
    assert Slot.look(tmp_path) == SlotSummary(save=None, recoverable=False, in_use=False)
    with open_slot(tmp_path) as slot:
        info = slot.save({"place": "forge"})
        assert Slot.look(tmp_path) == SlotSummary(save=info, recoverable=False, in_use=True)
    assert Slot.look(tmp_path) == SlotSummary(save=info, recoverable=False, in_use=False)


def test_an_old_sqlite_makes_the_same_image(tmp_path, monkeypatch):
    with open_slot(tmp_path) as slot:
        put(slot, "glad")
        slot.commit()
        image = _sessions.image_of(slot.connection, slot._session)
        assert _sessions.image_from_file(slot.connection, slot._session) == image
        monkeypatch.setattr(_sessions, "image_of", _sessions.image_from_file)
        slot.save()
    with open_slot(tmp_path) as slot:
        assert mood(slot) == "glad"


# State and journal


def test_state_by_prefix_sees_what_is_not_committed_yet(tmp_path):
    with open_slot(tmp_path) as slot:
        slot.state.put("a/1", [1])
        slot.commit()
        slot.state.put("a/2", [2])
        slot.state.put("b/1", [3])
        assert list(slot.state.items("a/", list)) == [("a/1", [1]), ("a/2", [2])]
        slot.state.delete("a/1")
        assert slot.state.get("a/1", list) is None
        assert slot.state.get("a/1", list, [9]) == [9]
        slot.save()
    with open_slot(tmp_path) as slot:
        assert list(slot.state.items("", list)) == [("a/2", [2]), ("b/1", [3])]
        with pytest.raises(CorruptDataError, match="a/2"):
            slot.state.get("a/2", str)
        with pytest.raises(InputError, match="bad"):
            slot.state.put("bad", object())


def test_state_that_did_not_change_is_not_work(tmp_path):
    with open_slot(tmp_path) as slot:
        put(slot, "glad")
        slot.save()
        put(slot, "glad")
        slot.flush()
        assert not slot.dirty


def test_a_save_carries_the_journal_that_led_to_it(tmp_path):
    clock = ManualClock(5.0)
    slot = Slot.open(tmp_path, clock=clock)
    threads = [
        threading.Thread(target=slot.journal.record, args=("heard", {"n": n})) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event.payload["n"] for event in slot.journal.events()) == list(range(8))
    assert {event.game_time for event in slot.journal.events()} == {5.0}
    slot.save()
    assert list(slot.journal.events()) == []
    slot.journal.record("said", {"text": "aye"})
    slot.flush()
    crash(slot)
    with open_slot(tmp_path, recover=True) as slot:
        assert [event.kind for event in slot.journal.events()] == ["said"]
    with open_slot(tmp_path) as slot:
        assert list(slot.journal.events()) == []
