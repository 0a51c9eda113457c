# A constraint's value: "true", "false", or "unknown" when a fact is missing, or the request is wider than
# the constraint, or the term is not enforced. Logic is Kleene's: unknown stays unknown unless the others
# settle it. A permission needs "true"; a prohibition binds unless "false". So doubt never lets data out.
#
# Rego has no recursion: a tree is evaluated level by level, and may be four operators deep.
package bylag.constraints

import data.bylag.counting
import data.bylag.period
import data.bylag.purpose
import data.bylag.recipient

value(rule) := "true" if {
	is_null(rule.constraint)
} else := value_4(rule.constraint, rule) if {
	is_object(rule.constraint)
} else := "unknown"

value_4(node, rule) := joined(node.logic, [v | some n in node.operands; v := value_3(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

value_3(node, rule) := joined(node.logic, [v | some n in node.operands; v := value_2(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

value_2(node, rule) := joined(node.logic, [v | some n in node.operands; v := value_1(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

value_1(node, rule) := joined(node.logic, [v | some n in node.operands; v := leaf(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

leaf(node, rule) := purpose.value(node) if {
	node.left == "purpose"
} else := period.value(node) if {
	node.left == "dateTime"
} else := recipient.value(node) if {
	node.left == "recipient"
} else := counting.value(node, rule) if {
	node.left == "count"
} else := "unknown"

joined(logic, values) := conjunction(values) if {
	logic == "and"
} else := disjunction(values) if {
	logic == "or"
} else := exactly_one(values) if {
	logic == "xone"
} else := "unknown"

conjunction(values) := "false" if {
	"false" in values
} else := "unknown" if {
	"unknown" in values
} else := "true" if {
	count_of(values, "true") > 0
} else := "unknown"

disjunction(values) := "true" if {
	"true" in values
} else := "unknown" if {
	"unknown" in values
} else := "false" if {
	count_of(values, "false") > 0
} else := "unknown"

exactly_one(values) := "false" if {
	count_of(values, "true") > 1
} else := "unknown" if {
	"unknown" in values
} else := "true" if {
	count_of(values, "true") == 1
} else := "false" if {
	count_of(values, "false") > 0
} else := "unknown"

count_of(values, wanted) := count([v | some v in values; v == wanted])
