# recipient: the organisation that asks, or its unit, attested by the membership list.
package bylag.recipient

import data.bylag.parties

value(constraint) := "unknown" if {
	not comparable(constraint)
} else := "true" if {
	constraint.operator in {"eq", "isAnyOf"}
	is_named(constraint)
} else := "true" if {
	constraint.operator in {"neq", "isNoneOf"}
	not is_named(constraint)
} else := "false"

comparable(constraint) if {
	constraint.operator in {"eq", "neq", "isAnyOf", "isNoneOf"}
	every party in named(constraint) {
		is_string(party)
	}
}

is_named(constraint) if {
	some party in named(constraint)
	party in parties.recipient_names
}

named(constraint) := constraint.right if {
	is_array(constraint.right)
} else := [constraint.right]
