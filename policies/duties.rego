# Duties on permissions (ODRL 2.2, 2.6): what a permission asks in return, and whether it was done.
#
# A duty that is not yet due, or not yet arisen, lets the permission be used; it is then owed. One that comes
# first by its nature must be fulfilled before: consent to obtain, an amount to pay. A violated duty takes
# the permission away until all of its consequences are fulfilled.
package bylag.duties

import data.bylag.logic
import data.bylag.tree

value(rule) := "true" if {
	rule.duties == []
} else := logic.conjunction([kept(duty) | some duty in rule.duties]) if {
	is_array(rule.duties)
} else := "unknown"

kept(duty) := "true" if {
	state(duty) == "fulfilled"
} else := "true" if {
	state(duty) == "violated"
	made_good(duty)
} else := "false" if {
	state(duty) == "violated"
} else := "false" if {
	open(duty)
	first(duty)
} else := "true" if {
	open(duty)
} else := "unknown"

state(duty) := found if {
	found := input.facts.duties[duty.id]
	found in ["unset", "pending", "fulfilled", "violated"]
}

open(duty) if state(duty) in ["unset", "pending"]

first(duty) if duty.action.name == "obtainConsent"

first(duty) if {
	duty.action.name == "compensate"
	some node in tree.everywhere(duty)
	node.left == "payAmount"
}

made_good(duty) if {
	is_array(duty.consequences)
	count(duty.consequences) > 0
	every consequence in duty.consequences {
		met(consequence)
	}
}

met(consequence) if state(consequence) == "fulfilled"

# A consequence that was violated in turn, and made good by its own.
met(consequence) if {
	state(consequence) == "violated"
	is_array(consequence.consequences)
	count(consequence.consequences) > 0
	every last in consequence.consequences {
		state(last) == "fulfilled"
	}
}
