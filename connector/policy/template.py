"""What a template is: a policy for a usual case, with named parameters that have types and defaults.

Rules that hold here:

* A template gives an ODRL policy in JSON-LD, for people to read, edit and publish, and what goes with it into
  the offer: purpose, length, price, legal basis. Nothing of it is a rule of its own.
* Every parameter has a default, or may be left out; what is given is checked by its type, and a name that
  the template does not have is refused.
* The policy is made as data; no text is put together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from connector.policy.errors import MalformedPolicy
from connector.policy.purposes import purpose_iri
from connector.policy.values import identifier
from ledger.canonical import JSON, LARGEST_INTEGER, JSONObject
from ledger.errors import BylagError, ErrorKind

_WHOLE: Final = re.compile(r"0|[1-9]\d{0,15}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_YES_AND_NO: Final = {"yes": True, "true": True, "no": False, "false": False}


class NoSuchTemplate(BylagError):
    """No template has this name."""

    code = "NO_SUCH_TEMPLATE"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List the templates: `bylag policy templates`."


class BadParameter(BylagError):
    """A template's parameter is unknown, or has a value of another type."""

    code = "BAD_PARAMETER"
    default_next_step = "See the template's parameters: `bylag policy templates`."


class Type(Enum):
    """What a parameter's value is."""

    PURPOSE = "purpose"
    """A DPV purpose, by name or IRI."""
    WHOLE = "whole number"
    CURRENCY = "currency"
    """An ISO 4217 code."""
    IRI = "IRI"
    YES_OR_NO = "yes or no"


Value = int | str | bool | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a template leaves open. Without a ``default`` it may be left out."""

    name: str
    type: Type
    default: Value
    about: str
    least: int = 1

    def read(self, given: object) -> Value:
        """A value of the parameter's type, of what somebody gave. Raises :class:`BadParameter`."""
        found = self._read(given)
        if found is None:
            raise BadParameter(f"must be a {self.type.value}", field=self.name)
        return found

    def _read(self, given: object) -> Value:
        if self.type is Type.WHOLE:
            whole = int(given) if isinstance(given, str) and _WHOLE.fullmatch(given) else given
            is_whole = isinstance(whole, int) and not isinstance(whole, bool)
            return whole if is_whole and self.least <= whole <= LARGEST_INTEGER else None  # type: ignore[operator, return-value]
        if self.type is Type.YES_OR_NO:
            return given if isinstance(given, bool) else _YES_AND_NO.get(str(given))
        if not isinstance(given, str):
            return None
        if self.type is Type.PURPOSE:
            return purpose_iri(given) or purpose_iri("dpv:" + given)
        if self.type is Type.CURRENCY:
            return given if _CURRENCY.fullmatch(given) else None
        try:
            return identifier(given, self.name)
        except MalformedPolicy:
            return None

    def to_json(self) -> JSONObject:
        return {"name": self.name, "type": self.type.value, "default": self.default, "about": self.about}


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its values: the policy, and what goes with it into the offer."""

    policy: JSONObject
    purpose: str
    days: int | None = None
    """How long an agreement holds; None: as the publisher says."""
    price: JSONObject | None = None
    """As an offer has it; None: as the publisher says."""
    legal_basis: str | None = None

    def to_json(self) -> JSONObject:
        return {
            "policy": self.policy,
            "offer": {
                "purpose": self.purpose,
                "days": self.days,
                "price": self.price,
                "legal_basis": self.legal_basis,
            },
        }


Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Template:
    """A policy for one usual case. ``when`` says in plain words when to use it, and what it asks for."""

    name: str
    title: str
    when: str
    parameters: tuple[Parameter, ...]
    make: Callable[[Values], Filled]

    def fill(self, given: Mapping[str, JSON]) -> Filled:
        """The template with values for some of its parameters. Raises :class:`BadParameter`."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in sorted(given.keys() - known.keys()):
            raise BadParameter(f"the template {self.name} has no such parameter", field=name)
        values = {
            name: parameter.read(given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }
        return self.make(values)

    def to_json(self) -> JSONObject:
        return {
            "name": self.name,
            "title": self.title,
            "when": self.when,
            "parameters": [parameter.to_json() for parameter in self.parameters],
        }
