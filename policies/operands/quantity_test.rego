package bylag.quantity_test

import data.bylag.quantity
import data.bylag.question_test as question

value_of(operator, bound, fact) := value if {
	known := question.knowing(question.of([]), {"values": {"absoluteSize": fact}})
	value := quantity.value(question.leaf("absoluteSize", operator, bound)) with input as known
}

around(operator) := [value_of(operator, bound, {"value": 10, "unit": null}) | some bound in [9, 10, 11]]

test_each_operator if {
	around("eq") == ["false", "true", "false"]
	around("neq") == ["true", "false", "true"]
	around("lt") == ["false", "false", "true"]
	around("lteq") == ["false", "true", "true"]
	around("gt") == ["true", "false", "false"]
	around("gteq") == ["true", "true", "false"]
	around("isA") == ["unknown", "unknown", "unknown"]
}

test_what_is_not_known_is_unknown if {
	every fact in [null, {}, {"value": null, "unit": null}, {"value": "10", "unit": null}, 10] {
		value_of("lteq", 10, fact) == "unknown"
	}
	value_of("lteq", "10", {"value": 10, "unit": null}) == "unknown"
}

test_another_unit_says_nothing if {
	known := question.knowing(question.of([]), {"values": {"payAmount": {"value": 10, "unit": "urn:x:SEK"}}})
	euros := question.such(question.leaf("payAmount", "gteq", 10), "unit", "urn:x:EUR")
	crowns := question.such(euros, "unit", "urn:x:SEK")
	other := quantity.value(euros) with input as known
	other == "unknown"
	same := quantity.value(crowns) with input as known
	same == "true"
}
