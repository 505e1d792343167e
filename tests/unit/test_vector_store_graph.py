"""Stores that walk a graph, and stores that become one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from astraweave.embeddings import VectorStore, _growing
from astraweave.errors import CorruptDataError, InputError

DIMENSIONS = 16


def drawn(n: int, seed: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(99).standard_normal((n // 40 + 1, DIMENSIONS))
    points = topics[rng.integers(len(topics), size=n)] + 0.7 * rng.standard_normal((n, DIMENSIONS))
    return points.astype(np.float32)


def recall(store: VectorStore, exact: VectorStore, n: int = 50, **options: int) -> float:
    queries = drawn(n, seed=2)
    found = store.search_many(queries, 10, **options)[0]
    truth = exact.search_many(queries, 10, any_tags=options.get("any_tags"))[0]
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)]))


@pytest.fixture(scope="module")
def pair() -> tuple[VectorStore, VectorStore]:
    """A graph and the same exactly; tag bits: half, a tenth, a hundredth, a thousandth."""
    rows = drawn(8000)
    draws = np.random.default_rng(3).random(len(rows))
    tags = np.zeros(len(rows), np.uint64)
    for bit, share in enumerate((0.5, 0.1, 0.01, 0.003)):
        tags |= np.where(draws < share, np.uint64(1 << bit), np.uint64(0))
    stores = VectorStore(DIMENSIONS, kind="hnsw"), VectorStore(DIMENSIONS)
    for store in stores:
        store.insert_many(np.arange(len(rows)), rows, tags=tags)
    return stores


def test_recall(pair: tuple[VectorStore, VectorStore]) -> None:
    assert recall(*pair) >= 0.99
    assert recall(*pair, ef=10) > 0.7
    assert recall(*pair, ef=10) < recall(*pair, ef=200)


@pytest.mark.parametrize("bit", range(4))
def test_recall_within_tags(pair: tuple[VectorStore, VectorStore], bit: int) -> None:
    assert recall(*pair, any_tags=1 << bit) >= 0.99
    assert recall(*pair, any_tags=1 << bit, ef=16) >= 0.85  # more of it walks


@pytest.mark.parametrize("share", [2, 10, 100, 1000])
def test_recall_within_ids(pair: tuple[VectorStore, VectorStore], share: int) -> None:
    graph, exact = pair
    only = np.arange(0, 8000, share)
    for query in drawn(20, seed=4):
        found = {hit.id for hit in graph.search(query, 5, where=only, ef=20)}
        truth = {hit.id for hit in exact.search(query, 5, where=only)}
        assert len(found & truth) >= 4


def test_a_scope_far_from_the_query() -> None:
    """All that may be found lies where the walk does not go."""
    rows = drawn(4000)
    rows[:, 0] = np.where(np.arange(4000) % 3 == 0, 30.0, -30.0)
    stores = VectorStore(DIMENSIONS, kind="hnsw", metric="l2"), VectorStore(DIMENSIONS, "l2")
    for store in stores:
        store.insert_many(np.arange(4000), rows, tags=(np.arange(4000) % 3 == 0).astype(np.uint64))
    query = rows[1]
    found, truth = (store.search(query, 10, any_tags=1, ef=8) for store in stores)
    assert [hit.id for hit in found] == [hit.id for hit in truth]


def test_effort_is_checked() -> None:
    store = VectorStore(2, kind="hnsw")
    store.insert(1, [1, 0])
    for effort in (0, -1, 2**17, "many"):
        with pytest.raises(InputError, match="ef"):
            store.search([1, 0], 1, ef=effort)  # type: ignore[arg-type]
    assert VectorStore(2).search([1, 0], 1, ef=3) == []


def test_files_say_what_they_are(tmp_path) -> None:
    for kind in ("flat", "hnsw", "auto"):
        store = VectorStore(DIMENSIONS, kind=kind)
        store.insert_many(range(50), drawn(50))
        store.save(tmp_path / kind)
        back = VectorStore.load(tmp_path / kind)
        back.verify()
        assert back.to_bytes() == store.to_bytes()
        assert back.search(drawn(1)[0], 3) == store.search(drawn(1)[0], 3)
        assert VectorStore.from_bytes(store.to_bytes(), kind="auto").to_bytes() == store.to_bytes()
    with pytest.raises(InputError, match="kind"):
        VectorStore.load(tmp_path / "hnsw", kind="graph")


def test_damage_is_found_by_verify(tmp_path) -> None:
    store = VectorStore(DIMENSIONS, kind="hnsw")
    store.insert_many(range(300), drawn(300))
    data = store.to_bytes()
    path = tmp_path / "damaged"
    for at in range(4100, len(data) - 64, len(data) // 40):
        path.write_bytes(data[:at] + bytes(b ^ 0x5A for b in data[at : at + 64]) + data[at + 64 :])
        loaded = VectorStore.load(path)
        with pytest.raises(CorruptDataError):
            loaded.verify()
        loaded.search(drawn(1)[0], 5)
        loaded.delete(3)
        with pytest.raises(CorruptDataError):
            VectorStore.from_bytes(path.read_bytes())
    for length in (0, 7, 100, 4096, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptDataError):
            VectorStore.load(path)


def test_all_replaced_five_times() -> None:
    rows, n = drawn(3000), 1500
    store = VectorStore(DIMENSIONS, kind="hnsw")
    store.insert_many(np.arange(n), rows[:n])
    for turn in range(5):
        before, after = (turn % 2) * n, ((turn + 1) % 2) * n
        for i in range(n):
            assert store.delete(before + i)
            store.insert(after + i, rows[after + i])
    fresh, exact = VectorStore(DIMENSIONS, kind="hnsw"), VectorStore(DIMENSIONS)
    for other in (fresh, exact):
        other.insert_many(np.arange(n, 2 * n), rows[n:])
    assert store.ids().tolist() == exact.ids().tolist()
    assert recall(store, exact, 200, ef=20) >= recall(fresh, exact, 200, ef=20) - 0.005
    assert store._index.nbytes < 1.15 * fresh._index.nbytes  # slots were taken anew


class TestGrowing:
    """kind="auto"."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_growing, "CROSSOVER", 200)

    def test_becomes_a_graph_a_few_rows_at_a_time(self) -> None:
        store, exact = VectorStore(DIMENSIONS, kind="auto"), VectorStore(DIMENSIONS)
        rows = drawn(400)
        changed_at = []
        for i in range(400):
            for each in (store, exact):
                each.insert(i, rows[i], tags=i % 3)
                if i % 5 == 4:
                    each.delete(i - 2)
                if i % 7 == 6:
                    each.update(i, rows[i - 3], tags=7)
                if i % 20 == 19:
                    each.set_tags(i, 9)
                if i % 10 == 9 and i > 220:  # one that waits to be moved comes anew
                    each.delete(i - 9)
                    each.insert(i - 9, rows[i])
            if store._index.is_graph and not changed_at:
                changed_at.append(len(store))
            assert len(store) == len(exact)
            if not store._index.is_graph:  # exact as long as it is not one, moving or not
                assert store.search(rows[0], 5, any_tags=1) == exact.search(rows[0], 5, any_tags=1)
        assert changed_at
        assert 200 < changed_at[0] < 290
        assert store.ids().tolist() == exact.ids().tolist()
        assert all(store.tags(i) == exact.tags(i) for i in range(400))
        for i in exact.ids().tolist():
            np.testing.assert_allclose(store.get(i), exact.get(i), rtol=1e-6)
        assert recall(store, exact) >= 0.99
        store.verify()
        assert VectorStore.from_bytes(store.to_bytes()).ids().tolist() == exact.ids().tolist()

    def test_stays_flat_below(self, tmp_path) -> None:
        store = VectorStore(DIMENSIONS, kind="auto")
        store.insert_many(range(199), drawn(199))
        assert not store._index.is_graph
        store.save(tmp_path / "store")
        again = VectorStore.load(tmp_path / "store", kind="auto")
        again.insert_many(range(199, 420), drawn(221))
        assert again._index.is_graph
        assert len(again) == 420
        assert again.scores(drawn(1)[0], [5]).shape == (1,)

    @pytest.mark.parametrize("storage", ["float16", "int8"])
    def test_keeps_its_storage(self, storage) -> None:
        store = VectorStore(DIMENSIONS, kind="auto", storage=storage)
        rows = drawn(300)
        store.insert_many(range(300), rows)
        assert store._index.is_graph
        assert store.storage == storage
        flat = VectorStore(DIMENSIONS, storage=storage)
        flat.insert_many(range(300), rows)
        for i in range(0, 300, 17):
            # Moving scales a rounded vector to length 1 again.
            np.testing.assert_allclose(store.get(i), flat.get(i), atol=1e-3)


class TestSeeds:
    """The same seed, rows and calls give the same graph."""

    @staticmethod
    def built(kind: str, **options: int) -> bytes:
        threads = options.pop("threads", 1)
        store = VectorStore(DIMENSIONS, kind=kind, **options)
        store.insert_many(range(600), drawn(600), threads=threads)
        return store.to_bytes()

    @pytest.mark.parametrize("kind", ["hnsw", "auto"])
    def test_threads_change_nothing_and_seeds_do(self, kind, monkeypatch) -> None:
        monkeypatch.setattr(_growing, "CROSSOVER", 200)
        assert self.built(kind, seed=3) == self.built(kind, seed=3, threads=3)
        assert self.built(kind, seed=3) != self.built(kind, seed=4)

    @pytest.mark.parametrize("seed", [-1, 2**64, "7", 1.5])
    def test_what_is_no_seed_is_refused(self, seed) -> None:
        with pytest.raises(InputError, match="seed"):
            VectorStore(DIMENSIONS, kind="hnsw", seed=seed)

    @pytest.mark.parametrize("kind", ["flat", "hnsw", "auto"])
    def test_what_is_no_number_of_threads_is_refused(self, kind) -> None:
        store = VectorStore(DIMENSIONS, kind=kind)
        with pytest.raises(InputError, match="threads"):
            store.insert_many([1], drawn(1), threads=0)
        assert len(store) == 0
