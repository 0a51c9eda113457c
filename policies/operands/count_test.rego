package bylag.counting_test

import data.bylag.decision
import data.bylag.question_test as question

limited(operator, bound) := question.rule("permission", "use", question.leaf("count", operator, bound))

counted(rules, uses) := question.changed(question.of(rules), "/facts/counters", {"count:permission-use": uses})

test_there_is_room_until_the_limit if {
	answer := decision.answer with input as counted([limited("lteq", 3)], 2)
	answer.allow == true
	answer.counters == [{"kind": "use", "name": "count:permission-use", "limit": 3, "window": null}]
	answer.depends_on == [{"fact": "counter", "name": "count:permission-use", "from": 0, "below": 3}]
}

test_the_limit_is_the_last_use if {
	answer := decision.answer with input as counted([limited("lteq", 3)], 3)
	answer.allow == false
	answer.reasons == [{"code": "COUNT_USED_UP", "rule": "permission-use", "parameters": {"limit": 3}}]
	answer.depends_on == [{"fact": "counter", "name": "count:permission-use", "from": 3, "below": null}]
	answer.counters == []
}

test_less_than_leaves_one_use_less if {
	answer := decision.answer with input as counted([limited("lt", 3)], 2)
	answer.allow == false
	before := decision.answer with input as counted([limited("lt", 3)], 1)
	before.counters == [{"kind": "use", "name": "count:permission-use", "limit": 2, "window": null}]
}

test_a_counter_without_a_value_denies if {
	answer := decision.answer with input as question.of([limited("lteq", 3)])
	answer.allow == false
	answer.reasons == [{"code": "FACT_MISSING", "rule": "permission-use", "parameters": {"operand": "count"}}]
}

test_the_lowest_of_several_limits_counts if {
	both := question.rule("permission", "use", question.tree("and", [question.leaf("count", "lteq", 9), question.leaf("count", "lteq", 4)]))
	answer := decision.answer with input as counted([both], 1)
	answer.counters == [{"kind": "use", "name": "count:permission-use", "limit": 4, "window": null}]
}

test_a_permission_without_a_counter_goes_first if {
	free := question.rule("permission", "read", null)
	answer := decision.answer with input as counted([free, limited("lteq", 3)], 0)
	answer.counters == []
	answer.reasons == [{"code": "PERMITTED", "rule": "permission-read", "parameters": {}}]
}
