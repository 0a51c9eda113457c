# The action hierarchy (ODRL 2.2, includedIn): who may use may read; who may not use may not read.
#
# A refined action is narrower than its name: it covers the request when its refinement holds, too.
package bylag.actions

import data.bylag.constraints
import data.bylag.logic

covers(action) := logic.conjunction([named(action), constraints.refined(action)])

named(action) := "true" if {
	data.bylag.facts.actions[input.request.action][action.name]
} else := "false" if {
	data.bylag.facts.actions[action.name]
	asked := data.bylag.facts.actions[input.request.action]
	not asked[action.name]
} else := "unknown"
