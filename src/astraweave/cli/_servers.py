"""Whether the server that settings name is there, and has the model."""

from __future__ import annotations

import msgspec

from astraweave.cli._finding import Finding
from astraweave.core.settings import Settings
from astraweave.errors import AstraweaveError

__all__ = ["server_finding"]

_WAIT_S = 3.0


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] = []


def server_finding(name: str, address: tuple[str, str], key: str, settings: Settings) -> Finding:
    """Ask a server for its list of models; never raises, and waits three seconds at most.

    Parameters
    ----------
    name : str
        What to call the finding.
    address : tuple of str
        Its base URL, and the model's name there; empty: any.
    key : str
        ``"model"`` or ``"embedder"``: whose key to send.
    settings : Settings
        Where key and proxy are named.
    """
    url, wanted = address
    try:
        secret = settings.model_key() if key == "model" else settings.embedder_key()
        names = _names(url, secret, settings.proxy)
    except AstraweaveError as error:
        return Finding(
            name=name,
            value=str(error),
            ok=False,
            advice="until it answers, "
            + ("lines are composed" if key == "model" else "memories are found by their words"),
        )
    except msgspec.DecodeError:
        return Finding(name=name, value=f"{url} answers, and names no models")
    shown = f"{url} has {', '.join(names[:5]) or 'no models'}{' ...' if len(names) > 5 else ''}"
    missing = bool(wanted) and bool(names) and wanted not in names
    return Finding(
        name=name,
        value=shown,
        ok=not missing,
        advice=f"it names no '{wanted}': say one of these after the # of the address"
        if missing
        else "",
    )


def _names(url: str, key: str | None, proxy: str) -> list[str]:
    from astraweave.inference.http import HttpClient, HttpTimeouts

    timeouts = HttpTimeouts(connect_s=_WAIT_S, first_s=_WAIT_S, between_s=_WAIT_S, total_s=_WAIT_S)
    with HttpClient(url, key=key, proxy=proxy or None, timeouts=timeouts) as client:
        answer = client.call(lambda: client.ask("/models"))
    return [model.id for model in msgspec.json.decode(answer, type=_Models).data]
