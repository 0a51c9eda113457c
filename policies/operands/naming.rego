# Operands that are compared by name: what holds is a set of values, each with everything wider it lies in.
#
# With several values the answer is certain only when all of them agree. Order never matters. "Not in it" is
# certain only of a collection that is attested whole: of any other area or class it stays unknown.
package bylag.naming

import data.bylag.logic

value(node) := compared(node, input.facts.values[node.left]) if {
	is_object(input.facts.values[node.left])
	comparable(node)
} else := "unknown"

comparable(node) if {
	node.operator in ["eq", "neq", "isA", "isPartOf", "hasPart"]
	is_string(node.right)
}

comparable(node) if {
	node.operator in ["isAnyOf", "isNoneOf", "isAllOf"]
	is_array(node.right)
	strings := [right | some right in node.right; is_string(right)]
	count(strings) == count(node.right)
}

compared(node, fact) := logic.agreed(matched(node, fact)) if {
	node.operator in ["eq", "isA", "isPartOf", "hasPart", "isAnyOf"]
} else := logic.opposite(logic.agreed(matched(node, fact))) if {
	node.operator in ["neq", "isNoneOf"]
} else := all_of(node.right, fact) if {
	count(fact) > 0
} else := "unknown"

matched(node, fact) := [found |
	some name, wider in fact
	found := match(node.operator, name, wider, node.right)
]

match(operator, name, wider, right) := "true" if {
	operator in ["eq", "neq", "isA", "isPartOf", "hasPart"]
	name == right
} else := "true" if {
	operator in ["isAnyOf", "isNoneOf"]
	name in right
} else := "false" if {
	operator in ["eq", "neq", "isAnyOf", "isNoneOf"]
} else := related(operator, name, wider, right)

related(operator, name, wider, right) := "true" if {
	operator in ["isA", "isPartOf"]
	is_array(wider)
	right in wider
} else := within(name, right) if {
	operator == "isPartOf"
} else := within(right, name) if {
	operator == "hasPart"
} else := "unknown"

# Whether something is a member of an attested collection.
within(member, collection) := "true" if {
	is_array(input.facts.collections[collection])
	member in input.facts.collections[collection]
} else := "false" if {
	is_array(input.facts.collections[collection])
} else := "unknown"

all_of(wanted, fact) := "true" if {
	count([name | some name in wanted; fact[name]]) == count(wanted)
} else := "false"
