# The leaves of a constraint tree, wherever they stand in it: four operators deep, as constraints.rego reads it.
package bylag.tree

leaves(rule) := [node |
	some node in nodes(rule)
	not is_array(object.get(node, "operands", null))
]

nodes(rule) := array.concat(
	array.concat(level_0, level_1),
	array.concat(array.concat(level_2, level_3), level_4),
) if {
	level_0 := [node | node := rule.constraint; is_object(node)]
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
