package bylag.obligations_test

import data.bylag.decision
import data.bylag.question_test as question

owed(rules, states) := [[task.kind, task.rule, task.duty, task.state] |
	some task in answer.obligations
] if {
	answer := decision.answer with input as question.knowing(question.of(rules), {"duties": states})
}

free := question.rule("permission", "use", null)

inform := question.rule("obligation", "inform", null)

test_what_the_policy_obliges_to_is_owed_whatever_is_decided if {
	states := {"obligation-inform": "unset"}
	every rules in [[free, inform], [inform]] {
		owed(rules, states) == [["obligation", "obligation-inform", "obligation-inform", "unset"]]
	}
	owed([free, inform], {"obligation-inform": "fulfilled"}) == []
}

test_an_obligation_whose_condition_is_ruled_out_is_not_owed if {
	later := question.rule("obligation", "inform", question.leaf("dateTime", "gt", 1000))
	owed([free, later], {"obligation-inform": "unset"}) == []
}

test_an_obligation_of_somebody_else_is_not_owed if {
	theirs := question.such(inform, "parties", {"assigner": null, "assignee": question.party("did:web:other.example")})
	owed([free, theirs], {"obligation-inform": "unset"}) == []
}

test_a_violated_obligation_brings_its_consequence if {
	breached := question.such(inform, "consequences", [question.duty("urn:x:pay", "compensate")])
	owed([free, breached], {"obligation-inform": "violated", "urn:x:pay": "unset"}) == [["consequence", "obligation-inform", "urn:x:pay", "unset"]]
}

test_a_remedy_is_owed_once_its_prohibition_was_infringed_and_permits_nothing if {
	remedied := question.such(question.rule("prohibition", "distribute", null), "remedies", [question.duty("urn:x:pay", "compensate")])
	owed([free, remedied], {"urn:x:pay": "unset"}) == []
	owed([free, remedied], {"urn:x:pay": "pending"}) == [["remedy", "prohibition-distribute", "urn:x:pay", "pending"]]
	every state in ["unset", "pending", "fulfilled", "violated"] {
		binding := question.such(remedied, "action", {"name": "read", "refinement": null})
		answer := decision.answer with input as question.knowing(question.of([free, binding]), {"duties": {"urn:x:pay": state}})
		answer.allow == false
	}
}
