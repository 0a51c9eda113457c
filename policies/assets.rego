# What a rule is about: its target, or the policy's, or anything. Collections and refinements are unknown.
package bylag.assets

targeted(rule) := meant(rule.target) if {
	is_object(rule.target)
} else := meant(input.policy.target) if {
	is_object(input.policy.target)
} else := "true" if {
	is_null(rule.target)
	is_null(input.policy.target)
} else := "unknown"

meant(asset) := "unknown" if {
	not plain(asset)
} else := "true" if {
	asset.id == input.request.dataset
} else := "false"

plain(asset) if {
	is_string(asset.id)
	asset.collection == false
	is_null(asset.refinement)
}
