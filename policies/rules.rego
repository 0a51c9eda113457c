# Which rules bear on the request, and which of them are active.
#
# A permission is active when everything about it is certain, its duties kept; a prohibition unless something
# rules it out. A remedy makes up for a prohibition that was infringed; it permits nothing (ODRL 2.2, 2.6.8).
package bylag.rules

import data.bylag.actions
import data.bylag.assets
import data.bylag.constraints
import data.bylag.duties
import data.bylag.parties

permissions := [rule |
	some rule in input.policy.rules
	rule.kind == "permission"
]

prohibitions := [rule |
	some rule in input.policy.rules
	rule.kind == "prohibition"
]

active_permissions := [rule |
	some rule in permissions
	actions.covers(rule.action) == "true"
	parties.assigned(rule) == "true"
	assets.targeted(rule) == "true"
	constraints.value(rule) == "true"
	duties.value(rule) == "true"
]

active_prohibitions := [rule |
	some rule in prohibitions
	actions.covers(rule.action) != "false"
	parties.assigned(rule) != "false"
	assets.targeted(rule) != "false"
	constraints.value(rule) != "false"
]
