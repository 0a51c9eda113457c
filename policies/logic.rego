# Three-valued logic: "true", "false", "unknown". Kleene's: unknown stays unknown unless the others settle it.
package bylag.logic

joined(logic, values) := conjunction(values) if {
	logic == "and"
} else := disjunction(values) if {
	logic == "or"
} else := exactly_one(values) if {
	logic == "xone"
} else := sequence(values) if {
	logic == "andSequence"
} else := "unknown"

conjunction(values) := "false" if {
	"false" in values
} else := "unknown" if {
	"unknown" in values
} else := "true" if {
	count_of(values, "true") > 0
} else := "unknown"

disjunction(values) := "true" if {
	"true" in values
} else := "unknown" if {
	"unknown" in values
} else := "false" if {
	count_of(values, "false") > 0
} else := "unknown"

exactly_one(values) := "false" if {
	count_of(values, "true") > 1
} else := "unknown" if {
	"unknown" in values
} else := "true" if {
	count_of(values, "true") == 1
} else := "false" if {
	count_of(values, "false") > 0
} else := "unknown"

# One after the other: what follows the first that does not hold is not looked at. So what comes first
# decides whether the whole is false or unknown.
sequence(values) := others[0] if {
	others := [v | some v in values; v != "true"]
	count(others) > 0
} else := "true" if {
	count_of(values, "true") > 0
} else := "unknown"

opposite("true") := "false"

opposite("false") := "true"

opposite("unknown") := "unknown"

# Several values of one fact: certain only when all of them agree.
agreed(values) := "true" if {
	count(values) > 0
	count_of(values, "true") == count(values)
} else := "false" if {
	count(values) > 0
	count_of(values, "false") == count(values)
} else := "unknown"

count_of(values, wanted) := count([v | some v in values; v == wanted])
