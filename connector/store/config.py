"""What a home says of the participant that lives in it: ``connector.toml``.

The file is written by ``bylag init`` and may be edited by hand while the connector stands still; a
member that nobody knows is refused, so that a misspelt one is not silently without effect.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector.store.config_engine import BundleSettings, EngineSettings, read_bundle, read_engine
from connector.store.config_policy import PolicySettings, read_policy_settings
from ledger.errors import BylagError
from ledger.fields import BadField, Fields

MAX_BYTES: Final = 64 << 10
ORGANISATION: Final = "organisation"
GUEST: Final = "guest"
SWITCHES: Final = ("require_price_ground", "countersign_settlements")
"""Members that are true or false, and false where they are left out."""


class BadConfig(BylagError):
    """The configuration cannot be read, or says something that makes no sense."""

    code = "BAD_CONFIG"
    default_next_step = "Correct connector.toml in the home folder; docs/reference/configuration.md lists it."


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """A committee or division, by id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Config:
    """One participant's settings."""

    space: str
    form: str
    """``organisation`` or ``guest``."""
    participant: str
    """An organisation's did; empty for a guest, whose handle the controller gives."""
    name: str
    kind: str
    """Such as ``municipality``; for a guest ``citizen`` or ``sole-trader``."""
    listen: str
    """``host:port`` to listen on; empty: no inbound port."""
    endpoint: str
    """``host:port`` that the membership list names; empty: peers cannot call."""
    controller: str
    """A guest's controller: a did; empty for an organisation."""
    units: tuple[UnitEntry, ...] = field(default=())
    engine: EngineSettings = field(default=EngineSettings())
    """Which policy engine decides."""
    policy: PolicySettings = field(default=PolicySettings())
    """What the policies are decided with."""
    bundle: BundleSettings | None = None
    """Where the rules are served to OPA; None: nowhere."""
    require_price_ground: bool = False
    """A price that this participant asks for must name the provision that allows it."""
    countersign_settlements: bool = False
    """A statement that equals this side's own is countersigned without a person."""

    @property
    def is_guest(self) -> bool:
        """Whether a citizen or sole trader lives here."""
        return self.form == GUEST

    def to_toml(self) -> str:
        """The file's content."""
        lines = ["# This participant's settings. Edit while the connector is not running.", ""]
        for name in ("space", "form", "participant", "name", "kind", "listen", "endpoint", "controller"):
            lines.append(f"{name} = {_quoted(getattr(self, name))}")
        for name in SWITCHES:
            if getattr(self, name):
                lines.append(f"{name} = true")
        if said := self.engine.lines():
            lines += ["", "[engine]", *(f"{name} = {_value(value)}" for name, value in said)]
        if self.policy.area:
            lines += ["", "[policy]", f"area = [{', '.join(_quoted(name) for name in self.policy.area)}]"]
        if self.bundle is not None:
            lines += ["", "[bundle]", *(f"{name} = {_value(value)}" for name, value in self.bundle.lines())]
        for unit in self.units:
            lines += ["", "[[units]]", f"id = {_quoted(unit.id)}", f"name = {_quoted(unit.name)}"]
        return "\n".join(lines) + "\n"


def read_config(path: Path) -> Config:
    """Read ``connector.toml``. Raises :class:`BadConfig`."""
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise BadConfig(f"the file has more than {MAX_BYTES} bytes")
    try:
        fields = Fields(tomllib.loads(data.decode()))
        config = Config(
            space=fields.text("space", limit=100),
            form=fields.choice("form", (ORGANISATION, GUEST)),
            participant=_maybe(fields, "participant"),
            name=fields.text("name", limit=200),
            kind=fields.text("kind", limit=32),
            listen=_maybe(fields, "listen"),
            endpoint=_maybe(fields, "endpoint"),
            controller=_maybe(fields, "controller"),
            units=tuple(_unit(each) for each in fields.objects("units", limit=500))
            if fields.has("units")
            else (),
            **{name: fields.boolean(name) for name in SWITCHES if fields.has(name)},
            engine=read_engine(fields.object("engine")) if fields.has("engine") else EngineSettings(),
            policy=read_policy_settings(fields.object("policy"))
            if fields.has("policy")
            else PolicySettings(),
            bundle=read_bundle(fields.object("bundle")) if fields.has("bundle") else None,
        )
        fields.finish()
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"not TOML: {error}") from error
    except BadField as error:
        raise BadConfig(error.message, field=error.field) from error
    return config


def _unit(fields: Fields) -> UnitEntry:
    unit = UnitEntry(fields.text("id", limit=64), fields.text("name", limit=200))
    fields.finish()
    return unit


def _maybe(fields: Fields, name: str) -> str:
    value = fields.any(name) if fields.has(name) else ""
    return fields.text(name, limit=300) if value else ""


def _value(value: str | int) -> str:
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, once what JSON leaves bare and TOML forbids is escaped.
    return json.dumps(text).replace("\x7f", "\\u007f")
