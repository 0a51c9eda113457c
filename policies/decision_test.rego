package bylag.decision_test

import data.bylag.decision
import data.bylag.question_test as question

permitted := question.rule("permission", "use", null)

test_a_plain_permission_allows if {
	answer := decision.answer with input as question.of([permitted])
	answer.allow == true
	answer.reasons == [{"code": "PERMITTED", "rule": "permission-use", "parameters": {}}]
	answer.valid_until == null
	answer.counters == []
}

test_nothing_is_allowed_without_a_permission if {
	answer := decision.answer with input as question.of([])
	answer.allow == false
	answer.reasons == [{"code": "NO_PERMISSION", "rule": null, "parameters": {}}]
}

test_an_empty_input_is_denied_with_a_whole_answer if {
	answer := decision.answer with input as {}
	answer == {
		"allow": false,
		"reasons": [{"code": "INPUT_INCOMPLETE", "rule": null, "parameters": {}}],
		"obligations": [],
		"row_filter": null,
		"column_mask": [],
		"counters": [],
		"valid_until": null,
		"depends_on": [],
	}
}

test_anything_but_an_object_is_denied if {
	every strange in [null, true, 0, "", [], [{}], "allow"] {
		answer := decision.answer with input as strange
		answer.allow == false
	}
}

test_every_missing_field_denies if {
	every path in [
		"/type",
		"/version",
		"/agreement",
		"/agreement/purpose",
		"/facts",
		"/facts/now",
		"/facts/counters",
		"/facts/area",
		"/facts/began",
		"/facts/collections",
		"/facts/duties",
		"/facts/transfer",
		"/facts/values",
		"/policy",
		"/policy/type",
		"/policy/version",
		"/policy/conflict",
		"/policy/assignee",
		"/policy/target",
		"/policy/rules",
		"/policy/rules/0/kind",
		"/policy/rules/0/id",
		"/policy/rules/0/action",
		"/policy/rules/0/action/refinement",
		"/policy/rules/0/parties",
		"/policy/rules/0/parties/assignee",
		"/policy/rules/0/target",
		"/policy/rules/0/constraint",
		"/policy/rules/0/duties",
		"/policy/rules/0/consequences",
		"/policy/rules/0/remedies",
		"/request",
		"/request/action",
		"/request/purpose",
		"/request/dataset",
		"/request/recipient",
		"/request/recipient/did",
		"/request/recipient/unit",
		"/request/recipient/attributes",
	] {
		answer := decision.answer with input as question.without(question.of([permitted]), path)
		answer.allow == false
	}
}

test_a_duty_without_a_name_is_not_decided if {
	every member in ["duties", "consequences", "remedies"] {
		every strange in [null, {}, [null], ["inform"], [{"id": 1}], [{}]] {
			answer := decision.answer with input as question.of([question.such(permitted, member, strange)])
			answer.allow == false
		}
	}
}

test_a_clock_that_is_no_moment_decides_nothing if {
	every now in [null, "1000", -1, 253402300800000] {
		answer := decision.answer with input as question.changed(question.of([permitted]), "/facts/now", now)
		answer.reasons == [{"code": "INPUT_INCOMPLETE", "rule": null, "parameters": {}}]
	}
}

test_at_most_twenty_reasons if {
	leaves := [question.leaf("dateTime", "gt", bound) | some bound in numbers.range(2000, 2100)]
	answer := decision.answer with input as question.of([question.rule("permission", "use", question.tree("or", leaves))])
	answer.allow == false
	count(answer.reasons) == 20
}
