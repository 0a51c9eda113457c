# What a rule is about: its target, or the policy's, or anything.
package bylag.assets

import data.bylag.collections

targeted(rule) := meant(rule.target) if {
	is_object(rule.target)
} else := meant(input.policy.target) if {
	is_object(input.policy.target)
} else := "true" if {
	is_null(rule.target)
	is_null(input.policy.target)
} else := "unknown"

meant(asset) := collections.meant(asset, [input.request.dataset])
