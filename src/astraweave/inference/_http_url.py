"""Addresses of servers, and the keys that may be sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from astraweave.errors import ConfigError

__all__ = ["Endpoint", "checked_header", "checked_key"]

_AT_HOME = (".local", ".lan", ".internal", ".home.arpa", ".localhost", ".test")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_URL = re.compile(r"[\x21-\x7e]+")
_VISIBLE = re.compile(r"[\x20-\x7e]+")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is.

    Attributes
    ----------
    url : str
        What paths are appended to; no slash at its end.
    root : str
        The same without a path.
    place : str
        Host and port, for texts.
    secure : bool
        Whether nobody on the way can read what is sent.
    """

    url: str
    root: str
    place: str
    secure: bool

    @classmethod
    def parse(cls, url: str, *, what: str = "server") -> Endpoint:
        """Take an address apart.

        Raises
        ------
        ConfigError
            It is no HTTP address, or has a password, a query or a fragment, which are not repeated
            in the text.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not host or not _URL.fullmatch(url):
            raise ConfigError(
                f"the address of the {what} must be like http://127.0.0.1:8080/v1", field=what
            )
        if parts.username is not None or parts.password is not None:
            raise ConfigError(
                f"the address of the {what} must not contain a name or a password: hand over the "
                "key by itself",
                field=what,
            )
        if parts.query or parts.fragment:
            raise ConfigError(
                f"the address of the {what} must end with its path, without '?' or '#'", field=what
            )
        root = f"{parts.scheme}://{parts.netloc}"
        default = 443 if parts.scheme == "https" else 80
        return cls(
            url=root + parts.path.rstrip("/"),
            root=root,
            place=f"{host}:{port or default}",
            secure=parts.scheme == "https" or _is_at_home(host),
        )


def checked_key(key: str, endpoint: Endpoint) -> str:
    """A key that may be sent there as a header.

    Raises
    ------
    ConfigError
        It cannot be sent, or everybody on the way could read it. The text does not contain it.
    """
    checked_header("Authorization", key)
    if not endpoint.secure:
        raise ConfigError(
            f"a key is not sent to {endpoint.place} unencrypted: use https://", field="key"
        )
    return key


def checked_header(name: str, value: str) -> None:
    """Refuse what cannot be sent as a header, without repeating its value."""
    if not _HEADER_NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a header", field=name)
    if not isinstance(value, str) or not _VISIBLE.fullmatch(value) or value != value.strip():
        raise ConfigError(
            f"the value of the header {name} must be visible ASCII without blanks around it: is a "
            "line end left from a file?",
            field=name,
        )


def _is_at_home(host: str) -> bool:
    """Whether a host is this machine or in its own network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_AT_HOME)
    return address.is_loopback or address.is_private or address.is_link_local
