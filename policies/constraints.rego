# A constraint's value: "true", "false", or "unknown" when a fact is missing, or the request is wider than
# the constraint, or the term is not enforced. A permission needs "true"; a prohibition binds unless
# "false". So doubt never lets data out.
#
# Rego has no recursion: a tree is evaluated level by level, and may be four operators deep. Counted
# operands belong to the permission whose constraint they stand in; in a refinement they are unknown.
package bylag.constraints

import data.bylag.counting
import data.bylag.elapsed
import data.bylag.families
import data.bylag.logic
import data.bylag.metered
import data.bylag.naming
import data.bylag.period
import data.bylag.purpose
import data.bylag.quantity
import data.bylag.rate
import data.bylag.recipient
import data.bylag.spacing

value(rule) := held(rule.constraint, rule) if {
	is_object(rule)
	nullable(rule.constraint)
} else := "unknown"

# Whether the refinement of an action, a party or an asset holds.
refined(thing) := held(thing.refinement, null) if {
	is_object(thing)
	nullable(thing.refinement)
} else := "unknown"

nullable(node) if is_null(node)

nullable(node) if is_object(node)

held(node, rule) := "true" if {
	is_null(node)
} else := value_4(node, rule)

value_4(node, rule) := logic.joined(node.logic, [v | some n in node.operands; v := value_3(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

value_3(node, rule) := logic.joined(node.logic, [v | some n in node.operands; v := value_2(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

value_2(node, rule) := logic.joined(node.logic, [v | some n in node.operands; v := value_1(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

value_1(node, rule) := logic.joined(node.logic, [v | some n in node.operands; v := leaf(n, rule)]) if {
	is_array(node.operands)
} else := leaf(node, rule)

leaf(node, rule) := of_family(families.of[node.left], node, rule) if {
	is_string(node.left)
} else := "unknown"

of_family(family, node, rule) := purpose.value(node) if {
	family == "purpose"
} else := period.value(node) if {
	family == "period"
} else := recipient.value(node) if {
	family == "recipient"
} else := elapsed.value(node) if {
	family == "elapsed"
} else := naming.value(node) if {
	family == "naming"
} else := quantity.value(node) if {
	family == "quantity"
} else := reserved(family, node, rule)

reserved(family, node, rule) := counting.value(node, rule) if {
	family == "counting"
} else := rate.value(node, rule) if {
	family == "rate"
} else := spacing.value(node, rule) if {
	family == "spacing"
} else := metered.value(node, rule) if {
	family == "metered"
}
