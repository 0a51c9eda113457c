# The one question that the connector asks, and the whole answer.
#
# allow is true only when the input is complete, the purpose stays within the agreement's, the recipient
# within the area, and the policy's rules come out for the request (conflict.rego). Everything else is false. Every member is
# always there, and no moving fact (now, a counter's value) stands in the answer itself: only the
# bounds within which the answer stays the same.
package bylag.decision

import data.bylag.area
import data.bylag.conflict
import data.bylag.obligations
import data.bylag.reasons
import data.bylag.request
import data.bylag.reserved
import data.bylag.validity

# METADATA
# entrypoint: true
answer := {
	"allow": allow,
	"reasons": reasons.listed,
	"obligations": owed,
	"row_filter": null,
	"column_mask": [],
	"counters": counters,
	"valid_until": validity.valid_until,
	"depends_on": validity.depends_on,
}

default allow := false

allow if {
	request.complete
	request.within_agreement
	area.within
	conflict.permitted
}

default owed := []

owed := array.concat(obligations.standing, obligations.of_use) if {
	allow
} else := obligations.standing if request.complete

default counters := []

counters := reserved.guards(conflict.chosen) if allow
