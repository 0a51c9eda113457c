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

test_a_refined_action_is_unknown if {
	refined := {"name": "use", "refinement": question.leaf("resolution", "lteq", 10)}
	value := actions.covers(refined) with input as question.of([])
	value == "unknown"
}
