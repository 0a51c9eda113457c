package bylag.spacing_test

import data.bylag.decision
import data.bylag.question_test as question

asked(operator, apart, last, now) := answer if {
	rule := question.rule("permission", "use", question.leaf("timeInterval", operator, apart))
	facts := {"counters": {"last:permission-use": last}, "now": now}
	answer := decision.answer with input as question.knowing(question.of([rule]), facts)
}

test_the_first_use_may_be_at_once if {
	answer := asked("eq", 500, 0, 100)
	answer.allow == true
	answer.counters == [{"kind": "spacing", "name": "last:permission-use", "limit": 500, "window": null}]
	answer.depends_on == [{"fact": "counter", "name": "last:permission-use", "from": 0, "below": 1}]
	answer.valid_until == null
}

test_the_next_use_must_wait if {
	soon := asked("eq", 500, 1000, 1499)
	soon.allow == false
	soon.reasons == [{"code": "TOO_SOON", "rule": "permission-use", "parameters": {"duration": 500}}]
	soon.valid_until == 1500
	later := asked("gteq", 500, 1000, 1500)
	later.allow == true
	more := asked("gt", 500, 1000, 1500)
	more.allow == false
}

test_what_cannot_be_compared_is_unknown if {
	every last in [null, "1000"] {
		answer := asked("eq", 500, last, 5000)
		answer.allow == false
		answer.reasons[0].code == "FACT_MISSING"
	}
	answer := asked("lt", 500, 1000, 5000)
	answer.allow == false
}

test_the_longest_of_several_counts if {
	constraint := question.tree("and", [question.leaf("timeInterval", "eq", 500), question.leaf("timeInterval", "eq", 700)])
	rule := question.rule("permission", "use", constraint)
	answer := decision.answer with input as question.knowing(question.of([rule]), {"counters": {"last:permission-use": 0}})
	answer.counters == [{"kind": "spacing", "name": "last:permission-use", "limit": 700, "window": null}]
}
