package bylag.assets_test

import data.bylag.assets
import data.bylag.question_test as question

targeted_at(target, policys) := value if {
	rule := json.patch(question.rule("permission", "use", null), [{"op": "replace", "path": "/target", "value": target}])
	value := assets.targeted(rule) with input as question.changed(question.of([]), "/policy/target", policys)
}

test_the_rules_target_goes_before_the_policys if {
	targeted_at(question.party("energy"), question.party("weather")) == "true"
	targeted_at(question.party("weather"), question.party("energy")) == "false"
}

test_the_policys_target_is_meant_where_the_rule_names_none if {
	targeted_at(null, question.party("energy")) == "true"
	targeted_at(null, question.party("weather")) == "false"
}

test_nothing_named_means_anything if targeted_at(null, null) == "true"

test_a_collection_that_nobody_attests_is_unknown if {
	targeted_at(question.collection("all", null, null), null) == "unknown"
}
