package bylag.recipient_test

import data.bylag.question_test as question
import data.bylag.recipient

value_of(operator, right) := value if {
	value := recipient.value(question.leaf("recipient", operator, right)) with input as question.changed(question.of([]), "/request/recipient/unit", "lab")
}

company := "did:web:company.example"

other := "did:web:other.example"

test_one_recipient if {
	value_of("eq", company) == "true"
	value_of("eq", "did:web:company.example#lab") == "true"
	value_of("eq", "did:web:company.example#sales") == "false"
	value_of("eq", other) == "false"
	value_of("neq", company) == "false"
	value_of("neq", other) == "true"
}

test_several_recipients if {
	value_of("isAnyOf", [other, company]) == "true"
	value_of("isAnyOf", [other]) == "false"
	value_of("isNoneOf", [other]) == "true"
	value_of("isNoneOf", [other, company]) == "false"
}

test_what_cannot_be_compared_is_unknown if {
	value_of("eq", 7) == "unknown"
	value_of("neq", null) == "unknown"
	value_of("isNoneOf", [other, null]) == "unknown"
	value_of("isNoneOf", company) == "unknown"
	value_of("isPartOf", company) == "unknown"
	value_of("lt", company) == "unknown"
}

test_an_attested_member if {
	facts := {"collections": {"urn:x:utilities": [company], "urn:x:banks": []}}
	known := question.knowing(question.of([]), facts)
	member := recipient.value(question.leaf("recipient", "isPartOf", "urn:x:utilities")) with input as known
	member == "true"
	stranger := recipient.value(question.leaf("recipient", "isPartOf", "urn:x:banks")) with input as known
	stranger == "false"
	other_collection := recipient.value(question.leaf("recipient", "isPartOf", "urn:x:others")) with input as known
	other_collection == "unknown"
}
