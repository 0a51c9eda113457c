"""Which policy engine decides, as `connector.toml` says it: the tables `[engine]` and `[bundle]`.

Rules that hold here:

* Without the table the embedded engine decides.
* An OPA server elsewhere is spoken to over TLS: plain HTTP is for this machine alone, where nobody
  else reads the question or answers it.
* Secrets stand in files, never in the settings. A relative path begins in the home folder.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ledger.fields import BadField, Fields

EMBEDDED: Final = "embedded"
SERVER: Final = "server"
BUNDLE_ADDRESS: Final = "127.0.0.1:8282"
LARGEST_TIME_LIMIT_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which engine decides, and how an OPA server is reached."""

    kind: str = EMBEDDED
    """``embedded`` or ``server``."""
    url: str = ""
    """``http://`` or ``https://``, host and port of the OPA server."""
    token_file: str = ""
    """A file with the bearer token to show; empty: none."""
    certificate: str = ""
    """A client certificate to show, with its chain, PEM; empty: none."""
    key: str = ""
    """The client certificate's private key, PEM."""
    time_limit_ms: int = 1000
    """How long a decision may take; what takes longer is denied."""

    @property
    def host(self) -> str:
        """The server's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The server's port."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def is_tls(self) -> bool:
        """Whether the server is spoken to over TLS."""
        return urlsplit(self.url).scheme == "https"

    def token(self, home: Path) -> str | None:
        """The bearer token; None for none. Raises ``OSError`` when its file cannot be read."""
        return (home / self.token_file).read_text("utf-8").strip() if self.token_file else None

    def client_certificate(self, home: Path) -> tuple[str, str] | None:
        """Paths of the client certificate and its key; None for none."""
        return (str(home / self.certificate), str(home / self.key)) if self.certificate else None

    def lines(self) -> list[tuple[str, str | int]]:
        """What `connector.toml` says of it; nothing where all is as it is without saying."""
        if self == EngineSettings():
            return []
        said: list[tuple[str, str | int]] = [("kind", self.kind)]
        if self.kind == SERVER:
            said += [(name, getattr(self, name)) for name in ("url", "token_file", "certificate", "key")]
            said.append(("time_limit_ms", self.time_limit_ms))
        return said


def read_engine(fields: Fields) -> EngineSettings:
    """Read the table `[engine]`. Raises :class:`~ledger.fields.BadField`."""
    kind = fields.choice("kind", (EMBEDDED, SERVER))
    if kind == EMBEDDED:
        fields.finish()
        return EngineSettings()
    settings = EngineSettings(
        kind=kind,
        url=_url(fields),
        token_file=_text(fields, "token_file"),
        certificate=_text(fields, "certificate"),
        key=_text(fields, "key"),
        time_limit_ms=fields.maybe_integer("time_limit_ms", least=10, most=LARGEST_TIME_LIMIT_MS) or 1000,
    )
    if bool(settings.certificate) != bool(settings.key):
        raise fields.wrong("certificate", "a client certificate and its key go together")
    if settings.certificate and not settings.is_tls:
        raise fields.wrong("certificate", "a client certificate is shown over https:// alone")
    fields.finish()
    return settings


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """Where the connector serves its rules to OPA."""

    listen: str = BUNDLE_ADDRESS
    """``host:port``."""
    certificate: str = ""
    """The certificate to show, with its chain, PEM; empty: plain HTTP."""
    key: str = ""
    """The certificate's private key, PEM."""

    def files(self, home: Path) -> tuple[Path, Path] | None:
        """Paths of certificate and key; None for plain HTTP."""
        return (home / self.certificate, home / self.key) if self.certificate else None

    def lines(self) -> list[tuple[str, str | int]]:
        """What `connector.toml` says of it."""
        return [(name, getattr(self, name)) for name in ("listen", "certificate", "key")]


def read_bundle(fields: Fields) -> BundleSettings:
    """Read the table `[bundle]`. Raises :class:`~ledger.fields.BadField`."""
    listen = _text(fields, "listen") or BUNDLE_ADDRESS
    settings = BundleSettings(listen, _text(fields, "certificate"), _text(fields, "key"))
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise fields.wrong("listen", "give host and port, such as 127.0.0.1:8282")
    if bool(settings.certificate) != bool(settings.key):
        raise fields.wrong("certificate", "a certificate and its key go together")
    if not settings.certificate and not is_loopback(host.strip("[]")):
        raise fields.wrong("listen", "for other machines name a certificate and its key")
    fields.finish()
    return settings


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(fields: Fields) -> str:
    url = fields.text("url", limit=300)
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/")
        if not plain or parts.query or parts.fragment or parts.username or parts.password:
            raise _bad(fields, "give scheme, host and port, such as https://opa.example:8181")
        _ = parts.port
    except ValueError as error:
        raise _bad(fields, "this is no address") from error
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise _bad(fields, "an OPA on another machine is reached over https:// alone")
    return url


def _bad(fields: Fields, what: str) -> BadField:
    return fields.wrong("url", what)


def _text(fields: Fields, name: str) -> str:
    value = fields.any(name) if fields.has(name) else ""
    return fields.text(name, limit=4096) if value else ""
