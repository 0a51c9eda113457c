package bylag.constraints_test

import data.bylag.constraints
import data.bylag.question_test as question

yes := question.leaf("dateTime", "lteq", 1000)

no := question.leaf("dateTime", "gt", 1000)

open := question.leaf("weather", "eq", "sunny")

value_of(constraint) := value if {
	value := constraints.value(question.rule("permission", "use", constraint)) with input as question.of([])
}

joined(logic, operands) := value_of(question.tree(logic, operands))

test_no_constraint_holds if value_of(null) == "true"

test_a_term_nobody_enforces_is_unknown if {
	value_of(open) == "unknown"
	value_of({}) == "unknown"
	value_of({"left": 1}) == "unknown"
	value_of(question.tree("nand", [yes])) == "unknown"
	value_of({"operands": [yes]}) == "unknown"
	value_of([yes]) == "unknown"
	joined("and", [{"operands": [yes]}]) == "unknown"
	joined("and", [question.tree("or", [{"operands": [yes]}])]) == "unknown"
	joined("and", [question.tree("or", [question.tree("and", [{"operands": [yes]}])])]) == "unknown"
}

test_and if {
	joined("and", [yes, yes]) == "true"
	joined("and", [yes, no]) == "false"
	joined("and", [yes, open]) == "unknown"
	joined("and", [no, open]) == "false"
	joined("and", []) == "unknown"
}

test_or if {
	joined("or", [yes, no]) == "true"
	joined("or", [no, no]) == "false"
	joined("or", [no, open]) == "unknown"
	joined("or", [yes, open]) == "true"
	joined("or", []) == "unknown"
}

test_xone if {
	joined("xone", [yes, no]) == "true"
	joined("xone", [yes, yes]) == "false"
	joined("xone", [yes, yes, open]) == "false"
	joined("xone", [no, no]) == "false"
	joined("xone", [yes, open]) == "unknown"
	joined("xone", [no, open]) == "unknown"
	joined("xone", []) == "unknown"
}

test_and_sequence_stops_at_the_first_that_does_not_hold if {
	joined("andSequence", [yes, yes]) == "true"
	joined("andSequence", [yes, no, open]) == "false"
	joined("andSequence", [open, no]) == "unknown"
	joined("andSequence", [no, open]) == "false"
	joined("andSequence", []) == "unknown"
}

test_a_counted_operand_in_a_refinement_is_unknown if {
	every left in ["count", "bylag:rate", "timeInterval", "meteredTime"] {
		value := constraints.refined({"refinement": question.leaf(left, "eq", 1)}) with input as question.of([])
		value == "unknown"
	}
}

four_deep := question.tree("and", [question.tree("or", [question.tree("and", [question.tree("or", [yes])])])])

test_four_operators_deep_and_no_deeper if {
	value_of(four_deep) == "true"
	value_of(question.tree("and", [four_deep])) == "unknown"
}

test_operands_that_are_no_list_are_unknown if {
	value_of({"logic": "and", "operands": {"a": yes}}) == "unknown"
	value_of({"logic": "and", "operands": null}) == "unknown"
	joined("and", [yes, null]) == "unknown"
	joined("and", [yes, "true"]) == "unknown"
}

test_a_measured_number_is_compared if {
	known := question.knowing(question.of([]), {"values": {"percentage": {"value": 5, "unit": null}}})
	value := constraints.value(question.rule("permission", "use", question.leaf("percentage", "lteq", 10))) with input as known
	value == "true"
}
