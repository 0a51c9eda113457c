# Counters with an upper limit: whether there is room, and within which values the answer stays the same.
package bylag.limits

# The number of uses allowed in all.
highest(node) := node.right if {
	node.operator in ["lteq", "eq"]
	is_number(node.right)
} else := node.right - 1 if {
	node.operator == "lt"
	is_number(node.right)
}

room(name, limit) := "true" if {
	is_number(limit)
	input.facts.counters[name] < limit
	is_number(input.facts.counters[name])
} else := "false" if {
	is_number(limit)
	is_number(input.facts.counters[name])
} else := "unknown"

range(name, limit) := {"fact": "counter", "name": name, "from": 0, "below": limit} if {
	input.facts.counters[name] < limit
} else := {"fact": "counter", "name": name, "from": limit, "below": null}
