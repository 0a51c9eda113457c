package bylag.trace_test

import data.bylag.decision
import data.bylag.question_test as q
import data.bylag.trace

# A count of five and a purpose, one of which does not hold; the answer is the decision's.
limited := q.rule("permission", "use", q.tree("and", [
	q.leaf("count", "lteq", 5),
	q.leaf("purpose", "isA", q.marketing),
]))

counted(uses) := q.knowing(q.of([limited]), {"counters": {"count:permission-use": uses}})

test_it_holds_the_whole_decision if {
	trace.answer.decision == decision.answer with input as counted(2)
}

test_each_comparison_has_what_it_was_made_with_and_how_it_came_out if {
	answer := trace.answer with input as counted(2)
	tree := answer.rules[0].constraint
	tree.value == "false"
	tree.logic == "and"
	[of_count, of_purpose] := tree.operands
	[of_count.value, of_count.fact, of_count.counter] == ["true", 2, "count:permission-use"]
	[of_purpose.value, of_purpose.fact, of_purpose.right] == ["false", q.scientific, q.marketing]
}

test_a_fact_that_is_not_known_is_null_and_its_value_unknown if {
	answer := trace.answer with input as q.of([q.rule("permission", "use", q.leaf("bylag:secrecyGround", "eq", "urn:c"))])
	leaf := answer.rules[0].constraint
	[leaf.value, leaf.fact, leaf.counter] == ["unknown", null, null]
}

test_a_tree_is_shown_to_its_last_level if {
	deep := q.tree("or", [q.tree("and", [q.tree("or", [q.tree("and", [q.leaf("dateTime", "lt", 2000)])])])])
	answer := trace.answer with input as q.of([q.rule("permission", "use", deep)])
	leaf := answer.rules[0].constraint.operands[0].operands[0].operands[0].operands[0]
	[leaf.value, leaf.fact] == ["true", 1000]
}

test_action_assignee_and_target_are_shown_with_what_was_asked if {
	answer := trace.answer with input as q.of([q.rule("prohibition", "sell", null)])
	rule := answer.rules[0]
	rule.active == false
	[rule.action.value, rule.action.name, rule.action.asked] == ["false", "sell", "read"]
	[rule.assignee.value, rule.assignee.name] == ["true", "did:web:company.example"]
	[rule.target.value, rule.target.name, rule.target.asked] == ["true", "energy", ["energy"]]
}

test_the_active_rules_are_marked if {
	answer := trace.answer with input as q.of([q.rule("permission", "use", null), q.rule("prohibition", "use", null)])
	[rule.active | some rule in answer.rules] == [true, true]
	answer.conflict == {"name": "prohibit", "permitted": false, "prohibited": true, "void": false}
}

test_a_refinement_is_shown_where_it_stands if {
	refined := {"name": "use", "refinement": q.leaf("dateTime", "gt", 2000)}
	answer := trace.answer with input as q.of([q.such(q.rule("permission", "use", null), "action", refined)])
	[answer.rules[0].action.value, answer.rules[0].action.refinement.value] == ["false", "false"]
}

test_duties_are_shown_with_state_and_consequences if {
	deletion := q.such(q.duty("d", "delete"), "consequences", [q.duty("c", "compensate")])
	question := q.of([q.such(q.rule("permission", "use", null), "duties", [deletion])])
	answer := trace.answer with input as q.knowing(question, {"duties": {"d": "violated", "c": "pending"}})
	[duty] := answer.rules[0].duties
	[duty.id, duty.action, duty.state, duty.value, duty.first] == ["d", "delete", "violated", "false", false]
	duty.consequences == [{"id": "c", "action": "compensate", "state": "pending", "consequences": []}]
}

test_the_agreed_purpose_and_the_area_are_shown if {
	asked := q.knowing(q.changed(q.of([]), "/request/purpose", q.marketing), {"area": ["SE"]})
	answer := trace.answer with input as asked
	answer.purpose == {"within": false, "asked": q.marketing, "agreed": q.research}
	answer.area == {"within": false, "area": ["SE"], "country": null, "transfer": null}
}

test_an_incomplete_question_has_no_rules_and_is_denied if {
	answer := trace.answer with input as q.without(counted(0), "/facts/now")
	[answer.complete, answer.rules, answer.decision.allow] == [false, [], false]
}

test_a_question_that_is_none_is_denied if {
	every nothing in [null, "x", 1, [], {}] {
		answer := trace.answer with input as nothing
		[answer.complete, answer.rules, answer.decision.allow] == [false, [], false]
	}
}

test_what_stands_in_the_place_of_a_comparison_is_unknown if {
	every odd in [null, 1, "x", [], {}] {
		answer := trace.answer with input as q.of([q.rule("permission", "use", q.tree("and", [odd]))])
		leaf := answer.rules[0].constraint.operands[0]
		[leaf.value, leaf.left, leaf.fact] == ["unknown", null, null]
	}
}

test_each_operand_is_shown_with_its_own_fact if {
	leaves := [
		["recipient", "eq", "did:web:x", ["did:web:company.example"]],
		["elapsedTime", "lteq", 5000, 1000],
		["bylag:secrecyGround", "eq", "urn:c", {"urn:c": []}],
		["payAmount", "gteq", 5, {"value": 7, "unit": null}],
		["bylag:rate", "lteq", 3, 2],
		["timeInterval", "gteq", 500, 400],
		["meteredTime", "lteq", 900, 300],
	]
	facts := {
		"began": 0,
		"values": {"bylag:secrecyGround": {"urn:c": []}, "payAmount": {"value": 7, "unit": null}},
		"counters": {
			"rate:day:permission-use": 2,
			"last:permission-use": 400,
			"metered:permission-use": 300,
		},
	}
	every one in leaves {
		[left, operator, right, fact] := one
		question := q.of([q.rule("permission", "use", q.leaf(left, operator, right))])
		answer := trace.answer with input as q.knowing(question, facts)
		answer.rules[0].constraint.fact == fact
	}
}

test_a_comparison_may_stand_on_every_level if {
	leaf := q.leaf("dateTime", "lt", 2000)
	deep := q.tree("or", [leaf, q.tree("and", [leaf, q.tree("or", [leaf, q.tree("and", [leaf])])])])
	answer := trace.answer with input as q.of([q.rule("permission", "use", deep)])
	top := answer.rules[0].constraint
	top.operands[0].value == "true"
	top.operands[1].operands[0].value == "true"
	top.operands[1].operands[1].operands[0].value == "true"
}

test_an_obligation_is_shown_as_the_duty_that_it_is if {
	answer := trace.answer with input as q.of([q.rule("obligation", "inform", null)])
	[duty.id | some duty in answer.rules[0].duties] == ["obligation-inform"]
}

test_a_rule_without_an_action_and_for_nobody_in_particular_is_shown if {
	question := q.of([q.such(q.rule("permission", "use", null), "action", null)])
	answer := trace.answer with input as q.changed(question, "/policy/assignee", null)
	rule := answer.rules[0]
	[rule.action.value, rule.action.name] == ["unknown", null]
	[rule.assignee.value, rule.assignee.name] == ["true", null]
}

test_a_state_that_nobody_knows_is_null if {
	question := q.of([q.such(q.rule("permission", "use", null), "duties", [q.duty("d", "delete")])])
	answer := trace.answer with input as question
	[answer.rules[0].duties[0].state, answer.rules[0].duties[0].value] == [null, "unknown"]
}
