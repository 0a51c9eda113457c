# Is the input complete? Every field must be there with its type, or nothing is decided.
#
# Engines differ on missing fields under "not": so presence is tested here, positively, and first.
package bylag.request

import data.bylag.purpose

default complete := false

complete if {
	input.type == "decision-input"
	input.version == 1
	request_complete
	agreement_complete
	policy_complete
	facts_complete
}

facts_complete if {
	moment
	is_object(input.facts.counters)
	number_or_null(input.facts.began)
	array_or_null(input.facts.area)
	string_or_null(input.facts.transfer)
	is_object(input.facts.collections)
	is_object(input.facts.duties)
	is_object(input.facts.values)
}

# The clock is a whole number of milliseconds, up to the year 9999.
moment if {
	is_number(input.facts.now)
	input.facts.now >= 0
	input.facts.now <= latest
	floor(input.facts.now) == input.facts.now
}

latest := 253402300799999

request_complete if {
	is_string(input.request.action)
	string_or_null(input.request.purpose)
	is_string(input.request.dataset)
	is_string(input.request.recipient.did)
	string_or_null(input.request.recipient.unit)
	is_object(input.request.recipient.attributes)
}

agreement_complete if {
	is_object(input.agreement)
	string_or_null(input.agreement.purpose)
}

policy_complete if {
	input.policy.type == "policy"
	input.policy.version == 1
	input.policy.conflict in ["perm", "prohibit", "invalid"]
	object_or_null(input.policy.assignee)
	object_or_null(input.policy.target)
	is_array(input.policy.rules)
	every rule in input.policy.rules {
		rule_complete(rule)
	}
}

rule_complete(rule) if {
	is_string(rule.id)
	rule.kind in ["permission", "prohibition", "obligation"]
	object_or_null(rule.action)
	is_object(rule.parties)
	object_or_null(rule.parties.assignee)
	object_or_null(rule.target)
	object_or_null(rule.constraint)
	named_duties(rule.duties)
	named_duties(rule.consequences)
	named_duties(rule.remedies)
}

named_duties(duties) if {
	is_array(duties)
	every duty in duties {
		is_string(duty.id)
	}
}

string_or_null(value) if is_string(value)

string_or_null(value) if is_null(value)

object_or_null(value) if is_object(value)

object_or_null(value) if is_null(value)

array_or_null(value) if is_array(value)

array_or_null(value) if is_null(value)

number_or_null(value) if is_number(value)

number_or_null(value) if is_null(value)

# The request's purpose is the agreement's or narrower. An agreement that binds no purpose says null.
default within_agreement := false

within_agreement if is_null(input.agreement.purpose)

within_agreement if purpose.narrower_or_same(input.request.purpose, input.agreement.purpose)
