package bylag.conflict_test

import data.bylag.decision
import data.bylag.question_test as question

both := [question.rule("permission", "use", null), question.rule("prohibition", "read", null)]

under(strategy, rules) := answer if {
	answer := decision.answer with input as question.changed(question.of(rules), "/policy/conflict", strategy)
}

test_the_prohibition_wins_under_prohibit if {
	answer := under("prohibit", both)
	answer.allow == false
	answer.reasons == [{"code": "PROHIBITED", "rule": "prohibition-read", "parameters": {"action": "read"}}]
}

test_the_permission_wins_under_perm if under("perm", both).allow == true

test_the_policy_is_void_under_invalid if {
	answer := under("invalid", both)
	answer.allow == false
	codes := {reason.code | some reason in answer.reasons}
	codes == {"POLICY_VOID", "PROHIBITED"}
}

test_without_a_conflict_the_strategy_does_not_matter if {
	every strategy in ["perm", "prohibit", "invalid"] {
		under(strategy, [question.rule("permission", "use", null)]).allow == true
		under(strategy, [question.rule("prohibition", "use", null)]).allow == false
	}
}

test_a_prohibition_of_use_forbids_read if {
	under("prohibit", [question.rule("permission", "use", null), question.rule("prohibition", "use", null)]).allow == false
}

test_a_prohibition_of_something_else_does_not_bind if {
	under("prohibit", [question.rule("permission", "use", null), question.rule("prohibition", "distribute", null)]).allow == true
}

test_a_prohibition_in_doubt_binds if {
	open := question.leaf("weather", "eq", "sunny")
	under("prohibit", [question.rule("permission", "use", null), question.rule("prohibition", "use", open)]).allow == false
}

test_a_permission_in_doubt_grants_nothing if {
	under("perm", [question.rule("permission", "use", question.leaf("weather", "eq", "sunny"))]).allow == false
}

test_each_permission_stands_alone if {
	never := question.rule("permission", "read", question.leaf("dateTime", "lt", 0))
	under("prohibit", [never, question.rule("permission", "use", null)]).allow == true
}
