"""``bylag purposes``."""

from __future__ import annotations

import click

from connector.cli import show
from connector.cli.options import json_option
from connector.policy.purposes import parents
from ledger.canonical import JSON


@click.command()
@click.argument("word", required=False)
@json_option
def purposes(word: str | None, as_json: bool) -> None:
    """List the purposes that a policy or a request can name, all or those with WORD in their name.

    They are the terms of the W3C Data Privacy Vocabulary. Permission for a purpose covers every
    narrower one.

    \b
    Example:
      bylag purposes research
    """
    found = {
        iri: wider
        for iri, wider in parents().items()
        if word is None or word.lower() in show.short(iri).lower()
    }
    if as_json:
        listed: list[JSON] = [{"purpose": iri, "within": list[JSON](wider)} for iri, wider in found.items()]
        show.write_json(listed)
        return
    show.table(
        ("purpose", "within"),
        [(show.short(iri), ", ".join(map(show.short, wider))) for iri, wider in found.items()],
        empty="The Data Privacy Vocabulary has no such purpose.",
    )
