package bylag.parties_test

import data.bylag.parties
import data.bylag.question_test as question

of_unit(unit) := question.changed(question.of([]), "/request/recipient/unit", unit)

assigned_to(party, unit) := value if {
	rule := json.patch(question.rule("permission", "use", null), [{"op": "replace", "path": "/parties/assignee", "value": party}])
	value := parties.assigned(rule) with input as of_unit(unit)
}

test_the_policys_assignee_is_meant_where_the_rule_names_none if assigned_to(null, null) == "true"

test_an_organisation_means_all_its_units if {
	assigned_to(question.party("did:web:company.example"), "lab") == "true"
}

test_a_unit_means_only_itself if {
	assigned_to(question.party("did:web:company.example#lab"), "lab") == "true"
	assigned_to(question.party("did:web:company.example#lab"), "sales") == "false"
	assigned_to(question.party("did:web:company.example#lab"), null) == "false"
}

test_somebody_else_is_not_meant if assigned_to(question.party("did:web:other.example"), null) == "false"

test_what_is_no_party_is_unknown if {
	assigned_to(
		{"id": "did:web:company.example", "collection": false, "source": null, "refinement": {}},
		null,
	) == "unknown"
	assigned_to({"id": "did:web:company.example", "collection": "true"}, null) == "unknown"
}

test_nobody_named_means_anybody if {
	rule := question.rule("permission", "use", null)
	value := parties.assigned(rule) with input as question.changed(question.of([]), "/policy/assignee", null)
	value == "true"
}
