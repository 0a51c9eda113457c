# Constraint trees as they came out: for each comparison its value, and the fact that it was made with.
#
# Every value is asked of constraints.rego; null is "not known".
package bylag.compared

import data.bylag.constraints
import data.bylag.counting
import data.bylag.elapsed
import data.bylag.families
import data.bylag.metered
import data.bylag.parties
import data.bylag.rate
import data.bylag.spacing

tree(node, rule) := node_4(node, rule) if {
	is_object(node)
} else := null

node_4(node, rule) := joined(node, constraints.value_4(node, rule), [node_3(n, rule) | some n in node.operands]) if {
	is_array(node.operands)
} else := leaf(node, rule)

node_3(node, rule) := joined(node, constraints.value_3(node, rule), [node_2(n, rule) | some n in node.operands]) if {
	is_array(node.operands)
} else := leaf(node, rule)

node_2(node, rule) := joined(node, constraints.value_2(node, rule), [node_1(n, rule) | some n in node.operands]) if {
	is_array(node.operands)
} else := leaf(node, rule)

node_1(node, rule) := joined(node, constraints.value_1(node, rule), [leaf(n, rule) | some n in node.operands]) if {
	is_array(node.operands)
} else := leaf(node, rule)

joined(node, value, operands) := {
	"value": value,
	"logic": object.get(node, "logic", null),
	"operands": operands,
}

leaf(node, rule) := {
	"value": constraints.leaf(node, rule),
	"left": object.get(node, "left", null),
	"operator": object.get(node, "operator", null),
	"right": object.get(node, "right", null),
	"datatype": object.get(node, "datatype", null),
	"unit": object.get(node, "unit", null),
	"fact": fact(node, rule),
	"counter": counter(node, rule),
} if {
	is_object(node)
} else := {
	"value": constraints.leaf(node, rule),
	"left": null,
	"operator": null,
	"right": null,
	"datatype": null,
	"unit": null,
	"fact": null,
	"counter": null,
}

# What the comparison was made with, as the question holds it; null is not known.
fact(node, rule) := made_with(families.of[node.left], node, rule) if {
	is_string(node.left)
} else := null

made_with(family, node, rule) := input.request.purpose if {
	family == "purpose"
} else := input.facts.now if {
	family == "period"
} else := parties.recipient_names if {
	family == "recipient"
} else := elapsed.passed if {
	family == "elapsed"
} else := input.facts.values[node.left] if {
	family in ["naming", "quantity"]
} else := input.facts.counters[counter(node, rule)] if {
	counter(node, rule) != null
} else := null

counter(node, rule) := counting.name(rule) if {
	node.left == "count"
} else := rate.name(rule, rate.window(node)) if {
	node.left == "bylag:rate"
} else := spacing.name(rule) if {
	node.left == "timeInterval"
} else := metered.name(rule) if {
	node.left == "meteredTime"
} else := null
