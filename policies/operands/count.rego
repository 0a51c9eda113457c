# count: how often a permission was used under this agreement, measured from the ledger.
#
# The value says whether there is room now. The guards name the counters and their limits: the writer
# reserves each of them in the transaction that records the release, so two requests for the last use
# cannot both get it.
package bylag.counting

import data.bylag.tree

value(constraint, rule) := "unknown" if {
	not comparable(constraint, rule)
} else := "true" if {
	input.facts.counters[name(rule)] < limit(constraint)
} else := "false"

comparable(constraint, rule) if {
	is_number(limit(constraint))
	is_number(input.facts.counters[name(rule)])
}

name(rule) := concat(":", ["count", rule.id]) if is_string(rule.id)

# The number of uses allowed in all.
limit(constraint) := constraint.right if {
	constraint.operator == "lteq"
	is_number(constraint.right)
} else := constraint.right - 1 if {
	constraint.operator == "lt"
	is_number(constraint.right)
}

limits(rule) := [limit(node) |
	some node in tree.leaves(rule)
	node.left == "count"
]

guards(rule) := [{"name": name(rule), "limit": min(limits(rule))} | count(limits(rule)) > 0]
