"""Liability, the contract in words and file numbers: from a file into what both sign, and as it is shown."""

from __future__ import annotations

import hashlib

import pytest

from tests.cli.conftest import ALFA, Space

TERMS = """
prevails = ["contract.txt", "policy", "annex.txt"]

[liability]
accuracy = "best-effort"
cap = { amount = 5_000_000, currency = "SEK" }
cap-excludes = ["intent", "personal-data"]

[references]
case = "KS 2026/114"

[[prose]]
file = "contract.txt"
title = "Avtal om parkeringsdata"
language = "sv"

[[prose]]
file = "annex.txt"
title = "Annex A"
language = "en"
kind = "annex"
"""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def agreed(space: Space) -> str:
    """An agreement that both signed, with all of it."""
    folder = space.folder / "terms"
    folder.mkdir()
    (folder / "terms.toml").write_text(TERMS)
    (folder / "contract.txt").write_text("Vi är överens.")
    (folder / "annex.txt").write_text("How it is delivered.")
    (space.folder / "bays.csv").write_text("bay,free\n1,0\n")
    space.bylag("publish", "bays.csv", "--home", "alfa", "--contract-terms", "terms/terms.toml")
    return str(space.bylag.json("negotiate", ALFA, "bays", "--home", "beta")["agreement"])


@pytest.mark.parametrize("home", ["alfa", "beta"])
def test_what_was_agreed_is_signed_and_shown_at_both_sides(space: Space, agreed: str, home: str) -> None:
    signed = space.bylag.json("agreement", "show", agreed, "--home", home)["document"]["terms"]
    contract, annex = digest("Vi är överens."), digest("How it is delivered.")
    assert signed["prose"]["precedence"] == [contract, "policy", annex]
    assert [each["kind"] for each in signed["prose"]["documents"]] == ["contract", "annex"]
    assert signed["references"] == {"case": "KS 2026/114", "procurement": None}
    assert signed["liability"]["cap"] == {"amount": 5_000_000, "currency": "SEK"}
    told = space.bylag("agreement", "show", agreed, "--home", home).out
    for words in (
        f"Avtal om parkeringsdata (sv), SHA-256 {contract}",
        "Avtal om parkeringsdata, then the policy, then Annex A",
        "KS 2026/114",
        "50,000.00 SEK",
        "intent, personal-data",
        "best-effort",
    ):
        assert words in told


def test_a_counter_offer_puts_other_terms_in_their_place(space: Space, agreed: str) -> None:
    (space.folder / "fewer.toml").write_text('[liability]\naccuracy = "as-is"\n')
    asked = ("publish", "bays.csv", "--home", "alfa", "-d", "by-hand", "--approve", "hand")
    space.bylag(*asked, "--contract-terms", "terms/terms.toml")
    here = space.bylag.json("negotiate", ALFA, "by-hand", "--home", "beta", "--wait", "0")["negotiation"]
    listed = space.bylag.json("negotiation", "list", "--home", "alfa")
    (there,) = [each["negotiation"] for each in listed if each["dataset"] == "by-hand"]
    assert "best-effort" in space.bylag("negotiation", "show", there, "--home", "alfa").out
    space.bylag("negotiation", "counter", there, "--contract-terms", "fewer.toml", "--home", "alfa")
    space.bylag("negotiation", "wait", here, "--home", "beta")
    for home, name in (("alfa", there), ("beta", here)):
        terms = space.bylag.json("negotiation", "show", name, "--home", home)["terms"]["terms"]
        assert (terms["liability"], terms["prose"]["documents"]) == ({"accuracy": "as-is"}, [])


WRONG = {
    "a term that nobody knows": ('[liability]\nmood = "good"\n', "BAD_FIELD"),
    "a value of another kind": ("[liability]\ndispute-days = 1.5\n", "MALFORMED_JSON"),
    "a part that nobody knows": ("[lawyers]\n", "BAD_FIELD"),
    "a day": ("[references]\ncase = 2026-01-01\n", "CANNOT_READ_FILE"),
    "lists without end": ("[liability]\naccuracy = " + "[" * 30_000, "CANNOT_READ_FILE"),
    "no TOML": ("[liability\n", "CANNOT_READ_FILE"),
    "a document that is not there": (
        '[[prose]]\nfile = "none.pdf"\ntitle = "x"\nlanguage = "sv"\n',
        "CANNOT_READ_FILE",
    ),
    "an order that leaves the policy out": ("prevails = []\n", "BAD_FIELD"),
    "a language that is none": (
        '[[prose]]\nfile = "bays.csv"\ntitle = "x"\nlanguage = "s v"\n',
        "BAD_FIELD",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_the_file_is_said(space: Space, agreed: str, what: str) -> None:
    content, code = WRONG[what]
    (space.folder / "wrong.toml").write_text(content)
    space.bylag(
        "publish", "bays.csv", "--home", "alfa", "--contract-terms", "wrong.toml", status=None
    ).refused(code, 2)
