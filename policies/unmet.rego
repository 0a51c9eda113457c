# Why one constraint or one duty of a permission does not hold, as a code with parameters.
package bylag.unmet

import data.bylag.constraints
import data.bylag.duties
import data.bylag.families
import data.bylag.limits

reason(node, rule) := {"code": code(node, rule), "rule": rule.id, "parameters": parameters(node, code(node, rule))}

# A purpose, a time and a recipient are always there: what is not certain of them does not hold, either.
code(node, rule) := always[node.left] if {
	always[node.left]
} else := "FACT_MISSING" if {
	families.of[node.left]
	constraints.leaf(node, rule) == "unknown"
} else := counted[node.left] if {
	counted[node.left]
} else := "CONSTRAINT_NOT_MET" if {
	families.of[node.left]
} else := "NOT_ENFORCED"

always := {
	"purpose": "PURPOSE_NOT_PERMITTED",
	"dateTime": "OUTSIDE_PERIOD",
	"recipient": "RECIPIENT_NOT_PERMITTED",
}

counted := {
	"count": "COUNT_USED_UP",
	"bylag:rate": "RATE_USED_UP",
	"timeInterval": "TOO_SOON",
	"meteredTime": "METERED_TIME_USED_UP",
	"elapsedTime": "OUTSIDE_ELAPSED_TIME",
	"delayPeriod": "OUTSIDE_ELAPSED_TIME",
}

parameters(node, code) := {"asked": input.request.purpose, "operator": node.operator, "named": node.right} if {
	code == "PURPOSE_NOT_PERMITTED"
} else := {"operator": node.operator, "bound": node.right} if {
	code == "OUTSIDE_PERIOD"
} else := {"operator": node.operator, "named": node.right} if {
	code == "RECIPIENT_NOT_PERMITTED"
} else := {"limit": limits.highest(node)} if {
	code in ["COUNT_USED_UP", "RATE_USED_UP"]
} else := {"duration": node.right} if {
	code in ["TOO_SOON", "METERED_TIME_USED_UP"]
} else := {"operand": node.left, "operator": node.operator, "duration": node.right} if {
	code == "OUTSIDE_ELAPSED_TIME"
} else := {"operand": node.left} if {
	code == "FACT_MISSING"
} else := {"operand": node.left, "operator": node.operator, "named": node.right} if {
	code == "CONSTRAINT_NOT_MET"
} else := {}

of_duty(duty) := "DUTY_VIOLATED" if {
	duties.state(duty) == "violated"
} else := "DUTY_COMES_FIRST" if {
	duties.first(duty)
} else := "DUTY_UNKNOWN"

action_of(duty) := duty.action.name if {
	is_string(duty.action.name)
} else := null
