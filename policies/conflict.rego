# The conflict strategy (ODRL 2.2, conflict): what happens when a permission and a prohibition are both active.
#
# prohibit (the default here): the prohibition wins. perm: the permission wins. invalid: the policy is void.
package bylag.conflict

import data.bylag.reserved
import data.bylag.rules

default permitted := false

permitted if {
	some _ in rules.active_permissions
	not prohibited
}

prohibited if {
	input.policy.conflict != "perm"
	some _ in rules.active_prohibitions
}

void if {
	input.policy.conflict == "invalid"
	some _ in rules.active_permissions
	some _ in rules.active_prohibitions
}

# The permission that the release is recorded under: one without counters if there is one.
chosen := uncounted[0] if {
	some _ in uncounted
} else := rules.active_permissions[0]

uncounted := [rule |
	some rule in rules.active_permissions
	reserved.guards(rule) == []
]
