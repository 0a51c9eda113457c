# bylag:rate: how often a permission is used within a minute, an hour, a day or a week, measured from the ledger.
#
# Windows begin at whole multiples of their length since 1970. The writer reserves a use in the window that
# the guard names by its start; the question holds the uses of the window that holds now.
package bylag.rate

import data.bylag.limits
import data.bylag.request
import data.bylag.tree

# An array: engines go through an object's members each in an order of their own.
windows := [
	{"unit": "urn:bylag:profile:1:minute", "name": "minute", "length": 60000},
	{"unit": "urn:bylag:profile:1:hour", "name": "hour", "length": 3600000},
	{"unit": "urn:bylag:profile:1:day", "name": "day", "length": 86400000},
	{"unit": "urn:bylag:profile:1:week", "name": "week", "length": 604800000},
]

# Where no unit is named, a day is meant.
window(node) := windows[2] if {
	is_null(node.unit)
} else := found[0] if {
	found := [of | some of in windows; of.unit == node.unit]
}

value(node, rule) := limits.room(name(rule, window(node)), limits.highest(node)) if {
	is_string(rule.id)
	window(node)
} else := "unknown"

name(rule, of) := concat(":", ["rate", of.name, rule.id])

start(of) := input.facts.now - (input.facts.now % of.length) if request.moment

bounds(rule) := [{"name": name(rule, of), "limit": min(found), "window": of} |
	some of in windows
	found := [limit |
		some node in tree.leaves(rule)
		node.left == "bylag:rate"
		window(node) == of
		limit := limits.highest(node)
	]
	count(found) > 0
]

guards(rule) := [{"kind": "use", "name": bound.name, "limit": bound.limit, "window": start(bound.window)} |
	some bound in bounds(rule)
]

ranges(rule) := [limits.range(bound.name, bound.limit) |
	some bound in bounds(rule)
	is_number(input.facts.counters[bound.name])
]

# When the window that holds now ends.
turning_points(nodes) := [point |
	some node in nodes
	node.left == "bylag:rate"
	of := window(node)
	point := start(of) + of.length
]
