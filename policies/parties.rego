# Whom a rule binds: its assignee, or the policy's, or anybody.
#
# A party is an organisation (did) or one of its units (did#unit). A rule for the organisation binds
# all of its units; a rule for a unit binds only that unit. Collections and refinements are unknown.
package bylag.parties

# The names under which the recipient can be meant.
recipient_names contains input.request.recipient.did if is_string(input.request.recipient.did)

recipient_names contains concat("#", [input.request.recipient.did, input.request.recipient.unit]) if {
	is_string(input.request.recipient.did)
	is_string(input.request.recipient.unit)
}

assigned(rule) := meant(rule.parties.assignee) if {
	is_object(rule.parties.assignee)
} else := meant(input.policy.assignee) if {
	is_object(input.policy.assignee)
} else := "true" if {
	is_null(rule.parties.assignee)
	is_null(input.policy.assignee)
} else := "unknown"

meant(party) := "unknown" if {
	not plain(party)
} else := "true" if {
	party.id in recipient_names
} else := "false"

plain(party) if {
	is_string(party.id)
	party.collection == false
	is_null(party.refinement)
}
