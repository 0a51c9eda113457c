# count: how often a permission was used under this agreement, measured from the ledger.
#
# The value says whether there is room now. The guards name the counters and their limits: the writer
# reserves each of them in the transaction that records the release, so two requests for the last use
# cannot both get it.
package bylag.counting

import data.bylag.limits
import data.bylag.tree

value(node, rule) := limits.room(name(rule), limits.highest(node)) if {
	is_string(rule.id)
} else := "unknown"

name(rule) := concat(":", ["count", rule.id]) if is_string(rule.id)

highest(rule) := [limit |
	some node in tree.leaves(rule)
	node.left == "count"
	limit := limits.highest(node)
]

guards(rule) := [{"kind": "use", "name": name(rule), "limit": min(found), "window": null} |
	found := highest(rule)
	count(found) > 0
]

ranges(rule) := [limits.range(name(rule), limit) |
	some limit in highest(rule)
	is_number(input.facts.counters[name(rule)])
]
