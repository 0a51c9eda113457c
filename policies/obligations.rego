# What is owed: the connector makes a tracked task of each.
#
# The duties of the permission that a use rests on arise with the use. What the policy obliges to by itself,
# the consequences of what was violated, and remedies for what was infringed stand whatever is decided.
package bylag.obligations

import data.bylag.assets
import data.bylag.conflict
import data.bylag.constraints
import data.bylag.duties
import data.bylag.parties

of_use := [owed("duty", conflict.chosen, duty) |
	some duty in conflict.chosen.duties
	duties.open(duty)
]

standing := array.concat(alone, array.concat(consequences, remedies))

alone := [owed("obligation", rule, rule) |
	some rule in bearing
	rule.kind == "obligation"
	duties.open(rule)
	constraints.value(rule) != "false"
]

# A consequence arises when the duty it belongs to was violated.
consequences := [owed("consequence", rule, consequence) |
	some rule in bearing
	some duty in array.concat(violable(rule), inside(violable(rule)))
	duties.state(duty) == "violated"
	some consequence in duty.consequences
	duties.open(consequence)
]

violable(rule) := [rule] if {
	rule.kind == "obligation"
} else := array.concat(rule.duties, rule.remedies)

inside(outer) := [consequence |
	some duty in outer
	is_array(duty.consequences)
	some consequence in duty.consequences
]

# A remedy is pending when somebody showed that its prohibition was infringed.
remedies := [owed("remedy", rule, remedy) |
	some rule in bearing
	some remedy in rule.remedies
	duties.state(remedy) == "pending"
]

bearing := [rule |
	some rule in input.policy.rules
	parties.assigned(rule) != "false"
	assets.targeted(rule) != "false"
]

owed(kind, rule, duty) := {
	"kind": kind,
	"rule": rule.id,
	"duty": duty.id,
	"state": duties.state(duty),
	"action": object.get(duty, "action", null),
	"constraint": object.get(duty, "constraint", null),
	"parties": object.get(duty, "parties", null),
	"target": object.get(duty, "target", null),
}
