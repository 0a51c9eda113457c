# purpose: one DPV purpose, declared in the consumer's signed Request.
#
# eq, isA, isAnyOf hold when the purpose asked for is a named one or narrower. neq and isNoneOf hold when it
# has nothing in common with any named one. In between (asked wider, or overlapping) the value is unknown.
package bylag.purpose

value(constraint) := positive(constraint) if {
	constraint.operator in {"eq", "isA", "isAnyOf"}
} else := opposite(positive(constraint)) if {
	constraint.operator in {"neq", "isNoneOf"}
} else := "unknown"

positive(constraint) := "true" if {
	some named in named_purposes(constraint)
	narrower_or_same(input.request.purpose, named)
} else := "false" if {
	known(input.request.purpose)
	every named in named_purposes(constraint) {
		known(named)
		not overlapping(input.request.purpose, named)
	}
} else := "unknown"

opposite("true") := "false"

opposite("false") := "true"

opposite("unknown") := "unknown"

named_purposes(constraint) := constraint.right if {
	is_array(constraint.right)
} else := [constraint.right]

narrower_or_same(asked, named) if data.bylag.facts.purposes[asked][named]

known(purpose) if data.bylag.facts.purposes[purpose]

# Two purposes overlap when some purpose is at or below both.
overlapping(asked, named) if {
	some purpose, _ in data.bylag.facts.narrower_purposes[asked]
	data.bylag.facts.purposes[purpose][named]
}
