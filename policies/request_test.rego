package bylag.request_test

import data.bylag.decision
import data.bylag.question_test as question

permitted := question.of([question.rule("permission", "use", null)])

asked(purpose, agreed) := json.patch(permitted, [
	{"op": "replace", "path": "/request/purpose", "value": purpose},
	{"op": "replace", "path": "/agreement/purpose", "value": agreed},
])

test_the_agreed_purpose_and_narrower_are_within_it if {
	every purpose in [question.research, question.scientific, "https://w3id.org/dpv#AcademicResearch"] {
		answer := decision.answer with input as asked(purpose, question.research)
		answer.allow == true
	}
}

test_wider_other_unknown_and_no_purpose_are_beyond_it if {
	every purpose in ["https://w3id.org/dpv#Purpose", question.marketing, "https://w3id.org/dpv#Nothing", "", null] {
		answer := decision.answer with input as asked(purpose, question.research)
		answer.allow == false
		some reason in answer.reasons
		reason.code == "PURPOSE_BEYOND_AGREEMENT"
		reason.parameters == {"asked": purpose, "agreed": question.research}
	}
}

test_an_agreement_without_a_purpose_binds_none if {
	every purpose in [question.marketing, null] {
		answer := decision.answer with input as asked(purpose, null)
		answer.allow == true
	}
}
