# recipient: the organisation that asks, or its unit, or a collection that it is an attested member of.
package bylag.recipient

import data.bylag.collections
import data.bylag.logic
import data.bylag.parties

value(node) := is_one_of(node.right) if {
	node.operator == "isAnyOf"
	is_array(node.right)
} else := logic.opposite(is_one_of(node.right)) if {
	node.operator == "isNoneOf"
	is_array(node.right)
} else := is_one_of([node.right]) if {
	node.operator == "eq"
} else := logic.opposite(is_one_of([node.right])) if {
	node.operator == "neq"
} else := collections.belongs(parties.recipient_names, [node.right]) if {
	node.operator == "isPartOf"
	is_array(input.facts.collections[node.right])
} else := "unknown"

is_one_of(named) := "unknown" if {
	some party in named
	not is_string(party)
} else := "true" if {
	some party in named
	party in parties.recipient_names
} else := "false"
