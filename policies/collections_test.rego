package bylag.collections_test

import data.bylag.assets
import data.bylag.decision
import data.bylag.parties
import data.bylag.question_test as question

company := "did:web:company.example"

members := {"urn:x:utilities": [company], "urn:x:empty": [], "urn:x:meters": ["energy"]}

meant(party) := value if {
	value := parties.meant(party) with input as question.knowing(question.of([]), {"collections": members})
}

test_an_attested_collection_means_its_members if {
	meant(question.collection("urn:x:utilities", null, null)) == "true"
	meant(question.collection("urn:x:empty", null, null)) == "false"
	meant(question.collection("urn:x:meters", null, null)) == "false"
}

test_about_others_nothing_is_known if {
	meant(question.collection("urn:x:banks", null, null)) == "unknown"
	meant(question.collection(null, null, null)) == "unknown"
}

test_a_collection_goes_by_its_source_too if {
	meant(question.collection(null, "urn:x:utilities", null)) == "true"
	meant(question.collection("urn:x:banks", "urn:x:utilities", null)) == "true"
	meant(question.collection("urn:x:empty", "urn:x:banks", null)) == "false"
	meant(question.collection("urn:x:empty", "urn:x:utilities", null)) == "true"
}

test_a_refinement_narrows_it if {
	meant(question.collection(null, "urn:x:utilities", question.leaf("recipient", "eq", company))) == "true"
	meant(question.collection(null, "urn:x:utilities", question.leaf("recipient", "neq", company))) == "false"
	meant(question.collection(null, "urn:x:utilities", question.leaf("weather", "eq", "sunny"))) == "unknown"
	meant(question.collection(null, "urn:x:empty", question.leaf("weather", "eq", "sunny"))) == "false"
}

test_assets_likewise if {
	known := question.knowing(question.of([]), {"collections": members})
	inside := assets.meant(question.collection("urn:x:meters", null, null)) with input as known
	inside == "true"
	outside := assets.meant(question.collection("urn:x:empty", null, null)) with input as known
	outside == "false"
}

test_a_prohibition_of_a_collection_that_nobody_attests_binds if {
	rules := [
		question.rule("permission", "use", null),
		question.such(question.rule("prohibition", "use", null), "parties", {"assigner": null, "assignee": question.collection("urn:x:banks", null, null)}),
	]
	answer := decision.answer with input as question.of(rules)
	answer.allow == false
}
