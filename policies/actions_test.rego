package bylag.actions_test

import data.bylag.actions
import data.bylag.question_test as question

covers(rule_action, asked) := value if {
	value := actions.covers({"name": rule_action, "refinement": null}) with input as question.changed(question.of([]), "/request/action", asked)
}

test_who_may_use_may_read if covers("use", "read") == "true"

test_who_may_read_may_not_use if covers("read", "use") == "false"

test_the_hierarchy_is_transitive if {
	covers("use", "extract") == "true"
	covers("reproduce", "extract") == "true"
	covers("transfer", "sell") == "true"
	covers("use", "sell") == "false"
}

test_an_unknown_action_is_unknown if {
	covers("use", "nonsense") == "unknown"
	covers("nonsense", "read") == "unknown"
}

refined_use(constraint) := value if {
	value := actions.covers({"name": "use", "refinement": constraint}) with input as question.of([])
}

test_a_refinement_narrows_an_action if {
	refined_use(question.leaf("dateTime", "lteq", 1000)) == "true"
	refined_use(question.leaf("dateTime", "gt", 1000)) == "false"
	refined_use(question.leaf("resolution", "lteq", 10)) == "unknown"
	refined_use(question.leaf("count", "lteq", 10)) == "unknown"
}

test_no_action_is_unknown if {
	value := actions.covers(null) with input as question.of([])
	value == "unknown"
}
