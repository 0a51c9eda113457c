# Why: codes with parameters, worded by the connector. At most twenty, in the order of the policy's rules.
#
# Arrays throughout: a set has an order of its own in each engine, and WebAssembly's are slow when large.
package bylag.reasons

import data.bylag.actions
import data.bylag.area
import data.bylag.assets
import data.bylag.conflict
import data.bylag.constraints
import data.bylag.duties
import data.bylag.parties
import data.bylag.request
import data.bylag.rules
import data.bylag.tree
import data.bylag.unmet

listed := [{"code": "PERMITTED", "rule": conflict.chosen.id, "parameters": {}}] if {
	request.complete
	request.within_agreement
	area.within
	conflict.permitted
} else := array.slice(against, 0, 20) if {
	request.complete
} else := [{"code": "INPUT_INCOMPLETE", "rule": null, "parameters": {}}]

against := array.concat(
	array.concat(array.concat(beyond_agreement, outside_area), array.concat(void, prohibited)),
	array.concat(
		array.concat(without_permission, not_meant),
		array.concat(array.concat(not_satisfied, not_together), not_kept),
	),
)

beyond_agreement := [{"code": "PURPOSE_BEYOND_AGREEMENT", "rule": null, "parameters": purposes} |
	not request.within_agreement
	purposes := {"asked": input.request.purpose, "agreed": input.agreement.purpose}
]

outside_area := [{"code": "OUTSIDE_AREA", "rule": null, "parameters": {"country": area.country}} |
	not area.within
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

not_satisfied := [unmet.reason(node, rule) |
	some rule in rules.permissions
	actions.covers(rule.action) == "true"
	parties.assigned(rule) == "true"
	assets.targeted(rule) == "true"
	constraints.value(rule) != "true"
	some node in tree.leaves(rule)
	constraints.leaf(node, rule) != "true"
]

# Each comparison holds, and together they do not: more than one under xone.
not_together := [{"code": "COMBINATION_NOT_MET", "rule": rule.id, "parameters": {}} |
	some rule in rules.permissions
	actions.covers(rule.action) == "true"
	parties.assigned(rule) == "true"
	assets.targeted(rule) == "true"
	constraints.value(rule) != "true"
	missed := [node | some node in tree.leaves(rule); constraints.leaf(node, rule) != "true"]
	missed == []
]

not_kept := [{"code": code, "rule": rule.id, "parameters": {"duty": duty.id, "action": action}} |
	some rule in rules.permissions
	actions.covers(rule.action) == "true"
	parties.assigned(rule) == "true"
	assets.targeted(rule) == "true"
	some duty in rule.duties
	duties.kept(duty) != "true"
	code := unmet.of_duty(duty)
	action := unmet.action_of(duty)
]
