"""``bylag publish``, ``append``, ``catalog`` and ``dataset``: what there is to share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connector.cli import show
from connector.cli.contract_terms import contract_terms_option, read_contract_terms
from connector.cli.options import PATH, member, on_home, without_none
from connector.cli.policy_files import parents_option, read_policy_file
from connector.cli.prices import price_in_words, priced, take_price
from connector.cli.selecting import names
from connector.cli.session import Session
from connector.cli.templates import settings
from connector.cli.wording import say_policy
from ledger.canonical import JSON, JSONObject

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}


class ColumnRole(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """What a column is, as ``NAME=subject``, ``NAME=personal`` or ``NAME=not-personal``."""

    name = "name=role"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Name and role; the last equals sign divides them."""
        name, equals, role = str(value).rpartition("=")
        if not equals or not name or role not in ("subject", "personal", "not-personal"):
            self.fail("say NAME=subject, NAME=personal or NAME=not-personal", param, ctx)
        return name, role


class ColumnCategory(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """What category of data a column holds, as ``NAME=SpecialCategoryPersonalData``."""

    name = "name=category"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Name and category; the first equals sign divides them."""
        name, equals, category = str(value).partition("=")
        if not name or not equals or not category:
            self.fail("say NAME=CATEGORY, a term of DPV or an IRI", param, ctx)
        return name, category


class ColumnKind(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """A column's type, as ``NAME=integer``."""

    name = "name=type"
    kinds = ("integer", "number", "boolean", "date", "dateTime", "string")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Name and type; the last equals sign divides them."""
        name, equals, kind = str(value).rpartition("=")
        if not equals or not name or kind not in self.kinds:
            self.fail(f"say NAME=TYPE, a type being one of {', '.join(self.kinds)}", param, ctx)
        return name, kind


@click.command()
@click.argument("file", type=PATH)
@click.option("--dataset", "-d", metavar="ID", help="The dataset's id; default: made of the file's name.")
@click.option("--title", help="What people read; default: the id.")
@click.option("--description", help="What it is, in a few sentences.")
@click.option("--language", help="Of title and description, ISO 639; default en.")
@click.option("--licence", help="SPDX id such as CC-BY-4.0, or a web address.")
@click.option("--keyword", "keywords", multiple=True, help="Repeatable.")
@click.option("--theme", "themes", multiple=True, help="EU data theme such as ENER or TRAN; repeatable.")
@click.option("--unit", help="The unit that answers for it; default: your first.")
@click.option("--schema", metavar="URL", help="A JSON Schema or Smart Data Model that describes its rows.")
@click.option("--raw", is_flag=True, help="A plain file, not a table: released whole or not at all.")
@click.option("--media-type", help="With --raw: what it is, such as application/pdf.")
@click.option("--append-only", is_flag=True, help="A table that others can subscribe to; see append.")
@click.option(
    "--column", "columns", type=ColumnRole(), multiple=True, help="What a column is; repeatable (see below)."
)
@click.option(
    "--category",
    "categories",
    type=ColumnCategory(),
    multiple=True,
    help="Which category of data a column holds, as NAME=DPV-TERM or NAME=IRI; repeatable.",
)
@click.option(
    "--group-by", metavar="COLUMNS", help="Count the smallest group of rows that agree in these columns (k)."
)
@click.option("--type", "types", type=ColumnKind(), multiple=True, help="A column's type; default: found.")
@click.option("--delimiter", type=click.Choice(tuple(DELIMITERS)), help="Of a CSV file; default: found.")
@click.option("--no-header", is_flag=True, help="The first line of a CSV file is a row already.")
@click.option(
    "--purpose", help="What it may be used for, a DPV term; default the policy's, or PublicBenefit."
)
@click.option("--days", type=click.IntRange(1, 36_500), help="How long an agreement holds; default 365.")
@click.option("--count", type=click.IntRange(1), help="How many times an agreement lets it be used.")
@click.option(
    "--policy", type=PATH, help="An ODRL policy (JSON-LD, or Turtle in .ttl), not made of purpose and count."
)
@parents_option
@click.option("--template", metavar="NAME", help="A policy for a usual case instead (policy templates).")
@settings
@click.option(
    "--legal-basis", help="On what the sharing rests, a DPV term such as LegalObligation, or an IRI."
)
@click.option("--secrecy-ground", metavar="IRI", help="What lifts official secrecy.")
@click.option(
    "--place", "places", multiple=True, help="Where it may be processed: ISO 3166, EU or EEA; default EU."
)
@click.option("--transfer-ground", metavar="IRI", help="Why it may leave the area of the settings.")
@priced
@click.option(
    "--approve",
    "approval",
    type=click.Choice(("members", "hand", "listed")),
    default="members",
    show_default=True,
    help="Who gets an agreement without being asked about.",
)
@click.option("--listed", multiple=True, metavar="DID", help="With --approve listed; repeatable.")
@contract_terms_option
@click.option(
    "--versions",
    type=click.Choice(("any", "current", "this")),
    help="Which versions an agreement is for: any (default), the current one, or this one alone.",
)
@click.option("--windows", type=click.IntRange(1, 64), help="W: unacknowledged windows at most; default 4.")
@click.option("--ack-seconds", type=click.IntRange(1, 3600), help="T: then a window is disputed; default 60.")
@on_home
def publish(
    session: Session,
    file: Path,
    dataset: str | None,
    columns: tuple[tuple[str, str], ...],
    categories: tuple[tuple[str, str], ...],
    group_by: str | None,
    keywords: tuple[str, ...],
    themes: tuple[str, ...],
    listed: tuple[str, ...],
    places: tuple[str, ...],
    policy: Path | None,
    parents: tuple[Path, ...],
    template: str | None,
    values: tuple[tuple[str, str], ...],
    types: tuple[tuple[str, str], ...],
    delimiter: str | None,
    no_header: bool,
    contract_terms: Path | None,
    **said: Any,
) -> None:
    """Publish FILE as a dataset, or as a new version of the dataset of that id.

    A table (CSV, JSON Lines, with the extra `tables` Parquet) is copied, read through and indexed;
    any other file is published with --raw. Columns that look as if they told of people have to be
    declared: NAME=subject (whom a row is about), NAME=personal, or NAME=not-personal.

    With the first version goes an offer, made of --purpose, --days and --count, or of --policy, free
    of charge unless --price says otherwise; or of --template, with its parameters --set. A policy that
    names another target than the dataset, or permits nothing for --purpose, is refused. A later version
    keeps it, unless --policy, --template, --price or one of the grounds puts another beside it (see
    retract). Whatever is not said of a later version stays as it was.

    \b
    Examples:
      bylag publish parking.csv --title "Parking" --licence CC-BY-4.0 --purpose PublicBenefit
      bylag publish homes.csv -d household-energy --column building=not-personal --approve hand
      bylag publish plan.pdf --raw --media-type application/pdf
      bylag publish firms.csv --price record --amount 25 --currency SEK --per 1000
      bylag publish firms.csv --template paid-per-record --set price=25 --set per=1000
    """
    if bool(listed) != (said["approval"] == "listed"):
        raise click.UsageError("--approve listed and --listed DID go together")
    if said["media_type"] is not None and not said["raw"]:
        raise click.UsageError("--media-type goes with --raw: a table's is found")
    arguments: JSONObject = without_none(file=str(file), **take_price(said))
    arguments["dataset"] = dataset if dataset is not None else _id_of(file)
    arguments["columns"] = dict(columns)
    if group_by is not None:
        arguments["grouped_by"] = list[JSON](names(group_by) or [])
    if delimiter is not None:
        arguments["delimiter"] = DELIMITERS[delimiter]
    if no_header:
        arguments["header"] = False
    for name, pairs in (("categories", categories), ("types", types)):
        if pairs:
            arguments[name] = dict(pairs)
    for name, texts in (("keywords", keywords), ("themes", themes), ("listed", listed)):
        if texts:
            arguments[name] = list[JSON](texts)
    if places:
        arguments["places"] = list[JSON](sorted(set(places)))
    if contract_terms is not None:
        arguments["contract_terms"] = read_contract_terms(contract_terms)
    arguments |= _policy_of(policy, parents, template, values)
    session.print(session.ask("publish", **arguments), _say_entry)


def _policy_of(
    policy: Path | None,
    parents: tuple[Path, ...],
    template: str | None,
    values: tuple[tuple[str, str], ...],
) -> JSONObject:
    """The policy that was given, or the template with its parameters; of both, neither."""
    if values and template is None:
        raise click.UsageError("--set goes with --template")
    if policy is not None and template is not None:
        raise click.UsageError("--policy and --template exclude each other")
    if parents and policy is None:
        raise click.UsageError("--parent goes with --policy")
    if template is not None:
        return {"template": {"name": template, "set": dict(values)}}
    if policy is None:
        return {}
    return {"policy": read_policy_file(policy, parents)}


@click.command()
@click.argument("dataset")
@click.argument("file", type=PATH)
@on_home
def append(session: Session, dataset: str, file: Path) -> None:
    """Add the rows of FILE to the append-only table DATASET; whoever subscribes to it gets them.

    \b
    Example:
      bylag append air-quality tonight.csv
    """
    result = session.ask("append", dataset=dataset, file=str(file))
    session.print(result, _say_appended)


@click.command()
@click.argument("offer")
@on_home
def retract(session: Session, offer: str) -> None:
    """Take OFFER out of your catalogue: no new agreement is made on it; those that are stay.

    \b
    Example:
      bylag retract offer-f70cfd52…
    """
    result = session.ask("retract-offer", offer=offer)
    session.print(
        result, lambda _: show.write(f"{result['dataset']} is no longer offered by {result['offer']}.")
    )


@click.command()
@click.argument("peer", required=False, callback=member)
@click.option("--query", "-q", help="Only what has these words in title, description or keywords.")
@click.option("--dcat", is_flag=True, help="As DCAT-AP 3 in JSON-LD.")
@on_home
def catalog(session: Session, peer: str | None, query: str | None, dcat: bool) -> None:
    """List your own datasets, or those of PEER, a member's did.

    \b
    Examples:
      bylag catalog
      bylag catalog did:web:alfa.example --query energy
      bylag catalog --dcat > catalog.jsonld
    """
    result = session.ask("catalog", **without_none(peer=peer, query=query), dcat=dcat)
    if dcat:
        show.write_json(result)
    else:
        session.print(result, _say_catalog)


@click.command()
@click.argument("dataset")
@click.option("--peer", metavar="DID", callback=member, help="Whose it is; default: yours.")
@on_home
def dataset(session: Session, dataset: str, peer: str | None) -> None:
    """Show one dataset: its columns, its versions, and its offers with their policies in plain sentences.

    \b
    Example:
      bylag dataset parking --peer did:web:alfa.example
    """
    session.print(session.ask("dataset", dataset=dataset, **without_none(peer=peer)), _say_entry)


def _id_of(file: Path) -> str:
    """A dataset's id made of a file's name; whether it is sound is checked with every other."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in file.stem.lower()).strip("-")


def _say_appended(result: Any) -> None:
    show.write(
        f"{result['rows']} rows were added to {result['dataset']}, from position {result['position']} on."
    )


def _say_catalog(entries: Any) -> None:
    show.table(
        ("dataset", "title", "form", "versions", "rows", "size", "about people", "purpose"),
        [
            (
                entry["dataset"]["id"],
                entry["dataset"]["title"],
                entry["dataset"]["form"],
                len(entry["versions"]),
                _newest(entry).get("rows"),
                show.size(_newest(entry)["size"]),
                entry["dataset"]["about_people"],
                ", ".join(_purpose(offer) for offer in entry["offers"]),
            )
            for entry in entries
        ],
        empty="There is no dataset.",
    )


def _say_entry(entry: Any) -> None:
    about, newest = entry["dataset"], _newest(entry)
    show.pairs(
        [
            ("dataset", about["id"]),
            ("title", about["title"]),
            ("description", about["description"]),
            ("publisher", f"{about['publisher']}, unit {about['unit']}"),
            ("licence", about["licence"]),
            ("form", f"{about['form']}, {newest['media_type']}"),
            ("about people", about["about_people"]),
            ("keywords", ", ".join(about["keywords"])),
            ("rows", newest.get("rows")),
            ("size", show.size(newest["size"])),
            *_groups(newest),
        ]
    )
    if newest.get("schema") is not None:
        show.write()
        show.table(
            ("column", "type", "may be empty", "role", "category"),
            [
                (
                    column["name"],
                    column["type"],
                    column["nullable"],
                    column.get("role"),
                    show.short(column["category"]) if "category" in column else None,
                )
                for column in newest["schema"]["columns"]
            ],
            empty="",
        )
    show.write()
    show.table(
        ("version", "published", "name"),
        [(each["number"], show.time(each["published"]), each["digest"]) for each in entry["versions"]],
        empty="",
    )
    show.write()
    show.table(
        ("offer", "purpose", "until", "price", "approved"),
        [
            (
                offer["id"],
                _purpose(offer),
                show.time(_terms(offer)["period"]["end"]),
                price_in_words(_terms(offer)["price"]),
                _approval(offer),
            )
            for offer in entry["offers"]
        ],
        empty="It is not offered.",
    )
    for offer in entry["offers"]:
        show.write()
        show.write(show.clean(f"{offer['id']}:"))
        say_policy(_terms(offer)["policy"])


def _groups(newest: Any) -> list[tuple[str, str]]:
    groups = newest.get("groups")
    if groups is None:
        return []
    return [("smallest group", f"{groups['smallest']} rows agree in {', '.join(groups['columns'])}")]


def _newest(entry: Any) -> Any:
    return entry["versions"][-1]["manifest"]


def _terms(offer: Any) -> Any:
    return offer["document"]["terms"]


def _purpose(offer: Any) -> str:
    return show.short(_terms(offer)["purpose"])


def _approval(offer: Any) -> str:
    approval = offer["document"]["approval"]
    if approval["by"] == "hand":
        return "by hand"
    if approval["any_member"]:
        return "any member"
    return ", ".join([*approval["kinds"], *approval["listed"]])
