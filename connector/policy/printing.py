"""The normal form as ODRL in JSON-LD: what a catalogue shows, and what the Dataspace Protocol carries.

``normalise(as_odrl(policy))`` is ``policy`` again. Rules that are named by their content are printed
without a name; what all rules share stands at the policy, as the protocol's schemas want it.
"""

from __future__ import annotations

from connector.policy.normal import Action, Constraint, Entity, Leaf, NormalPolicy, Rule
from connector.policy.values import XSD_TYPES, written, written_moment
from connector.policy.vocabulary import CREATIVE_COMMONS, DUBLIN_CORE, PROFILE, Datatype
from ledger.canonical import JSON, JSONObject

_KINDS = {"set": "Set", "offer": "Offer", "agreement": "Agreement"}


def as_odrl(policy: NormalPolicy) -> JSONObject:
    """The policy as an ODRL document with the W3C context, which nobody needs to fetch to read it."""
    document: JSONObject = {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": _KINDS[policy.kind]}
    if policy.id is not None:
        document["@id"] = policy.id
    for name in ("assigner", "assignee", "target"):
        entity: Entity | None = getattr(policy, name)
        if entity is not None:
            document[name] = _entity(entity, "Asset" if name == "target" else "Party")
    if policy.conflict != "prohibit":
        document["conflict"] = policy.conflict
    if policy.profiles:
        document["profile"] = list(policy.profiles)
    if policy.inherits:
        document["inheritFrom"] = list(policy.inherits)
    if policy.timestamp is not None:
        document["timestamp"] = written_moment(policy.timestamp)
    document.update({DUBLIN_CORE + name: words for name, words in policy.about})
    for kind in ("permission", "prohibition", "obligation"):
        rules: list[JSON] = [_rule(rule) for rule in policy.rules if rule.kind == kind]
        if rules:
            document[kind] = rules
    return document


def _rule(rule: Rule) -> JSONObject:
    node: JSONObject = {} if rule.id == rule.content_id else {"@id": rule.id}
    if rule.action is not None:
        node["action"] = _action(rule.action)
    for name, party in rule.parties.items():
        if party is not None:
            node[name] = _entity(party, "Party")
    for name, asset in (("target", rule.target), ("output", rule.output)):
        if asset is not None:
            node[name] = _entity(asset, "Asset")
    if rule.constraint is not None:
        node["constraint"] = _constraints(rule.constraint)
    for name, duties in (
        ("duty", rule.duties),
        ("consequence", rule.consequences),
        ("remedy", rule.remedies),
    ):
        if duties:
            node[name] = [_rule(duty) for duty in duties]
    return node


def _action(action: Action) -> JSON:
    if action.refinement is None:
        return _name(action.name)
    return {"rdf:value": {"@id": "odrl:" + action.name}, "refinement": _constraints(action.refinement)}


def _entity(entity: Entity, kind: str) -> JSON:
    if not entity.collection and entity.id is not None:
        return entity.id
    node: JSONObject = {"@type": kind + "Collection"}
    if entity.id is not None:
        node["@id"] = entity.id
    if entity.source is not None:
        node["source"] = entity.source
    if entity.refinement is not None:
        node["refinement"] = _constraints(entity.refinement)
    return node


def _constraints(constraint: Constraint) -> list[JSON]:
    """The top of a tree: an unnamed ``and`` is what several constraints in a list mean."""
    if not isinstance(constraint, Leaf) and constraint.logic == "and" and constraint.id is None:
        return [_constraint(operand) for operand in constraint.operands]
    return [_constraint(constraint)]


def _constraint(constraint: Constraint) -> JSONObject:
    node: JSONObject = {} if constraint.id is None else {"@id": constraint.id}
    if isinstance(constraint, Leaf):
        return {**node, **_leaf(constraint)}
    operands: list[JSON] = [_constraint(operand) for operand in constraint.operands]
    return {**node, constraint.logic: {"@list": operands} if constraint.logic == "andSequence" else operands}


def _leaf(leaf: Leaf) -> JSONObject:
    node: JSONObject = {"leftOperand": _name(leaf.left), "operator": leaf.operator}
    values = leaf.right if isinstance(leaf.right, tuple) else (leaf.right,)
    if leaf.datatype == "reference":
        node["rightOperandReference"] = [{"@id": str(value)} for value in values]
    else:
        datatype = Datatype(leaf.datatype)
        literals = [_literal(value, datatype) for value in values]
        node["rightOperand"] = literals if isinstance(leaf.right, tuple) else literals[0]
    if leaf.unit is not None:
        node["unit"] = {"@id": leaf.unit}
    return node


def _literal(value: int | str, datatype: Datatype) -> JSON:
    if datatype is Datatype.IRI:
        return {"@id": str(value)}
    return {"@value": written(value, datatype), "@type": "xsd:" + XSD_TYPES[datatype][0]}


def _name(name: str) -> str:
    prefix, colon, local = name.partition(":")
    return {"cc": CREATIVE_COMMONS, "bylag": PROFILE}[prefix] + local if colon else name
