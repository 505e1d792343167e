"""Downloads over http that go on where they stopped."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from astraweave.errors import CorruptDataError, ModelUnavailable
from astraweave.models._disk import remove, sha256_of, storage
from astraweave.models.progress import Progress

__all__ = ["download"]

_BLOCK = 1 << 18
_TIMEOUT_S = 30.0
_ATTEMPTS = 5
"""Tries in a row that bring no byte, before it is given up."""
_PAUSE_S = 0.2
_HOPELESS = {400, 401, 403, 404, 405, 410, 451}


class _Interrupted(Exception):
    """The connection broke; what has come is kept."""


def download(url: str, part: Path, sha256: str, stage: str, progress: Progress) -> None:
    """Bring the file at `url` to `part`, and check its digest.

    What an earlier call left in `part` is kept and only the rest is asked for. When such a mended
    file has the wrong digest, it is fetched once more from its beginning.

    Parameters
    ----------
    url : str
        An http or https address.
    part : Path
        Where it goes; stays after an interruption, so that the next call can go on.
    sha256 : str
        Expected digest, hexadecimal.
    stage : str
        What `progress` is told that it is.
    progress : Progress
        Hears the bytes that have come.

    Raises
    ------
    ModelUnavailable
        The server cannot be reached, refuses, or breaks off again and again.
    CorruptDataError
        The whole file came and its digest is wrong; it is removed.
    StorageError
        The disk is full; what has come stays for the next call.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ModelUnavailable(f"{url} is not an http or https address", url=url)
    mended = part.exists()
    _whole(url, part, stage, progress)
    found = sha256_of(part)
    if found != sha256 and mended:
        remove(part)
        _whole(url, part, stage, progress)
        found = sha256_of(part)
    if found != sha256:
        remove(part)
        raise CorruptDataError(
            f"{url} has the sha256 {found}, but the registry says {sha256}: either the file has "
            "changed there or the registry is wrong",
            url=url,
            expected=sha256,
            found=found,
        )


def _whole(url: str, part: Path, stage: str, progress: Progress) -> None:
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _rest(url, part, before, stage, progress)
        except _Interrupted as error:
            after = part.stat().st_size if part.exists() else 0
            failures = failures + 1 if after <= before else 0
            if failures >= _ATTEMPTS:
                raise ModelUnavailable(
                    f"{url} broke off: {error}; what has come ({after} bytes) is kept, and the "
                    "next try goes on from there",
                    url=url,
                    bytes=after,
                ) from None
            time.sleep(_PAUSE_S * 2**failures)
        else:
            return


def _rest(url: str, part: Path, have: int, stage: str, progress: Progress) -> None:
    """Ask for what comes after the first `have` bytes, and append it."""
    headers = {"User-Agent": "astraweave", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urllib.request.urlopen(  # noqa: S310 (the scheme was checked)
            urllib.request.Request(url, headers=headers),  # noqa: S310
            timeout=_TIMEOUT_S,
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing follows: it was whole, or is longer than theirs
            if error.headers.get("Content-Range", "") == f"bytes */{have}":
                return
            remove(part)
            raise _Interrupted("the file there is shorter than what has come") from None
        if error.code in _HOPELESS:
            raise ModelUnavailable(
                f"{url} answers {error.code} {error.reason}", url=url, status=error.code
            ) from None
        raise _Interrupted(f"{error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(str(getattr(error, "reason", error))) from None
    with response:
        resumed = response.status == 206
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None and length.isdigit() else 0
        mode: Literal["ab", "wb"] = "ab" if resumed else "wb"
        with storage(part, "write"), part.open(mode) as file:
            while block := _read(response):
                file.write(block)
                file.flush()  # so that a killed process has kept it
                start += len(block)
                progress(stage, start, total)
    if total and start < total:
        raise _Interrupted(f"{start} of {total} bytes came")


def _read(response: Any) -> bytes:
    try:
        return bytes(response.read1(_BLOCK))  # what is there: nothing is lost when it breaks
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(str(error)) from None
