# Duties as they stand: the state of each and of what answers its breach, and whether it lets be used.
package bylag.owed

import data.bylag.duties
import data.bylag.unmet

traced(duty) := {
	"id": duty.id,
	"action": unmet.action_of(duty),
	"state": stated(duty),
	"value": duties.kept(duty),
	"first": count([true | duties.first(duty)]) > 0,
	"consequences": [answering(consequence) | some consequence in consequences(duty)],
}

answering(duty) := object.union(named(duty), {"consequences": [named(last) | some last in consequences(duty)]})

named(duty) := {"id": object.get(duty, "id", null), "action": unmet.action_of(duty), "state": stated(duty)}

stated(duty) := duties.state(duty) if {
	is_string(duty.id)
} else := null

consequences(duty) := [consequence |
	is_array(duty.consequences)
	some consequence in duty.consequences
	is_object(consequence)
]
