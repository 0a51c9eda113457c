package bylag.naming_test

import data.bylag.decision
import data.bylag.naming
import data.bylag.question_test as question

value_of(operator, right, fact) := value if {
	facts := {"values": {"spatial": fact}, "collections": {"urn:x:eu": ["DK", "SE"], "SE": ["SE-AB"]}}
	value := naming.value(question.leaf("spatial", operator, right)) with input as question.knowing(question.of([]), facts)
}

sweden := {"SE": ["urn:x:nordic"]}

both := {"SE": ["urn:x:nordic"], "US": []}

test_one_value if {
	value_of("eq", "SE", sweden) == "true"
	value_of("eq", "DK", sweden) == "false"
	value_of("neq", "DK", sweden) == "true"
	value_of("neq", "SE", sweden) == "false"
}

test_several_values_are_certain_only_together if {
	value_of("eq", "SE", both) == "unknown"
	value_of("neq", "SE", both) == "unknown"
	value_of("neq", "DK", both) == "true"
	value_of("isAnyOf", ["SE", "US"], both) == "true"
	value_of("isAnyOf", ["SE"], both) == "unknown"
	value_of("isNoneOf", ["SE"], both) == "unknown"
	value_of("isNoneOf", ["DK"], both) == "true"
}

test_part_and_whole_are_not_the_same if {
	value_of("isPartOf", "urn:x:nordic", sweden) == "true"
	value_of("isPartOf", "urn:x:eu", sweden) == "true"
	value_of("isPartOf", "SE", sweden) == "true"
	value_of("isPartOf", "urn:x:eu", {"US": []}) == "false"
	value_of("isPartOf", "urn:x:asia", sweden) == "unknown"
	value_of("hasPart", "SE-AB", sweden) == "true"
	value_of("hasPart", "SE", sweden) == "true"
	value_of("hasPart", "urn:x:eu", sweden) == "false"
	value_of("hasPart", "DK-84", {"DK": []}) == "unknown"
}

test_narrower if {
	value_of("isA", "urn:x:nordic", sweden) == "true"
	value_of("isA", "urn:x:eu", sweden) == "unknown"
	value_of("isA", "SE", sweden) == "true"
}

test_all_of_them_in_whatever_order if {
	value_of("isAllOf", ["SE", "US"], both) == "true"
	value_of("isAllOf", ["US", "SE"], both) == "true"
	value_of("isAllOf", ["US"], both) == "true"
	value_of("isAllOf", ["US", "SE"], sweden) == "false"
	value_of("isAllOf", ["US", "SE"], {}) == "unknown"
}

test_what_is_not_known_or_cannot_be_compared_is_unknown if {
	value_of("eq", "SE", null) == "unknown"
	value_of("eq", "SE", {}) == "unknown"
	value_of("eq", 7, sweden) == "unknown"
	value_of("isAnyOf", ["SE", 7], sweden) == "unknown"
	value_of("isAnyOf", "SE", sweden) == "unknown"
	value_of("isPartOf", "urn:x:nordic", {"SE": null}) == "unknown"
	value_of("lt", "SE", sweden) == "unknown"
}

reasons(fact) := answer.reasons if {
	rules := [question.rule("permission", "use", question.leaf("spatial", "eq", "SE"))]
	answer := decision.answer with input as question.knowing(question.of(rules), {"values": {"spatial": fact}})
}

test_the_reasons if {
	reasons(null) == [{"code": "FACT_MISSING", "rule": "permission-use", "parameters": {"operand": "spatial"}}]
	reasons({"DK": []}) == [{
		"code": "CONSTRAINT_NOT_MET",
		"rule": "permission-use",
		"parameters": {"operand": "spatial", "operator": "eq", "named": "SE"},
	}]
}
