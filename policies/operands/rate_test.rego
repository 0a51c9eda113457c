package bylag.rate_test

import data.bylag.decision
import data.bylag.question_test as question

per(unit, bound) := question.such(question.leaf("bylag:rate", "lteq", bound), "unit", unit)

minute := "urn:bylag:profile:1:minute"

asked(constraints, counters, now) := answer if {
	rule := question.rule("permission", "use", question.tree("and", constraints))
	answer := decision.answer with input as question.knowing(question.of([rule]), {"counters": counters, "now": now})
}

test_there_is_room_until_the_limit_of_the_window if {
	answer := asked([per(minute, 3)], {"rate:minute:permission-use": 2}, 60005)
	answer.allow == true
	answer.counters == [{"kind": "use", "name": "rate:minute:permission-use", "limit": 3, "window": 60000}]
	answer.depends_on == [{"fact": "counter", "name": "rate:minute:permission-use", "from": 0, "below": 3}]
	answer.valid_until == 120000
}

test_the_limit_is_the_last_use_of_the_window if {
	answer := asked([per(minute, 3)], {"rate:minute:permission-use": 3}, 60005)
	answer.allow == false
	answer.reasons == [{"code": "RATE_USED_UP", "rule": "permission-use", "parameters": {"limit": 3}}]
	answer.depends_on == [{"fact": "counter", "name": "rate:minute:permission-use", "from": 3, "below": null}]
}

test_a_day_is_meant_where_no_unit_is_named if {
	answer := asked([per(null, 3)], {"rate:day:permission-use": 2}, 60005)
	answer.counters == [{"kind": "use", "name": "rate:day:permission-use", "limit": 3, "window": 0}]
	answer.valid_until == 86400000
}

test_several_windows_and_the_lowest_limit_of_each if {
	answer := asked(
		[per(minute, 3), per(minute, 2), per(null, 9)],
		{"rate:minute:permission-use": 0, "rate:day:permission-use": 0},
		1000,
	)
	[[guard.name, guard.limit, guard.window] | some guard in answer.counters] == [["rate:minute:permission-use", 2, 0], ["rate:day:permission-use", 9, 0]]
}

test_an_unknown_window_or_count_denies if {
	answer := asked([per("urn:x:fortnight", 3)], {"rate:day:permission-use": 0}, 1000)
	answer.allow == false
	uncounted := asked([per(minute, 3)], {}, 1000)
	uncounted.allow == false
}
