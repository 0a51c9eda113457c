"""What a name, a did and an endpoint may look like, and the tricks that are refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.identity import syntax


@pytest.mark.parametrize(
    "name",
    [
        "Älvsborgs kommun",
        "Ville de Liège",
        "Δήμος Αθηναίων",
        "Община Варна",
        "京都市",
        "R&D 3:e",
        "Nº 5",
        "O’Neill",
    ],
)
def test_names_of_every_script_are_welcome(name: str) -> None:
    assert syntax.name_complaint(name) is None


@pytest.mark.parametrize(
    ("trick", "name"),
    [
        ("empty", ""),
        ("too long", "a" * 201),
        ("newline", "Berga\nkommun"),
        ("escape sequence", "Berga\x1b[2J"),
        ("null", "Berga\x00"),
        ("right-to-left override", "Berga \u202egnp.exe"),
        ("right-to-left isolate", "Berga \u2067x\u2069"),
        ("left-to-right mark", "Ber\u200ega"),
        ("zero-width space", "Ber\u200bga"),
        ("zero-width joiner", "Ber\u200dga"),
        ("word joiner", "Ber\u2060ga"),
        ("byte-order mark", "\ufeffBerga"),
        ("soft hyphen", "Ber\u00adga"),
        ("variation selector", "Berga\ufe0f"),
        ("supplementary variation selector", "Berga\U000e0100"),
        ("tag character", "Berga\U000e0041"),
        ("Hangul filler", "Berga\u3164"),
        ("braille blank", "Berga\u2800x"),
        ("combining grapheme joiner", "Ber\u034fga"),
        ("no-break space", "Berga\u00a0kommun"),
        ("ideographic space", "Berga\u3000kommun"),
        ("en space", "Berga\u2002kommun"),
        ("line separator", "Berga\u2028kommun"),
        ("leading space", " Berga"),
        ("trailing space", "Berga "),
        ("two spaces", "Berga  kommun"),
        ("decomposed letter", "A\u030alvik"),
        ("stacked marks", "Be\u0316\u0317\u0318rga"),
        ("mark without a letter", "\u0301Berga"),
        ("enclosing mark", "Be\u20ddrga"),
        ("Cyrillic a in a Latin word", "B\u0435rga"),
        ("Greek omicron in a Latin word", "k\u03bfmmun"),
        ("full-width letters", "\uff22erga"),
        ("mathematical letters", "\U0001d401erga"),
        ("ligature", "Stif\ufb01nder"),
        ("private use", "Berga\ue000"),
        ("unassigned", "Berga\u0378"),
        ("lone surrogate", "Berga\ud800"),
    ],
)
def test_a_name_that_does_not_look_like_what_it_is_is_refused(trick: str, name: str) -> None:
    assert syntax.name_complaint(name) is not None, trick


@given(st.text(max_size=40))
def test_an_accepted_name_can_be_shown_anywhere(name: str) -> None:
    if syntax.name_complaint(name) is None:
        assert name == name.strip() == unicodedata.normalize("NFC", name)
        assert name.isprintable()
        assert not {unicodedata.category(c) for c in name} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@given(st.text(max_size=60))
def test_a_complaint_never_repeats_the_text(name: str) -> None:
    hostile = "\u202e\x1b" + name
    for complain in (syntax.name_complaint, syntax.did_complaint, syntax.endpoint_complaint):
        complaint = complain(hostile)
        assert complaint is not None
        assert complaint.isascii() or complaint.isprintable()
        assert "\u202e" not in complaint


@pytest.mark.parametrize(
    "did",
    [
        "did:web:alvik.example",
        "did:web:alvik.example:units:schools",
        "did:web:alvik.example%3A8443",
        "did:web:localhost%3A8443:a",
        "did:web:xn--lvik-loa.example",
    ],
)
def test_a_did_web_is_taken(did: str) -> None:
    assert syntax.participant_id(did) == did


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:web:",
        "did:key:z6Mk",
        "did:web:Alvik.example",
        "did:web:alvik",
        "did:web:192.0.2.1",
        "did:web:alvik.example/..",
        "did:web:alvik.example:..",
        "did:web:alvik.example:...:x",
        "did:web:alvik.example:",
        "did:web:alvik.example::a",
        "did:web:alvik.example%3A0",
        "did:web:alvik.example%3A65536",
        "did:web:alvik.example%3a8443",
        "did:web:alvik.example:8443%2F",
        "did:web:-alvik.example",
        "did:web:alvik.example#key",
        "did:web:alvik.example\n",
        "did:web:ålvik.example",
        "did:web:" + "a" * 60 + ".example:" + "b" * 64 + ":" + "c" * 64 + ":" + "d" * 64,
    ],
)
def test_what_is_no_did_web_is_refused(did: str) -> None:
    with pytest.raises(syntax.MalformedName) as caught:
        syntax.participant_id(did)
    assert caught.value.field == "did"


@pytest.mark.parametrize(
    "endpoint", ["node.example:7443", "localhost:1", "192.0.2.7:65535", "[2001:db8::1]:443"]
)
def test_an_endpoint_is_host_and_port(endpoint: str) -> None:
    assert syntax.endpoint_complaint(endpoint) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "node.example", "node.example:", "node.example:0", "node.example:65536", "node.example:07443",
        "Node.example:1", "https://node.example:1", "node.example:1/x", "192.0.2.256:1", "192.0.2.07:1",
        "[2001:DB8::1]:1", "[2001:db8:0:0:0:0:0:1]:1", "2001:db8::1:1", ":1", "a b:1", "node.example:1\n",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    assert syntax.endpoint_complaint(endpoint) is not None


def test_ids_of_units_spaces_and_guests_have_one_form_each() -> None:
    assert syntax.unit_id("schools-2") == "schools-2"
    assert syntax.data_space_id("nordic.space") == "nordic.space"
    assert syntax.is_handle("guest:" + "0a" * 16)
    for bad in ("", "../x", "A", "-a", "a-", "a" * 64, "a/b"):
        with pytest.raises(syntax.MalformedName):
            syntax.unit_id(bad)
    with pytest.raises(syntax.MalformedName):
        syntax.data_space_id("a..\n")
    assert not syntax.is_handle("guest:anna")
