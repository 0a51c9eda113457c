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
	value_of("isPartOf", company) == "unknown"
}
