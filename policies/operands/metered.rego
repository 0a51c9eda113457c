# meteredTime: milliseconds of metered use so far, measured by the provider. There is room until they reach
# the limit; the use that reaches it is the last.
package bylag.metered

import data.bylag.limits
import data.bylag.tree

value(node, rule) := limits.room(name(rule), limits.highest(node)) if {
	is_string(rule.id)
} else := "unknown"

name(rule) := concat(":", ["metered", rule.id]) if is_string(rule.id)

highest(rule) := [limit |
	some node in tree.leaves(rule)
	node.left == "meteredTime"
	limit := limits.highest(node)
]

guards(rule) := [{"kind": "room", "name": name(rule), "limit": min(found), "window": null} |
	found := highest(rule)
	count(found) > 0
]

ranges(rule) := [limits.range(name(rule), limit) |
	some limit in highest(rule)
	is_number(input.facts.counters[name(rule)])
]
