# Why: codes with parameters, worded by the connector. At most twenty, in the order of the policy's rules.
#
# Arrays throughout: a set has an order of its own in each engine, and WebAssembly's are slow when large.
package bylag.reasons

import data.bylag.actions
import data.bylag.assets
import data.bylag.conflict
import data.bylag.constraints
import data.bylag.counting
import data.bylag.parties
import data.bylag.request
import data.bylag.rules
import data.bylag.tree

listed := [{"code": "PERMITTED", "rule": conflict.chosen.id, "parameters": {}}] if {
	request.complete
	request.within_agreement
	conflict.permitted
} else := array.slice(against, 0, 20) if {
	request.complete
} else := [{"code": "INPUT_INCOMPLETE", "rule": null, "parameters": {}}]

against := array.concat(
	array.concat(beyond_agreement, array.concat(void, prohibited)),
	array.concat(without_permission, array.concat(not_meant, not_satisfied)),
)

beyond_agreement := [{"code": "PURPOSE_BEYOND_AGREEMENT", "rule": null, "parameters": purposes} |
	not request.within_agreement
	purposes := {"asked": input.request.purpose, "agreed": input.agreement.purpose}
]

void := [{"code": "POLICY_VOID", "rule": null, "parameters": {}} | conflict.void]

prohibited := [{"code": "PROHIBITED", "rule": rule.id, "parameters": {"action": input.request.action}} |
	conflict.prohibited
	some rule in rules.active_prohibitions
]

without_permission := [{"code": "NO_PERMISSION", "rule": null, "parameters": {}} | rules.permissions == []]

not_meant := [reason |
	some rule in rules.permissions
	some reason in array.concat(other_action(rule), array.concat(other_party(rule), other_target(rule)))
]

other_action(rule) := [{"code": "ACTION_NOT_PERMITTED", "rule": rule.id, "parameters": {"asked": asked}} |
	actions.covers(rule.action) != "true"
	asked := input.request.action
]

other_party(rule) := [{"code": "RECIPIENT_NOT_ASSIGNEE", "rule": rule.id, "parameters": {}} |
	parties.assigned(rule) != "true"
]

other_target(rule) := [{"code": "OTHER_TARGET", "rule": rule.id, "parameters": {"asked": asked}} |
	assets.targeted(rule) != "true"
	asked := input.request.dataset
]

not_satisfied := [of_leaf(node, rule) |
	some rule in rules.permissions
	actions.covers(rule.action) == "true"
	parties.assigned(rule) == "true"
	assets.targeted(rule) == "true"
	constraints.value(rule) != "true"
	some node in tree.leaves(rule)
	constraints.leaf(node, rule) != "true"
]

of_leaf(node, rule) := {
	"code": "PURPOSE_NOT_PERMITTED",
	"rule": rule.id,
	"parameters": {"asked": input.request.purpose, "operator": node.operator, "named": node.right},
} if {
	node.left == "purpose"
} else := {
	"code": "OUTSIDE_PERIOD",
	"rule": rule.id,
	"parameters": {"operator": node.operator, "bound": node.right},
} if {
	node.left == "dateTime"
} else := {
	"code": "RECIPIENT_NOT_PERMITTED",
	"rule": rule.id,
	"parameters": {"operator": node.operator, "named": node.right},
} if {
	node.left == "recipient"
} else := {
	"code": "COUNT_USED_UP",
	"rule": rule.id,
	"parameters": {"limit": counting.limit(node)},
} if {
	node.left == "count"
	constraints.leaf(node, rule) == "false"
} else := {
	"code": "FACT_MISSING",
	"rule": rule.id,
	"parameters": {"operand": "count"},
} if {
	node.left == "count"
} else := {"code": "NOT_ENFORCED", "rule": rule.id, "parameters": {}}
