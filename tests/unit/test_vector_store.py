"""The vector store: bad input, ties, files, and many threads at once."""

from __future__ import annotations

import itertools
import signal
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from astraweave import _native
from astraweave.embeddings import Hit, VectorStore
from astraweave.errors import (
    CorruptDataError,
    FormatVersionError,
    InputError,
    StorageError,
)


def filled(metric: str = "cosine", n: int = 20) -> VectorStore:
    store = VectorStore(4, metric)
    rows = np.random.default_rng(1).normal(size=(n, 4)).astype(np.float32)
    store.insert_many(range(n), rows)
    return store


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1, 2, 3], r"4 numbers is needed, got shape \(3,\)"),
        ([[1, 2, 3, 4]], r"got shape \(1, 4\)"),
        ([1, np.nan, 3, 4], "NaN at position 1"),
        ([1, 2, np.inf, 4], "infinity at position 2"),
        ([1, 2, 3, 1e300], "infinity at position 3"),
        ([0, 0, 0, 0], "all zeros"),
        (["a", "b", "c", "d"], "real numbers"),
        ([1j, 0, 0, 0], "real numbers"),
        ([[1], [2, 3]], "no vectors"),
        (None, "real numbers"),
    ],
)
def test_what_is_no_vector_is_named(vector: object, message: str) -> None:
    store = filled()
    before = store.to_bytes()
    for call in (
        lambda: store.insert(99, vector),
        lambda: store.update(3, vector),
        lambda: store.search(vector, 3),
    ):
        with pytest.raises(InputError, match=message):
            call()
    assert store.to_bytes() == before


def test_vectors_whose_products_overflow_are_refused() -> None:
    for metric in ("dot", "l2"):
        with pytest.raises(InputError, match="too long"):
            VectorStore(2, metric).insert(1, [1e19, 1e19])
    store = VectorStore(2)
    store.insert(1, [1e38, 1e38])  # cosine takes any length
    store.insert(2, [1e-44, 0])
    np.testing.assert_allclose(store.get(1), [0.5**0.5] * 2, rtol=1e-6)
    np.testing.assert_allclose(store.get(2), [1, 0])


def test_ids_are_checked() -> None:
    store = filled()
    row = [1.0, 0, 0, 0]
    with pytest.raises(InputError, match="id 3 is there already"):
        store.insert(3, row)
    with pytest.raises(InputError, match="id 99 is not in the index"):
        store.update(99, row)
    with pytest.raises(InputError, match="does not fit in 64 bits"):
        store.insert(2**63, row)
    with pytest.raises(InputError, match="does not fit in 64 bits"):
        store.insert_many(np.array([2**63], np.uint64), [row])
    with pytest.raises(InputError, match="whole number"):
        store.insert("tam", row)
    assert store.delete(99) is False
    assert store.get(99) is None
    assert 2**70 not in store
    assert "tam" not in store
    for extreme in (-(2**63), 2**63 - 1):
        store.insert(extreme, row)
        assert extreme in store
        assert store.search(row, 1, where=[extreme])[0].id == extreme


def test_a_batch_goes_in_whole_or_not_at_all() -> None:
    store = filled()
    before = store.to_bytes()
    good = [1.0, 0, 0, 0]
    for ids, rows in (
        ([50, 50], [good, good]),
        ([50, 3], [good, good]),
        ([50, 51], [good, [0, 0, 0, np.nan]]),
        ([50, 51], [good]),
        ([50], [good[:3]]),
    ):
        with pytest.raises(InputError):
            store.insert_many(ids, rows)
        assert store.to_bytes() == before
    store.insert_many([], np.zeros((0, 4)))
    assert store.to_bytes() == before


@pytest.mark.parametrize("arguments", [(0,), (4, "euclid"), (4, "cosine", "tree"), (70_000,)])
def test_a_store_of_a_wrong_kind_is_refused(arguments: tuple) -> None:
    with pytest.raises(InputError):
        VectorStore(*arguments)


def test_k_and_where() -> None:
    store = filled()
    query = [1.0, 2, 3, 4]
    with pytest.raises(InputError, match="at least 1"):
        store.search(query, 0)
    assert len(store.search(query, 1000)) == 20
    assert len(store.search(query, 2**70)) == 20
    assert store.search(query, 5, where=[]) == []
    assert VectorStore(4, kind="auto").search(query, 5) == []
    every = store.search(query, 20)
    odd = [hit for hit in every if hit.id % 2]
    assert store.search(query, 20, where={1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 999}) == odd
    assert store.search(query, 3, where=[hit.id for hit in odd] * 2) == odd[:3]


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_equal_scores_go_by_lower_id_whatever_the_order_of_insertion(metric: str) -> None:
    row = np.random.default_rng(3).normal(size=37)
    ids = np.random.default_rng(4).permutation(600)
    store = VectorStore(37, metric)
    store.insert_many(ids, np.tile(row, (600, 1)))
    for gone in range(0, 600, 7):
        store.delete(gone)
    assert [hit.id for hit in store.search(row, 10)] == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    hits = store.search(row, 3, where=range(100, 110))
    assert [hit.id for hit in hits] == [100, 101, 102]


def test_scores_mean_what_they_say() -> None:
    rows = [[3.0, 4.0], [0.0, 2.0]]
    for metric, expected in (
        ("cosine", [Hit(1, 1.0), Hit(0, pytest.approx(0.8))]),
        ("dot", [Hit(0, 4.0), Hit(1, 2.0)]),
        ("l2", [Hit(1, 1.0), Hit(0, pytest.approx(18**0.5))]),
    ):
        store = VectorStore(2, metric)
        store.insert_many([0, 1], rows)
        assert store.search([0.0, 1.0], 2) == expected


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_a_saved_store_comes_back_and_a_save_replaces_the_old_file(
    tmp_path: Path, metric: str
) -> None:
    path = tmp_path / "Grüße 猫.awv"
    store = filled(metric)
    store.save(path)
    store.delete(4)
    store.save(path)
    back = VectorStore.load(path)
    assert (back.metric, back.dimensions, len(back)) == (metric, 4, 19)
    query = [1.0, -1, 0.5, 2]
    assert back.search(query, 19) == store.search(query, 19)
    assert back.to_bytes() == store.to_bytes() == path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # no temporary file is left


def test_bytes_do_not_depend_on_the_order_of_insertion() -> None:
    rows = np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32)
    one, other = VectorStore(4), VectorStore(4)
    one.insert_many(range(9), rows)
    other.insert_many(range(8, -1, -1), rows[::-1])
    other.delete(3)
    other.insert(3, rows[3])
    assert one.to_bytes() == other.to_bytes()


def test_every_truncation_and_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    data = filled(n=3).to_bytes()
    for length in range(len(data)):
        with pytest.raises(CorruptDataError):
            VectorStore.from_bytes(data[:length])
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(CorruptDataError) as caught:
                VectorStore.from_bytes(bytes(damaged))
            assert not isinstance(caught.value, FormatVersionError)
    with pytest.raises(CorruptDataError):
        VectorStore.from_bytes(data + b"\0")
    path = tmp_path / "damaged.awv"
    path.write_bytes(data[:-1])
    with pytest.raises(CorruptDataError, match=r"damaged\.awv"):
        VectorStore.load(path)


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit; the check value of its standard is 0xe3069283 for b"123456789"."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sealed(body: bytes) -> bytes:
    head = body[:12] + struct.pack("<I", crc32c(body[:12]))
    whole = head + body[16:]
    return whole + struct.pack("<I", crc32c(whole))


def test_the_checksum_is_the_standard_one_and_a_newer_version_is_told() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    data = filled(n=2).to_bytes()
    assert sealed(data[:-4]) == data
    newer = data[:8] + struct.pack("<I", 3) + data[12:-4]
    with pytest.raises(FormatVersionError, match="update astraweave"):
        VectorStore.from_bytes(sealed(newer))


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (16, struct.pack("<I", 9)),
        (20, struct.pack("<I", 0)),
        (24, struct.pack("<Q", 2**62)),
        (32, struct.pack("<I", 3)),
        (36, struct.pack("<I", 1)),
        (40, struct.pack("<Q", 77)),
        (72, struct.pack("<f", float("nan"))),
        (72, struct.pack("<f", 3.0)),
    ],
)
def test_a_file_with_a_right_checksum_and_wrong_content_is_refused(
    offset: int, value: bytes
) -> None:
    body = bytearray(filled(n=2).to_bytes()[:-4])
    body[offset : offset + len(value)] = value
    with pytest.raises(CorruptDataError):
        VectorStore.from_bytes(sealed(bytes(body)))


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_a_file_of_the_first_version_is_read(metric: str) -> None:
    store = filled(metric, n=3)
    now = store.to_bytes()
    ids, rows = now[40:64], now[40 + 48 : -4]
    old = now[:8] + struct.pack("<I", 1) + b"----" + now[16:32] + ids + rows
    assert VectorStore.from_bytes(sealed(old)).to_bytes() == now


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, struct.pack("<f", -1.0)), (0, struct.pack("<f", float("inf"))), (4, b"\0")],
)
def test_codes_that_no_store_writes_are_refused(at: int, value: bytes) -> None:
    store = VectorStore(4, "dot", storage="int8")
    store.insert(1, [1.0, 2, 3, 4])
    body = bytearray(store.to_bytes()[:-4])
    body[56 + at : 56 + at + len(value)] = value
    with pytest.raises(CorruptDataError):
        VectorStore.from_bytes(sealed(bytes(body)))


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_what_a_storage_keeps_is_what_it_gives_back(metric: str, storage: str) -> None:
    rows = np.random.default_rng(6).normal(size=(200, 50)).astype(np.float32)
    store = VectorStore(50, metric, storage=storage)
    store.insert_many(range(200), rows)
    assert store.storage == storage
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    step = {"float32": 1e-6, "float16": 1e-3, "int8": 1 / 250}[storage]
    kept = np.stack([store.get(one) for one in range(200)])
    assert (np.abs(kept - rows) <= step * np.abs(rows).max(axis=1, keepdims=True)).all()
    hits = store.search(kept[7], 1)
    assert hits[0].id == 7 or metric == "dot"
    back = VectorStore.from_bytes(store.to_bytes())
    assert back.storage == storage
    assert back.search(rows[3], 9) == store.search(rows[3], 9)
    if metric != "cosine":  # there it is scaled again
        store.update(7, kept[7])
        np.testing.assert_allclose(store.get(7), kept[7], rtol=1e-6)


def test_float16_names_a_number_that_it_does_not_hold() -> None:
    store = VectorStore(2, "dot", storage="float16")
    with pytest.raises(InputError, match=r"position 1 .* float16"):
        store.insert(1, [1.0, 70_000.0])
    assert len(store) == 0
    store.insert(1, [1.0, 65_504.0])
    assert store.search([70_000.0, 0.0], 1)[0].score == 70_000
    with pytest.raises(InputError, match="storage 'float8'"):
        VectorStore(2, storage="float8")


def test_tags_choose_what_a_search_finds() -> None:
    store = VectorStore(4, "dot")
    rows = np.eye(4, dtype=np.float32) * [[4], [3], [2], [1]]
    store.insert_many([1, 2, 3], rows[:3], tags=[0b01, 0b10, 0b11])
    store.insert(4, rows[3], tags=2**64 - 1)
    query = [1.0, 1, 1, 1]

    def found(**scope: object) -> list[int]:
        return [hit.id for hit in store.search(query, 9, **scope)]

    assert found() == [1, 2, 3, 4]
    assert found(any_tags=0b01) == [1, 3, 4]
    assert found(any_tags=0b10, where={1, 2}) == [2]
    assert found(any_tags=1 << 63) == [4]
    assert found(any_tags=0) == []
    store.update(1, rows[0])
    assert store.tags(1) == 0b01
    store.update(1, rows[0], tags=0b10)
    store.set_tags(2, 0)
    assert found(any_tags=0b10) == [1, 3, 4]
    assert (store.tags(2), store.tags(9)) == (0, None)
    store.delete(1)
    assert VectorStore.from_bytes(store.to_bytes()).tags(4) == 2**64 - 1


def test_tags_are_checked() -> None:
    store = filled()
    row = [1.0, 0, 0, 0]
    for wrong in (-1, 2**64):
        for call in (
            lambda wrong=wrong: store.insert(99, row, tags=wrong),
            lambda wrong=wrong: store.insert_many([99], [row], tags=[wrong]),
            lambda wrong=wrong: store.insert_many([99], [row], tags=np.array([wrong], object)),
            lambda wrong=wrong: store.update(3, row, tags=wrong),
            lambda wrong=wrong: store.set_tags(3, wrong),
            lambda wrong=wrong: store.search(row, any_tags=wrong),
        ):
            with pytest.raises(InputError, match="64 bits"):
                call()
    with pytest.raises(InputError, match="1 ids and 2 tags"):
        store.insert_many([99], [row], tags=[1, 2])
    with pytest.raises(InputError, match="1 ids and 0 tags"):
        store.insert_many([99], [row], tags=[])
    with pytest.raises(InputError, match="id 99 is not in the index"):
        store.set_tags(99, 1)
    assert 99 not in store


def test_a_batch_of_queries_finds_what_each_finds() -> None:
    store = filled(n=300)
    queries = np.random.default_rng(9).normal(size=(70, 4)).astype(np.float32)
    for threads in (1, 2, 7):
        for scope in ({}, {"where": range(40, 200)}, {"any_tags": 1}):
            ids, scores = store.search_many(queries, 5, threads=threads, **scope)
            assert ids.dtype == np.int64
            assert scores.dtype == np.float32
            for query, row, score in zip(queries, ids, scores, strict=True):
                expected_ids, expected_scores = store.search_arrays(query, 5, **scope)
                np.testing.assert_array_equal(row, expected_ids)
                np.testing.assert_array_equal(score, expected_scores)
    assert store.search_many(queries, 500)[0].shape == (70, 300)
    assert store.search_many(np.zeros((0, 4)), 5)[0].shape[0] == 0
    assert store.search_many([], 5)[0].shape[0] == 0
    with pytest.raises(InputError, match=r"query 1 has NaN"):
        store.search_many([[1, 2, 3, 4], [1, 2, 3, np.nan]])
    with pytest.raises(InputError, match=r"4 numbers each are needed, got shape \(1, 3\)"):
        store.search_many([[1, 2, 3]])
    with pytest.raises(InputError, match="1 to 256 threads"):
        store.search_many(queries, threads=0)


def test_hits_are_what_the_arrays_hold() -> None:
    store = VectorStore(4, "dot")
    vectors = np.random.default_rng(3).standard_normal((30, 4)).astype(np.float32)
    store.insert_many([one - 2**63 for one in range(30)], vectors)
    for query in (vectors[0], vectors[0].astype(np.float64), vectors[:4, 0], vectors[0].tolist()):
        hits = store.search(query, 7)
        ids, scores = store.search_arrays(query, 7)
        assert hits == [Hit(*pair) for pair in zip(ids.tolist(), scores.tolist(), strict=True)]
        assert all(type(hit) is Hit and type(hit.score) is float for hit in hits)
    with pytest.raises(InputError, match="NaN"):
        store.search(np.full(4, np.nan, np.float32))


def test_nearest_takes_what_it_says() -> None:
    index = _native.FlatIndex(4, "dot")
    index.insert([1], np.ones((1, 4), np.float32))
    query = np.ones(4, np.float32)
    assert index.nearest(query, 3, Hit) == index.nearest([1, 1, 1, 1], 3, Hit) == [Hit(1, 4.0)]
    for wrong in ((query, 3), ("abcd", 3, Hit), (query, 3, list), (query, 3, 7)):
        with pytest.raises(InputError, match="nearest takes"):
            index.nearest(*wrong)
    with pytest.raises(InputError, match="shape"):
        index.nearest(query[:3], 3, Hit)
    with pytest.raises(InputError, match="at least 1"):
        index.nearest(query, 0, Hit)
    with pytest.raises(OverflowError):
        index.nearest(query, -1, Hit)
    with pytest.raises(TypeError):
        index.nearest(query, "k", Hit)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_scores_of_given_ids_are_those_of_a_search(metric: str) -> None:
    store = filled(metric)
    query = np.array([1.0, -2, 0.5, 3])
    hits = store.search(query, 20)
    scores = store.scores(query, [hit.id for hit in hits] + [77, hits[0].id])
    assert scores.dtype == np.float32
    assert scores[:20].tolist() == [hit.score for hit in hits]
    assert np.isnan(scores[20])
    assert scores[21] == hits[0].score
    assert store.scores(query, []).shape == (0,)
    with pytest.raises(InputError, match="NaN"):
        store.scores([np.nan, 0, 0, 1], [1])


def test_what_the_system_refuses_names_the_path_and_keeps_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.awv"):
        VectorStore.load(tmp_path / "nowhere.awv")
    with pytest.raises(StorageError, match="missing"):
        filled().save(tmp_path / "missing" / "x.awv")
    folder = tmp_path / "folder.awv"
    folder.mkdir()
    with pytest.raises(StorageError):
        filled().save(folder)
    with pytest.raises(StorageError):
        VectorStore.load(folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.awv"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    store = filled(n=2000)
    path = tmp_path / "store.awv"
    filled(n=2).save(path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            store.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.awv"]


def test_many_readers_beside_a_writer_see_whole_vectors() -> None:
    n, dimensions = 400, 33
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(n, dimensions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    store = VectorStore(dimensions)
    store.insert_many(range(n), rows)
    stop = threading.Event()
    failures: list[BaseException] = []

    def read(seed: int) -> None:
        local = np.random.default_rng(seed)
        try:
            while not stop.is_set():
                # Ids below 100 stay: each has to be found, first, with its own whole vector.
                wanted = int(local.integers(0, 100))
                assert store.search(rows[wanted], 1)[0].id == wanted
                hits = store.search(rows[wanted], 20)
                assert all(a.score >= b.score for a, b in itertools.pairwise(hits))
                np.testing.assert_allclose(store.get(wanted), rows[wanted], atol=1e-6)
                if seed == 0:
                    VectorStore.from_bytes(store.to_bytes())
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for reader in readers:
        reader.start()
    for turn in range(600):
        moving = 100 + turn % 300
        assert store.delete(moving)
        store.insert(moving, rows[moving])
        store.update(moving, rows[moving])
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]
    assert len(store) == n
