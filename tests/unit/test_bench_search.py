"""Vectors from a file, recall against rate over them, and the picture of it."""

from __future__ import annotations

import numpy as np
import pytest

from astraweave.bench.curve import EXACT, Curve, Point, curve_cases
from astraweave.bench.picture import check_picture, draw_curve
from astraweave.bench.vectors import drawn_sample, nearest, read_sample, scores_of
from astraweave.errors import InputError

RNG = np.random.default_rng(3)


def saved(path, array):
    np.save(path, array, allow_pickle=True)
    return path


def test_the_last_tenth_asks(tmp_path):
    array = RNG.standard_normal((250, 6)).astype(np.float16)
    sample = read_sample(saved(tmp_path / "own.npy", array), metric="l2")
    assert sample.rows.shape == (225, 6)
    assert sample.queries.tolist() == array[-25:].astype(np.float32).tolist()
    assert sample.rows.dtype == np.float32
    assert sample.rows.flags.c_contiguous
    long = read_sample(saved(tmp_path / "long.npy", RNG.standard_normal((20_000, 2))))
    assert len(long.queries) == 1_000
    assert np.allclose(np.linalg.norm(long.rows, axis=1), 1)


def with_value(value):
    array = np.ones((120, 4))
    array[17, 2] = value
    return array


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(500), "shape is (500,)"),
        (np.ones((500, 2, 2)), "shape is (500, 2, 2)"),
        (np.ones((500, 4), np.int32), "int32"),
        (np.ones((500, 4), complex), "complex128"),
        (np.ones((99, 4)), "99 rows"),
        (np.ones((0, 4)), "0 rows"),
        (np.ones((500, 0)), "0 dimensions"),
        (with_value(np.nan), "row 17"),
        (with_value(np.inf), "row 17"),
        (with_value(1e300), "row 17"),
        (np.eye(120, 4), "all zeros"),
        (np.array([["a", "b"]] * 200), "<U1"),
        (np.array([[object()] * 3] * 200), ".npy file of numbers"),
    ],
)
def test_what_cannot_be_searched_is_refused(tmp_path, array, words):
    path = saved(tmp_path / "own.npy", array)
    with pytest.raises(InputError, match="cannot be measured with") as caught:
        read_sample(path)
    assert words in str(caught.value)
    assert caught.value.details["path"] == str(path)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00", b"\x80\x04N."])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "own.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"\.npy"):
        read_sample(path)


def test_cut_and_absent_files_and_archives_are_refused(tmp_path):
    path = saved(tmp_path / "own.npy", np.ones((500, 4)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="whole"):
        read_sample(path)
    with pytest.raises(InputError, match="No such file"):
        read_sample(tmp_path / "absent.npy")
    np.savez(tmp_path / "many.npz", a=np.ones((500, 4)))
    with pytest.raises(InputError, match="archive"):
        read_sample(tmp_path / "many.npz")


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_the_exact_search_finds_all_and_graphs_have_points(tmp_path, metric):
    path = saved(tmp_path / "own.npy", RNG.standard_normal((400, 12)) * 3)
    curve = Curve(read_sample(path, metric=metric))
    assert curve.points is curve.points  # measured once
    best = curve.best(EXACT)
    assert best is not None
    assert best.recall == 1.0
    assert all(0.3 < point.recall <= 1.0 and point.rate > 0 for point in curve.points)
    assert curve.best(EXACT, recall=1.1) is None
    for each in curve_cases(curve):
        row = each.row()
        assert row.ours is not None
        assert row.quality["recall_at_10"] >= 0.99
        if row.peer is not None:
            assert row.ratio == row.ours / row.peer


def test_true_neighbours_by_score():
    sample = drawn_sample(300, 16, queries=5)
    wanted = nearest(sample, 10)
    every = np.tile(np.arange(300), (5, 1))
    scores = scores_of(sample, every)
    assert np.allclose(np.sort(scores, axis=1)[:, -10], wanted, atol=1e-9)


def test_the_picture_is_a_png_of_some_size(tmp_path):
    pytest.importorskip("matplotlib")
    points = [
        Point(index=EXACT, effort=0, recall=1.0, rate=3_000.0),
        Point(index="hnswlib", effort=16, recall=0.95, rate=20_000.0),
        Point(index="hnswlib", effort=64, recall=0.99, rate=9_000.0),
    ]
    path = tmp_path / "curve.png"
    draw_curve(points, path, title="three points")
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) == 1800


def test_a_picture_that_cannot_be_written_is_refused_at_once(tmp_path):
    pytest.importorskip("matplotlib")
    for path in (tmp_path / "curve.jpg", tmp_path / "absent" / "curve.png", tmp_path):
        with pytest.raises(InputError):
            check_picture(path)
