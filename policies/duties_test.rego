package bylag.duties_test

import data.bylag.decision
import data.bylag.duties
import data.bylag.question_test as question

attribute := question.duty("urn:x:attribute", "attribute")

decided(duty, states) := answer if {
	rule := question.such(question.rule("permission", "use", null), "duties", [duty])
	answer := decision.answer with input as question.knowing(question.of([rule]), {"duties": states})
}

test_a_duty_that_is_open_lets_the_permission_be_used_and_is_owed if {
	every state in ["unset", "pending"] {
		answer := decided(attribute, {"urn:x:attribute": state})
		answer.allow == true
		answer.obligations == [{
			"kind": "duty",
			"rule": "permission-use",
			"duty": "urn:x:attribute",
			"state": state,
			"action": {"name": "attribute", "refinement": null},
			"constraint": null,
			"parties": {"assigner": null, "assignee": null},
			"target": null,
		}]
	}
}

test_a_fulfilled_duty_is_not_owed_again if {
	answer := decided(attribute, {"urn:x:attribute": "fulfilled"})
	answer.allow == true
	answer.obligations == []
}

test_a_violated_duty_takes_the_permission_away if {
	answer := decided(attribute, {"urn:x:attribute": "violated"})
	answer.allow == false
	answer.reasons == [{
		"code": "DUTY_VIOLATED",
		"rule": "permission-use",
		"parameters": {"duty": "urn:x:attribute", "action": "attribute"},
	}]
}

test_a_duty_of_which_nothing_is_known_denies if {
	every states in [{}, {"urn:x:attribute": "perhaps"}, {"urn:x:attribute": null}] {
		answer := decided(attribute, states)
		answer.allow == false
		some reason in answer.reasons
		reason.code == "DUTY_UNKNOWN"
	}
}

test_what_comes_first_must_be_fulfilled_before if {
	consent := question.duty("urn:x:consent", "obtainConsent")
	answer := decided(consent, {"urn:x:consent": "pending"})
	answer.allow == false
	some reason in answer.reasons
	reason.code == "DUTY_COMES_FIRST"
	after := decided(consent, {"urn:x:consent": "fulfilled"})
	after.allow == true
}

test_to_pay_an_amount_comes_first_and_to_compensate_otherwise_does_not if {
	plain := question.duty("urn:x:pay", "compensate")
	paid := question.such(plain, "action", {"name": "compensate", "refinement": question.leaf("payAmount", "eq", 500)})
	later := decided(plain, {"urn:x:pay": "unset"})
	later.allow == true
	first := decided(paid, {"urn:x:pay": "unset"})
	first.allow == false
}

made_good(consequences, states) := answer if {
	duty := question.such(attribute, "consequences", consequences)
	answer := decided(duty, object.union({"urn:x:attribute": "violated"}, states))
}

pay := question.duty("urn:x:pay", "compensate")

inform := question.duty("urn:x:inform", "inform")

test_consequences_make_good_for_a_violated_duty if {
	answer := made_good([pay], {"urn:x:pay": "fulfilled"})
	answer.allow == true
	both := made_good([pay, inform], {"urn:x:pay": "fulfilled", "urn:x:inform": "pending"})
	both.allow == false
	[owed.duty | some owed in both.obligations] == ["urn:x:inform"]
	[owed.kind | some owed in both.obligations] == ["consequence"]
}

test_a_violated_consequence_is_made_good_by_its_own if {
	chain := [question.such(pay, "consequences", [inform])]
	open := made_good(chain, {"urn:x:pay": "violated", "urn:x:inform": "unset"})
	open.allow == false
	[owed.duty | some owed in open.obligations] == ["urn:x:inform"]
	answer := made_good(chain, {"urn:x:pay": "violated", "urn:x:inform": "fulfilled"})
	answer.allow == true
	never := made_good([pay], {"urn:x:pay": "violated"})
	never.allow == false
}

test_duties_that_are_no_list_are_unknown if {
	value := duties.value({"duties": null}) with input as question.of([])
	value == "unknown"
}

test_a_duty_without_an_action_is_named_all_the_same if {
	answer := decided({"id": "urn:x:nothing", "action": null}, {"urn:x:nothing": "violated"})
	answer.reasons == [{
		"code": "DUTY_VIOLATED",
		"rule": "permission-use",
		"parameters": {"duty": "urn:x:nothing", "action": null},
	}]
}
