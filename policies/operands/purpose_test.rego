package bylag.purpose_test

import data.bylag.purpose
import data.bylag.question_test as question

value_of(operator, right, asked) := value if {
	value := purpose.value(question.leaf("purpose", operator, right)) with input as question.changed(question.of([]), "/request/purpose", asked)
}

commercial := "https://w3id.org/dpv#CommercialPurpose"

any_purpose := "https://w3id.org/dpv#Purpose"

test_the_same_and_narrower_hold if {
	every operator in ["eq", "isA"] {
		value_of(operator, question.research, question.research) == "true"
		value_of(operator, question.research, question.scientific) == "true"
		value_of(operator, question.research, question.marketing) == "false"
	}
}

test_wider_is_neither_true_nor_false if {
	value_of("isA", question.scientific, question.research) == "unknown"
	value_of("neq", question.scientific, any_purpose) == "unknown"
}

test_overlapping_is_neither_true_nor_false if {
	value_of("isA", commercial, question.research) == "unknown"
	value_of("isNoneOf", [commercial], question.research) == "unknown"
}

test_lists if {
	value_of("isAnyOf", [question.marketing, question.research], question.scientific) == "true"
	value_of("isAnyOf", [question.marketing], question.scientific) == "false"
	value_of("isNoneOf", [question.marketing], question.scientific) == "true"
	value_of("isNoneOf", [question.marketing, question.research], question.scientific) == "false"
}

test_unknown_purposes_are_unknown if {
	every asked in [null, "", "https://w3id.org/dpv#Nothing", 7, {}] {
		value_of("isA", question.research, asked) == "unknown"
		value_of("neq", question.research, asked) == "unknown"
	}
	value_of("isA", "https://w3id.org/dpv#Nothing", question.research) == "unknown"
	value_of("neq", "https://w3id.org/dpv#Nothing", question.research) == "unknown"
}

test_other_operators_are_unknown if value_of("lt", question.research, question.research) == "unknown"
