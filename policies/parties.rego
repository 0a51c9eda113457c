# Whom a rule binds: its assignee, or the policy's, or anybody.
#
# A party is an organisation (did) or one of its units (did#unit). A rule for the organisation binds
# all of its units; a rule for a unit binds only that unit.
package bylag.parties

import data.bylag.collections

# The names under which the recipient can be meant.
recipient_names := array.concat(organisation, unit)

organisation := [did | did := input.request.recipient.did; is_string(did)]

unit := [name |
	is_string(input.request.recipient.did)
	is_string(input.request.recipient.unit)
	name := concat("#", [input.request.recipient.did, input.request.recipient.unit])
]

assigned(rule) := meant(rule.parties.assignee) if {
	is_object(rule.parties.assignee)
} else := meant(input.policy.assignee) if {
	is_object(input.policy.assignee)
} else := "true" if {
	is_null(rule.parties.assignee)
	is_null(input.policy.assignee)
} else := "unknown"

meant(party) := collections.meant(party, recipient_names)
