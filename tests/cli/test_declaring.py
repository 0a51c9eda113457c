"""``--declare``: what somebody types, and the closed form that is signed."""

from __future__ import annotations

from typing import Any

import click
import pytest

from connector.cli.declaring import Declaration, declaration
from connector.exchange.declared import Declared


def typed(*said: str) -> Any:
    kind = Declaration()
    return declaration(tuple(kind.convert(each, None, None) for each in said))


def test_what_is_typed_is_a_declaration() -> None:
    assert typed() is None
    said = typed("device=urn:x:a=b", "location=urn:x:net", "retention=P30D", "onward=did:web:x.example")
    assert Declared.read(said) == Declared("urn:x:a=b", "urn:x:net", 2_592_000_000, ("did:web:x.example",))
    assert Declared.read(typed("onward=nobody")) == Declared(onward=())
    assert Declared.read(typed("onward=urn:x:a", "onward=urn:x:b")).onward == ("urn:x:a", "urn:x:b")


@pytest.mark.parametrize("said", ["device", "device=", "=urn:x:a", "owner=urn:x:a", "retention=30 days"])
def test_what_says_nothing_is_refused(said: str) -> None:
    with pytest.raises(click.BadParameter):
        typed(said)


@pytest.mark.parametrize("said", [("device=urn:x:a", "device=urn:x:b"), ("onward=nobody", "onward=urn:x:a")])
def test_what_contradicts_itself_is_refused(said: tuple[str, str]) -> None:
    with pytest.raises(click.UsageError):
        typed(*said)
