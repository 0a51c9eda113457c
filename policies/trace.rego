# How the answer came about: each rule, and each thing that it compared, with how it came out.
#
# Nothing is decided here: every value is the one that decision.rego rests on, asked of the same modules. A tree is
# gone through level by level, as constraints.rego does it. Every member is always there; null is "none".
package bylag.trace

import data.bylag.actions
import data.bylag.area
import data.bylag.assets
import data.bylag.compared
import data.bylag.conflict
import data.bylag.decision
import data.bylag.owed
import data.bylag.parties
import data.bylag.request
import data.bylag.rules

# METADATA
# entrypoint: true
answer := {
	"decision": decision.answer,
	"complete": request.complete,
	"purpose": purpose,
	"area": bounds,
	"conflict": strategy,
	"rules": traced,
}

purpose := {
	"within": request.within_agreement,
	"asked": asked,
	"agreed": agreed,
}

default asked := null

asked := input.request.purpose

default agreed := null

agreed := input.agreement.purpose

bounds := {
	"within": area.within,
	"area": countries,
	"country": area.country,
	"transfer": ground,
}

default countries := null

countries := input.facts.area

default ground := null

ground := input.facts.transfer

strategy := {
	"name": conflict_strategy,
	"permitted": conflict.permitted,
	"prohibited": count([true | conflict.prohibited]) > 0,
	"void": count([true | conflict.void]) > 0,
}

default conflict_strategy := null

conflict_strategy := input.policy.conflict

default traced := []

traced := [of_rule(rule) | some rule in input.policy.rules] if request.complete

of_rule(rule) := {
	"id": rule.id,
	"kind": rule.kind,
	"active": active(rule),
	"action": of_action(rule.action),
	"assignee": of_party(rule),
	"target": of_target(rule),
	"constraint": compared.tree(rule.constraint, rule),
	"duties": [owed.traced(duty) | some duty in owed_by(rule)],
	"remedies": [owed.traced(duty) | some duty in rule.remedies],
}

# An obligation is a duty that stands alone.
owed_by(rule) := [rule] if {
	rule.kind == "obligation"
} else := rule.duties

active(rule) if {
	rule.kind == "permission"
	some other in rules.active_permissions
	other.id == rule.id
} else if {
	rule.kind == "prohibition"
	some other in rules.active_prohibitions
	other.id == rule.id
} else := false

of_action(action) := {
	"value": actions.covers(action),
	"name": object.get(action, "name", null),
	"asked": input.request.action,
	"refinement": compared.tree(object.get(action, "refinement", null), null),
} if {
	is_object(action)
} else := {"value": "unknown", "name": null, "asked": input.request.action, "refinement": null}

of_party(rule) := object.union(
	of_entity(first_object([rule.parties.assignee, input.policy.assignee])),
	{"value": parties.assigned(rule), "asked": parties.recipient_names},
)

of_target(rule) := object.union(
	of_entity(first_object([rule.target, input.policy.target])),
	{"value": assets.targeted(rule), "asked": [input.request.dataset]},
)

first_object(values) := found[0] if {
	found := [value | some value in values; is_object(value)]
	count(found) > 0
} else := {}

of_entity(entity) := {
	"name": object.get(entity, "id", null),
	"collection": object.get(entity, "collection", false),
	"source": object.get(entity, "source", null),
	"refinement": compared.tree(object.get(entity, "refinement", null), null),
}
