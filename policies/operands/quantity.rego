# Operands that are compared with one number: sizes in bytes, money in minor units, time in milliseconds.
# A number in another unit than the policy names says nothing.
package bylag.quantity

value(node) := "true" if {
	comparable(node)
	holds(node.operator, input.facts.values[node.left].value, node.right)
} else := "false" if {
	comparable(node)
} else := "unknown"

comparable(node) if {
	node.operator in ["eq", "neq", "lt", "lteq", "gt", "gteq"]
	is_number(node.right)
	is_number(input.facts.values[node.left].value)
	input.facts.values[node.left].unit == node.unit
}

holds("eq", known, bound) if known == bound

holds("neq", known, bound) if known != bound

holds("lt", known, bound) if known < bound

holds("lteq", known, bound) if known <= bound

holds("gt", known, bound) if known > bound

holds("gteq", known, bound) if known >= bound
