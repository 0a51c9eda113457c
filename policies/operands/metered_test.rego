package bylag.metered_test

import data.bylag.decision
import data.bylag.question_test as question

asked(operator, bound, used) := answer if {
	rule := question.rule("permission", "use", question.leaf("meteredTime", operator, bound))
	answer := decision.answer with input as question.knowing(question.of([rule]), {"counters": {"metered:permission-use": used}})
}

test_there_is_room_until_the_limit if {
	answer := asked("lteq", 1000, 999)
	answer.allow == true
	answer.counters == [{"kind": "room", "name": "metered:permission-use", "limit": 1000, "window": null}]
	answer.depends_on == [{"fact": "counter", "name": "metered:permission-use", "from": 0, "below": 1000}]
	same := asked("eq", 1000, 999)
	same.allow == true
	less := asked("lt", 1000, 999)
	less.allow == false
}

test_it_is_used_up if {
	answer := asked("lteq", 1000, 1000)
	answer.reasons == [{"code": "METERED_TIME_USED_UP", "rule": "permission-use", "parameters": {"duration": 1000}}]
}

test_without_a_meter_it_is_unknown if {
	answer := asked("lteq", 1000, null)
	answer.allow == false
	answer.reasons[0].code == "FACT_MISSING"
}
