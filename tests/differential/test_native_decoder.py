"""The native decoder against the ONNX graph that it was converted beside, and against itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_decoders import (
    CONTEXT,
    IDS,
    TEXT,
    VARIANTS,
    VOCAB,
    Decoder,
    reference_logits,
    softmax,
    write_gguf,
)
from tokenizers import Tokenizer

from astraweave import _native
from astraweave._native import DecoderTeam, DecoderWeights
from astraweave.errors import (
    AstraweaveError,
    CapacityError,
    CorruptDataError,
    InputError,
    UnsupportedModel,
    UsageError,
)
from astraweave.llm._backend import DecoderBackend, StepBatch
from astraweave.llm._native_backend import (
    KvKind,
    NativeBackend,
    load_table,
    open_native,
    read_weights,
)
from astraweave.models import ModelFiles
from astraweave.models.convert.llama import convert_decoder
from astraweave.models.weight_table import WeightTable

Logits = NDArray[np.float32]


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


def converted(folder: Path, **variant: Any) -> DecoderWeights:
    """A tiny random model; `head_size` 16 and more is what the native decoder takes."""
    path = write_gguf(folder / "m.gguf", **variant)
    convert_decoder(path, folder / "m.onnx", context=CONTEXT)
    return load_table(folder / WeightTable.NAME, folder / "m.onnx.data")


def backend(
    weights: DecoderWeights, *, threads: int = 1, kv_kind: KvKind = "float16", **options: int
) -> NativeBackend:
    chosen = {"max_sequences": 8, "kv_bytes": 8 << 20} | options
    return NativeBackend(weights, DecoderTeam(threads), kv_kind=kv_kind, **chosen)


def batch(*parts: tuple[int, Sequence[int]], wanted: Sequence[int] | None = None) -> StepBatch:
    """Sequences and their tokens; all logits are wanted unless it is said."""
    tokens = [token for _, piece in parts for token in piece]
    return StepBatch(
        sequences=np.array([sequence for sequence, _ in parts], np.int32),
        counts=np.array([len(piece) for _, piece in parts], np.int32),
        tokens=np.array(tokens, np.int32),
        wanted=np.array(range(len(tokens)) if wanted is None else wanted, np.int32),
    )


def logits_of(decoder: NativeBackend, ids: Sequence[int]) -> Logits:
    sequence = decoder.open()
    logits = decoder.step(batch((sequence, ids))).copy()
    decoder.release(sequence)
    return logits


# -- beside the graph --


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_model_is_near_the_reference(tmp_path: Path, variant: str, tier: str) -> None:
    weights = converted(tmp_path, **VARIANTS[variant])
    found = logits_of(backend(weights), IDS)
    expected = reference_logits(tmp_path / "m.gguf", IDS)
    graph = Decoder(tmp_path / "m.onnx").feed(IDS)
    # The bounds of the graph's own test: both round weights and activations to eight bits.
    assert np.abs(found[-1] - expected[-1]).max() < 0.2 * expected[-1].std()
    assert np.corrcoef(found[-1], expected[-1])[0, 1] > 0.998
    assert np.corrcoef(found[-1], graph)[0, 1] > 0.998
    assert found.shape == (len(IDS), VOCAB)


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.parametrize("kv_kind", ["float16", "int8"])
def test_the_default_model_is_as_near_to_full_precision_as_the_graph(
    decoder_files: ModelFiles, model_store: Any, tmp_path: Path, kv_kind: KvKind
) -> None:
    source = model_store.sources(decoder_files.card.id) / "model.gguf"
    if not source.is_file():
        pytest.skip("the store holds the converted model only (a bundle)")
    convert_decoder(source, tmp_path / "f.onnx", context=512, precision="fp32")
    ids = Tokenizer.from_file(str(decoder_files.tokenizer)).encode(TEXT).ids
    exact, graph = Decoder(tmp_path / "f.onnx"), Decoder(decoder_files.graph)
    p = softmax(np.array([exact.feed([token]) for token in ids]))
    q = softmax(np.array([graph.feed([token]) for token in ids]))
    ours = open_native(
        decoder_files, threads=1, max_sequences=1, kv_bytes=32 << 20, kv_kind=kv_kind
    )
    r = softmax(logits_of(ours, ids))

    def divergence(a: Logits, b: Logits) -> float:
        return float((a * np.log(a / b)).sum(-1).mean())

    # Two roundings of the same weights: each as far from the truth as the other, and from each
    # other no further than both together. Keys and values in eight bits add their own.
    slack = 1.5 if kv_kind == "float16" else 4
    assert divergence(p, r) < slack * divergence(p, q)
    assert divergence(q, r) < (1 + slack) * divergence(p, q)
    assert np.mean(p.argmax(-1) == r.argmax(-1)) > 0.85


# -- the same bits, however tokens come --


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DecoderWeights:
    folder = tmp_path_factory.mktemp("small")
    return converted(folder, architecture="qwen3", qk_norm=True, head_size=32, kind="Q4_1")


PROMPTS = [np.random.default_rng(seed).integers(0, VOCAB, 90).tolist() for seed in range(3)]


@pytest.mark.parametrize("kv_kind", ["float16", "int8"])
def test_logits_depend_on_the_tokens_before_alone(
    small: DecoderWeights, tier: str, kv_kind: KvKind
) -> None:
    alone = [logits_of(backend(small, kv_kind=kv_kind), prompt) for prompt in PROMPTS]
    teams = [DecoderTeam(threads) for threads in (1, 3)]

    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        """Pieces of random length of some prompts in each step; now and then a fork goes on."""
        team = teams[data.draw(st.integers(0, 1))]
        decoder = NativeBackend(small, team, kv_kind=kv_kind, max_sequences=8, kv_bytes=8 << 20)
        running = {decoder.open(): prompt for prompt in range(len(PROMPTS))}
        for _ in range(data.draw(st.integers(1, 6))):
            parts, expected = [], []
            for sequence, prompt in list(running.items()):
                at = decoder.length(sequence)
                count = data.draw(st.integers(0, min(40, len(PROMPTS[prompt]) - at)))
                if count:
                    parts.append((sequence, PROMPTS[prompt][at : at + count]))
                    expected.append(alone[prompt][at : at + count])
            if parts:
                np.testing.assert_array_equal(decoder.step(batch(*parts)), np.vstack(expected))
            if len(running) < 6 and data.draw(st.booleans()):
                sequence = data.draw(st.sampled_from(sorted(running)))
                kept = data.draw(st.integers(0, decoder.length(sequence)))
                running[decoder.fork(sequence, kept)] = running[sequence]
            if data.draw(st.booleans()):
                sequence = data.draw(st.sampled_from(sorted(running)))
                decoder.truncate(sequence, data.draw(st.integers(0, decoder.length(sequence))))
        for sequence in running:
            decoder.release(sequence)
        assert decoder.report().used_tokens == 0

    check()


def test_wanted_logits_are_those_of_their_places(small: DecoderWeights) -> None:
    decoder = backend(small, threads=2)
    everything = logits_of(decoder, PROMPTS[0])
    sequence = decoder.open()
    some = decoder.step(batch((sequence, PROMPTS[0]), wanted=[0, 7, 89]))
    np.testing.assert_array_equal(some, everything[[0, 7, 89]])
    assert decoder.step(batch((sequence, [5]), wanted=[])).shape == (0, VOCAB)
    assert decoder.length(sequence) == 91


def test_backends_that_share_threads_do_not_meet(small: DecoderWeights) -> None:
    wanted = [logits_of(backend(small), prompt) for prompt in PROMPTS]
    team = DecoderTeam(2)
    found: dict[int, list[Logits]] = {}

    def run(which: int) -> None:
        decoder = NativeBackend(small, team, max_sequences=2, kv_bytes=8 << 20)
        found[which] = [logits_of(decoder, PROMPTS[which]) for _ in range(5)]

    threads = [threading.Thread(target=run, args=(which,)) for which in range(len(PROMPTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for which, logits in found.items():
        for each in logits:
            np.testing.assert_array_equal(each, wanted[which])
    assert len(found) == len(PROMPTS)


# -- the contract of a backend --


def test_it_is_a_backend(small: DecoderWeights) -> None:
    decoder: DecoderBackend = backend(small, context_tokens=100)
    assert (decoder.vocabulary, decoder.context_tokens) == (VOCAB, 100)
    assert (decoder.max_sequences, decoder.mixes, decoder.provider) == (8, True, "native")
    report = decoder.report()
    assert report.sequences == report.used_tokens == report.used_bytes == 0
    first = decoder.open()
    decoder.step(batch((first, [1, 2, 3]), wanted=[]))
    assert decoder.report().used_tokens == 16
    decoder.close()
    decoder.close()
    with pytest.raises(UsageError, match="closed"):
        decoder.open()


def test_what_does_not_fit_changes_nothing(small: DecoderWeights) -> None:
    decoder = backend(small, max_sequences=2, context_tokens=48)
    one, two = decoder.open(), decoder.open()
    with pytest.raises(CapacityError):
        decoder.open()
    decoder.step(batch((one, PROMPTS[0][:40])))
    before = decoder.report()
    for parts in (
        [(one, [1] * 9), (two, [1])],
        [(two, [1]), (one, [1] * 9)],
    ):
        with pytest.raises(CapacityError, match="context"):
            decoder.step(batch(*parts))
    for wrong in ([(one, [VOCAB])], [(one, [-1])], [(one, [1]), (one, [1])], [(9, [1])]):
        with pytest.raises(InputError):
            decoder.step(batch(*wrong))
    with pytest.raises(InputError):
        decoder.step(batch((one, [1, 2]), wanted=[2]))
    with pytest.raises(InputError):
        decoder.truncate(one, 41)
    assert decoder.report() == before
    assert (decoder.length(one), decoder.length(two)) == (40, 0)


def test_logits_that_a_caller_keeps_stay_readable(small: DecoderWeights) -> None:
    decoder = backend(small)
    kept = decoder.step(batch((decoder.open(), [1, 2])))
    decoder.step(batch((decoder.open(), PROMPTS[0])))  # more rows: another array
    decoder.close()
    assert np.isfinite(kept).all()


# -- files --


def test_what_it_cannot_compute_with_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="head_size 8"):
        converted(tmp_path, width=32, hidden=32)
    path = write_gguf(tmp_path / "m.gguf")
    folder = tmp_path / "fp32"
    folder.mkdir()
    convert_decoder(path, folder / "model.onnx", context=CONTEXT, precision="fp32")
    files = ModelFiles(directory=folder, card=Any)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModel, match=r"weights\.json"):
        read_weights(files)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_gives_a_decoder_or_an_error_of_ours(tmp_path: Path, data: st.DataObject) -> None:
    table, whole = tmp_path / WeightTable.NAME, tmp_path / "whole.json"
    if not whole.exists():
        converted(tmp_path)
        table.rename(whole)
    damaged = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.sampled_from(b'0123456789"[]{},.-ae') | st.integers(0, 255))
    table.write_bytes(damaged)
    try:
        decoder = backend(load_table(table, tmp_path / "m.onnx.data"), context_tokens=16)
        decoder.step(batch((decoder.open(), [1, 2, 3])))
    except AstraweaveError as error:
        assert str(error)  # noqa: PT017 (an error is allowed, not wanted)


def test_a_data_file_that_is_cut_short_is_corrupt(tmp_path: Path) -> None:
    converted(tmp_path)
    data = tmp_path / "m.onnx.data"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(CorruptDataError, match=r"m\.onnx\.data.*outside the file"):
        load_table(tmp_path / WeightTable.NAME, data)
