"""Constraints and refinements in JSON-LD: single comparisons, and logical operators over them.

Rules that hold here:

* A left operand says what its right operand is and which operators make sense; both are checked.
* The gate is asked about the left operand before its value is read: a term that is not enforced is
  named as such, whatever it is compared with.
"""

from __future__ import annotations

from typing import Final

from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.jsonld import Node, iri, term, type_iri, typed
from connector.policy.normal import MAX_LOGIC_DEPTH, Constraint, Leaf, Right, compared, joined, logic_depth
from connector.policy.values import check_unit, operand_value, states_type
from connector.policy.vocabulary import (
    LEFT_OPERANDS,
    LOGICS,
    OPERATORS,
    Datatype,
    LeftOperand,
    expand,
    local_name,
)

_MAX_WRITTEN_DEPTH: Final = 28
"""As deep as a document can nest; normal form is flatter, and is held to MAX_LOGIC_DEPTH."""


def read_constraints(node: Node, name: str) -> Constraint | None:
    """The constraints of a rule, or the refinements of an action, party or asset: all must hold."""
    found = []
    path = node.path_of(name)
    for value, at in node.all(name):
        node.gate(name, at)
        found.append(_constraint(Node(value, at, node.gate), 0))
    tree = joined("and", found)
    if tree is not None and logic_depth(tree) > MAX_LOGIC_DEPTH:
        raise MalformedPolicy(f"logical constraints nest deeper than {MAX_LOGIC_DEPTH}", field=path)
    return tree


def _constraint(node: Node, depth: int) -> Constraint:
    logics = [logic for logic in LOGICS if node.has(logic)]
    if not logics:
        return _leaf(node)
    node.check_class(("LogicalConstraint", "Constraint"))
    if len(logics) > 1:
        raise MalformedPolicy("more than one logical operator in one constraint", field=node.path)
    if depth > _MAX_WRITTEN_DEPTH:
        raise MalformedPolicy("logical constraints nest too deep", field=node.path)
    logic = logics[0]
    path = node.path_of(logic)
    node.gate(logic, path)
    name = node.name("uid")
    operands = [_constraint(Node(value, at, node.gate), depth + 1) for value, at in node.all(logic)]
    node.finish()
    tree = joined(logic, operands, name)
    if tree is None or not operands:
        raise MalformedPolicy("a logical constraint without operands", field=path)
    return tree


def _leaf(node: Node) -> Leaf:
    node.check_class(("Constraint",))
    left = node.required("leftOperand")
    name = term(*left)
    operand = LEFT_OPERANDS.get(name)
    if operand is None:
        raise PolicyRefused(
            name, left[1], "Use a left operand such as `purpose` or `dateTime` (docs/odrl-coverage.md)."
        )
    node.gate(name, left[1])
    operator = _operator(node, name, operand)
    if node.has("rightOperandReference"):
        right, datatype = _references(node, operator), "reference"
    else:
        right, datatype = _right(node, name, operand, operator), operand.datatype.value
    path = node.path_of("unit")
    unit = node.name("unit")
    if unit is not None:
        node.gate("unit", path)
    check_unit(name, unit, path)
    leaf = Leaf(name, operator, right, datatype, unit, node.name("uid"))
    node.finish()
    return leaf


def _operator(node: Node, name: str, operand: LeftOperand) -> str:
    found = node.required("operator")
    operator = term(*found)
    if operator in OPERATORS:
        node.gate(operator, found[1])
    if operator not in operand.operators:
        raise PolicyRefused(operator, found[1], f"With `{name}` use one of {', '.join(operand.operators)}.")
    return operator


def _right(node: Node, name: str, operand: LeftOperand, operator: str) -> Right:
    path = node.path_of("rightOperand")
    stated = node.one("dataType")
    values = []
    for value, at in node.all("rightOperand"):
        plain, datatype = typed(value, at)
        if datatype is None and stated is not None:
            datatype = type_iri(*stated)
        if datatype is not None and not states_type(datatype, operand.datatype):
            raise MalformedPolicy(
                f"`{name}` is compared with {operand.datatype.value}, not {datatype}", field=at
            )
        if isinstance(plain, str) and local_name(plain) == "policyUsage":
            node.gate("policyUsage", at)
        if isinstance(plain, str) and operand.datatype is Datatype.IRI:
            plain = expand(plain)
        values.append(operand_value(plain, name, operator, operand.datatype, at))
    return compared(values, operator, path)


def _references(node: Node, operator: str) -> Right:
    path = node.path_of("rightOperandReference")
    references = []
    for value, at in node.all("rightOperandReference"):
        node.gate("rightOperandReference", at)
        references.append(iri(value, at))
    return compared(references, operator, path)
