# How long the answer stays the same when nothing but a moving fact moves.
#
# valid_until is the first millisecond at which a dateTime constraint anywhere in the policy can change its
# value; null when time alone changes nothing. depends_on holds an interval for each counter that was read.
package bylag.validity

import data.bylag.counting
import data.bylag.request
import data.bylag.rules
import data.bylag.tree

default valid_until := null

valid_until := min(turning_points) if {
	request.complete
	count(turning_points) > 0
}

# now < b, now <= b and the rest can change only on reaching b or b + 1. An array: WebAssembly's sets are
# slow with many numbers.
turning_points := [point |
	some rule in input.policy.rules
	some node in tree.leaves(rule)
	node.left == "dateTime"
	is_number(node.right)
	some point in [node.right, node.right + 1]
	point > input.facts.now
]

default depends_on := []

depends_on := [interval(rule, limit) |
	some rule in rules.permissions
	some limit in counting.limits(rule)
	is_number(input.facts.counters[counting.name(rule)])
] if {
	request.complete
}

interval(rule, limit) := {"fact": "counter", "name": counting.name(rule), "from": 0, "below": limit} if {
	input.facts.counters[counting.name(rule)] < limit
} else := {"fact": "counter", "name": counting.name(rule), "from": limit, "below": null}
