# elapsedTime and delayPeriod: the time since the agreement began, by the provider's clock.
#
# ODRL gives both the operator eq: elapsedTime eq P30D may be used for thirty days, delayPeriod eq P30D may
# be used after thirty days. Before the agreement began nothing is known.
package bylag.elapsed

value(node) := "true" if {
	passed >= 0
	is_number(node.right)
	holds(node.left, node.operator, node.right)
} else := "false" if {
	passed >= 0
	is_number(node.right)
	node.operator in operators[node.left]
} else := "unknown"

passed := input.facts.now - input.facts.began if {
	is_number(input.facts.now)
	is_number(input.facts.began)
}

operators := {"elapsedTime": ["eq", "lt", "lteq"], "delayPeriod": ["eq", "gt", "gteq"]}

holds("elapsedTime", "eq", bound) if passed <= bound

holds("elapsedTime", "lteq", bound) if passed <= bound

holds("elapsedTime", "lt", bound) if passed < bound

holds("delayPeriod", "eq", bound) if passed >= bound

holds("delayPeriod", "gteq", bound) if passed >= bound

holds("delayPeriod", "gt", bound) if passed > bound

# The moments at which one of these constraints can change its value.
turning_points(nodes) := [point |
	is_number(input.facts.began)
	some node in nodes
	operators[node.left]
	is_number(node.right)
	bound := input.facts.began + node.right
	some point in [input.facts.began, bound, bound + 1]
]
