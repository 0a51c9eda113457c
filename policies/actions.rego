# The action hierarchy (ODRL 2.2, includedIn): who may use may read; who may not use may not read.
#
# A refined action is narrower than its name, and refinements are not enforced yet: whether it covers
# the request is unknown, which counts against the request under a permission and under a prohibition.
package bylag.actions

covers(action) := "true" if {
	is_null(action.refinement)
	data.bylag.facts.actions[input.request.action][action.name]
} else := "false" if {
	data.bylag.facts.actions[action.name]
	asked := data.bylag.facts.actions[input.request.action]
	not asked[action.name]
} else := "unknown"
