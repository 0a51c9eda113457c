package bylag.elapsed_test

import data.bylag.decision
import data.bylag.elapsed
import data.bylag.question_test as question

# A hundred milliseconds after the agreement began.
values(left, operator) := [value |
	some bound in [99, 100, 101]
	value := elapsed.value(question.leaf(left, operator, bound)) with input as question.knowing(question.of([]), {"began": 900})
]

test_the_time_that_may_pass if {
	values("elapsedTime", "lteq") == ["false", "true", "true"]
	values("elapsedTime", "eq") == values("elapsedTime", "lteq")
	values("elapsedTime", "lt") == ["false", "false", "true"]
	values("elapsedTime", "gt") == ["unknown", "unknown", "unknown"]
}

test_the_time_that_must_pass if {
	values("delayPeriod", "gteq") == ["true", "true", "false"]
	values("delayPeriod", "eq") == values("delayPeriod", "gteq")
	values("delayPeriod", "gt") == ["true", "false", "false"]
	values("delayPeriod", "lt") == ["unknown", "unknown", "unknown"]
}

test_without_a_beginning_nothing_is_known if {
	every began in [null, 1001] {
		value := elapsed.value(question.leaf("elapsedTime", "lt", 5000)) with input as question.knowing(question.of([]), {"began": began})
		value == "unknown"
	}
}

test_a_bound_that_is_no_number_is_unknown if {
	value := elapsed.value(question.leaf("elapsedTime", "lt", "P1D")) with input as question.knowing(question.of([]), {"began": 900})
	value == "unknown"
}

until(left, operator, bound, now) := answer.valid_until if {
	rules := [question.rule("permission", "use", question.leaf(left, operator, bound))]
	answer := decision.answer with input as question.knowing(question.of(rules), {"began": 900, "now": now})
}

test_the_answer_holds_until_the_next_bound if {
	until("elapsedTime", "lteq", 500, 1000) == 1400
	until("elapsedTime", "lteq", 500, 1400) == 1401
	until("delayPeriod", "gteq", 500, 800) == 900
	until("delayPeriod", "gteq", 9007199254740991, 1000) == null
}

test_the_reason_says_what_was_compared if {
	rules := [question.rule("permission", "use", question.leaf("elapsedTime", "lteq", 50))]
	answer := decision.answer with input as question.knowing(question.of(rules), {"began": 900})
	answer.reasons == [{
		"code": "OUTSIDE_ELAPSED_TIME",
		"rule": "permission-use",
		"parameters": {"operand": "elapsedTime", "operator": "lteq", "duration": 50},
	}]
}
