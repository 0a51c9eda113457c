# dateTime: the provider's clock, measured, in integer milliseconds.
package bylag.period

value(constraint) := "unknown" if {
	not comparable(constraint)
} else := "true" if {
	holds(constraint.operator, constraint.right)
} else := "false"

comparable(constraint) if {
	constraint.operator in {"eq", "neq", "lt", "lteq", "gt", "gteq"}
	is_number(constraint.right)
	is_number(input.facts.now)
}

holds("eq", bound) if input.facts.now == bound

holds("neq", bound) if input.facts.now != bound

holds("lt", bound) if input.facts.now < bound

holds("lteq", bound) if input.facts.now <= bound

holds("gt", bound) if input.facts.now > bound

holds("gteq", bound) if input.facts.now >= bound
