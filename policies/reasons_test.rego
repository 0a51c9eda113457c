package bylag.reasons_test

import data.bylag.assets
import data.bylag.constraints
import data.bylag.decision
import data.bylag.parties
import data.bylag.question_test as question

against(rule) := answer.reasons if {
	answer := decision.answer with input as question.of([rule])
	answer.allow == false
}

permission(constraint) := question.rule("permission", "use", constraint)

test_another_action if {
	against(question.rule("permission", "distribute", null)) == [{
		"code": "ACTION_NOT_PERMITTED",
		"rule": "permission-distribute",
		"parameters": {"asked": "read"},
	}]
}

test_another_assignee if {
	rule := json.patch(permission(null), [{"op": "replace", "path": "/parties/assignee", "value": question.party("did:web:other.example")}])
	against(rule) == [{"code": "RECIPIENT_NOT_ASSIGNEE", "rule": "permission-use", "parameters": {}}]
}

test_another_target if {
	rule := json.patch(permission(null), [{"op": "replace", "path": "/target", "value": question.party("weather")}])
	against(rule) == [{"code": "OTHER_TARGET", "rule": "permission-use", "parameters": {"asked": "energy"}}]
}

test_another_purpose if {
	against(permission(question.leaf("purpose", "isA", question.marketing))) == [{
		"code": "PURPOSE_NOT_PERMITTED",
		"rule": "permission-use",
		"parameters": {"asked": question.scientific, "operator": "isA", "named": question.marketing},
	}]
}

test_outside_the_period if {
	against(permission(question.leaf("dateTime", "lt", 1000))) == [{
		"code": "OUTSIDE_PERIOD",
		"rule": "permission-use",
		"parameters": {"operator": "lt", "bound": 1000},
	}]
}

test_another_recipient if {
	against(permission(question.leaf("recipient", "eq", "did:web:other.example"))) == [{
		"code": "RECIPIENT_NOT_PERMITTED",
		"rule": "permission-use",
		"parameters": {"operator": "eq", "named": "did:web:other.example"},
	}]
}

test_what_nobody_enforces if {
	against(permission(question.leaf("weather", "eq", "sunny"))) == [{
		"code": "NOT_ENFORCED",
		"rule": "permission-use",
		"parameters": {},
	}]
}

test_only_what_does_not_hold_is_named if {
	inner := question.tree("or", [question.leaf("dateTime", "lt", 10), question.tree("and", [question.leaf("dateTime", "gt", 20)])])
	reasons := against(permission(question.tree("and", [question.leaf("purpose", "isA", question.marketing), inner])))
	codes := {reason.code | some reason in reasons}
	codes == {"PURPOSE_NOT_PERMITTED", "OUTSIDE_PERIOD"}
	count(reasons) == 2
}

test_what_cannot_be_read_is_unknown_even_without_the_check_before if {
	nothing := parties.assigned({}) with input as {}
	nothing == "unknown"
	nowhere := assets.targeted({}) with input as {}
	nowhere == "unknown"
	never := constraints.value({}) with input as {}
	never == "unknown"
	unrefined := constraints.refined({}) with input as {}
	unrefined == "unknown"
}

test_what_holds_apart_and_not_together if {
	now := question.leaf("dateTime", "lteq", 1000)
	against(permission(question.tree("xone", [now, now]))) == [{"code": "COMBINATION_NOT_MET", "rule": "permission-use", "parameters": {}}]
}
