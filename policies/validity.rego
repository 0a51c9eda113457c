# How long the answer stays the same when nothing but a moving fact moves.
#
# valid_until is the first millisecond at which a temporal constraint anywhere in the policy can change its
# value; null when time alone changes nothing. depends_on holds an interval for each counter that was read.
package bylag.validity

import data.bylag.elapsed
import data.bylag.rate
import data.bylag.request
import data.bylag.reserved
import data.bylag.rules
import data.bylag.spacing
import data.bylag.tree

default valid_until := null

valid_until := min(ahead) if {
	request.complete
	count(ahead) > 0
}

# What lies beyond the last moment that can be written down changes nothing.
ahead := [point |
	some point in turning_points
	point > input.facts.now
	point <= request.latest
]

# Arrays throughout: WebAssembly's sets are slow with many numbers.
turning_points := array.concat(
	array.concat(of_moments(nodes), elapsed.turning_points(nodes)),
	array.concat(rate.turning_points(nodes), of_spacing),
) if {
	nodes := array.concat(tree.shared, [node |
		some rule in input.policy.rules
		some node in tree.everywhere(rule)
	])
}

# now < b, now <= b and the rest can change only on reaching b or b + 1.
of_moments(nodes) := [point |
	some node in nodes
	node.left == "dateTime"
	is_number(node.right)
	some point in [node.right, node.right + 1]
]

of_spacing := [point |
	some rule in rules.permissions
	some point in spacing.turning_points(rule)
]

default depends_on := []

depends_on := [interval |
	some rule in rules.permissions
	some interval in reserved.ranges(rule)
] if {
	request.complete
}
