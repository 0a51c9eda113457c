# timeInterval: how far apart two uses of a permission must lie. The counter holds the moment of the last
# use, 0 for none; the writer checks the distance again and sets it in the transaction that records the use.
package bylag.spacing

import data.bylag.tree

value(node, rule) := "true" if {
	comparable(rule)
	input.facts.now >= free_at(rule, shortest(node))
} else := "false" if {
	comparable(rule)
	is_number(shortest(node))
} else := "unknown"

comparable(rule) if {
	is_number(input.facts.counters[name(rule)])
	is_number(input.facts.now)
}

# From when on the next use may be; a first use may be at once.
free_at(rule, apart) := 0 if {
	is_number(apart)
	input.facts.counters[name(rule)] == 0
} else := input.facts.counters[name(rule)] + apart

name(rule) := concat(":", ["last", rule.id]) if is_string(rule.id)

shortest(node) := node.right if {
	node.operator in ["eq", "gteq"]
	is_number(node.right)
} else := node.right + 1 if {
	node.operator == "gt"
	is_number(node.right)
}

intervals(rule) := [apart |
	some node in tree.leaves(rule)
	node.left == "timeInterval"
	apart := shortest(node)
]

guards(rule) := [{"kind": "spacing", "name": name(rule), "limit": max(found), "window": null} |
	found := intervals(rule)
	count(found) > 0
]

# The answer rests on the moment of the last use itself.
ranges(rule) := [{"fact": "counter", "name": name(rule), "from": last, "below": last + 1} |
	count(intervals(rule)) > 0
	last := input.facts.counters[name(rule)]
	is_number(last)
]

turning_points(rule) := [free_at(rule, apart) |
	comparable(rule)
	some apart in intervals(rule)
]
