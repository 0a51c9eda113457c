# The leaves of a constraint tree, wherever they stand in it: four operators deep, as constraints.rego reads it.
package bylag.tree

leaves(rule) := leaves_of([node | node := rule.constraint; is_object(node)])

# Every comparison that a rule's answer may rest on: its constraint, and the refinements of its parts.
everywhere(rule) := leaves_of(array.concat(
	array.concat(own, of_action),
	array.concat(of_party, of_target),
)) if {
	own := [node | node := rule.constraint; is_object(node)]
	of_action := [node | node := rule.action.refinement; is_object(node)]
	of_party := [node | node := rule.parties.assignee.refinement; is_object(node)]
	of_target := [node | node := rule.target.refinement; is_object(node)]
}

# The refinements of what the policy states for all its rules.
shared := leaves_of(array.concat(
	[node | node := input.policy.assignee.refinement; is_object(node)],
	[node | node := input.policy.target.refinement; is_object(node)],
))

leaves_of(roots) := [node |
	some node in nodes(roots)
	not is_array(object.get(node, "operands", null))
]

nodes(level_0) := array.concat(
	array.concat(level_0, level_1),
	array.concat(array.concat(level_2, level_3), level_4),
) if {
	level_1 := below(level_0)
	level_2 := below(level_1)
	level_3 := below(level_2)
	level_4 := below(level_3)
}

below(level) := [node |
	some parent in level
	is_array(parent.operands)
	some node in parent.operands
	is_object(node)
]
