package bylag.validity_test

import data.bylag.decision
import data.bylag.question_test as question

until(operator, bound, now) := answer.valid_until if {
	rules := [question.rule("permission", "use", question.leaf("dateTime", operator, bound))]
	answer := decision.answer with input as question.changed(question.of(rules), "/facts/now", now)
}

test_the_answer_holds_until_the_next_bound if {
	every operator in ["lt", "lteq", "gt", "gteq", "eq", "neq"] {
		until(operator, 2000, 1000) == 2000
		until(operator, 2000, 1999) == 2000
		until(operator, 2000, 2000) == 2001
		until(operator, 2000, 2001) == null
	}
}

test_prohibitions_and_nested_constraints_count_too if {
	nested := question.tree("or", [question.leaf("dateTime", "gt", 5000), question.tree("and", [question.leaf("dateTime", "gt", 3000)])])
	rules := [question.rule("permission", "use", question.leaf("dateTime", "lt", 9000)), question.rule("prohibition", "use", nested)]
	answer := decision.answer with input as question.of(rules)
	answer.valid_until == 3000
}

test_a_bound_that_is_no_number_bounds_nothing if until("lt", "soon", 1000) == null
