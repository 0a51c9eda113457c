package bylag.area_test

import data.bylag.decision
import data.bylag.question_test as question

allowed(country, facts) := answer.allow if {
	rules := [question.rule("permission", "use", null)]
	asked := question.changed(question.of(rules), "/request/recipient/attributes", {"country": country})
	answer := decision.answer with input as question.knowing(asked, facts)
}

test_without_an_area_there_are_no_bounds if allowed("US", {"area": null}) == true

test_the_recipient_lies_inside if {
	allowed("SE", {"area": ["DK", "SE"]}) == true
	allowed("US", {"area": ["DK", "SE"]}) == false
	allowed("SE", {"area": []}) == false
}

test_a_country_that_nobody_attests_lies_outside if {
	allowed(null, {"area": ["DK", "SE"]}) == false
	allowed(["SE"], {"area": ["DK", "SE"]}) == false
}

test_so_does_every_place_of_processing if {
	allowed("SE", {"area": ["DK", "SE"], "values": {"bylag:processingPlace": {"DK": [], "SE": []}}}) == true
	allowed("SE", {"area": ["DK", "SE"], "values": {"bylag:processingPlace": {"DK": [], "US": []}}}) == false
}

test_a_named_ground_lets_data_leave if {
	allowed("US", {"area": ["SE"], "transfer": "adequacy"}) == true
	allowed("US", {"area": ["SE"], "values": {"bylag:processingPlace": {"US": []}}, "transfer": "adequacy"}) == true
}

test_the_reason_names_the_country if {
	asked := question.changed(question.of([question.rule("permission", "use", null)]), "/request/recipient/attributes", {"country": "US"})
	answer := decision.answer with input as question.knowing(asked, {"area": ["SE"]})
	answer.reasons == [{"code": "OUTSIDE_AREA", "rule": null, "parameters": {"country": "US"}}]
}
