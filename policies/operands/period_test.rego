package bylag.period_test

import data.bylag.period
import data.bylag.question_test as question

holds(operator) := [value |
	some bound in [999, 1000, 1001]
	value := period.value(question.leaf("dateTime", operator, bound)) with input as question.of([])
]

test_each_operator_around_now if {
	holds("lt") == ["false", "false", "true"]
	holds("lteq") == ["false", "true", "true"]
	holds("gt") == ["true", "false", "false"]
	holds("gteq") == ["true", "true", "false"]
	holds("eq") == ["false", "true", "false"]
	holds("neq") == ["true", "false", "true"]
	holds("isA") == ["unknown", "unknown", "unknown"]
}

test_a_bound_that_is_no_number_is_unknown if {
	every bound in [null, "1000", [1000], {}, true] {
		value := period.value(question.leaf("dateTime", "lteq", bound)) with input as question.of([])
		value == "unknown"
	}
}
