# A complete question for the tests beside the rules; each test changes what it is about.
package bylag.question_test

research := "https://w3id.org/dpv#ResearchAndDevelopment"

scientific := "https://w3id.org/dpv#ScientificResearch"

marketing := "https://w3id.org/dpv#Marketing"

party(id) := {"id": id, "collection": false, "source": null, "refinement": null}

leaf(left, operator, right) := {
	"id": null,
	"left": left,
	"operator": operator,
	"right": right,
	"datatype": "string",
	"unit": null,
}

tree(logic, operands) := {"id": null, "logic": logic, "operands": operands}

rule(kind, action, constraint) := {
	"id": concat("-", [kind, action]),
	"kind": kind,
	"action": {"name": action, "refinement": null},
	"parties": {"assigner": null, "assignee": null},
	"target": null,
	"output": null,
	"constraint": constraint,
	"duties": [],
	"consequences": [],
	"remedies": [],
}

policy(rules) := {
	"type": "policy",
	"version": 1,
	"kind": "agreement",
	"id": null,
	"assigner": party("did:web:city.example"),
	"assignee": party("did:web:company.example"),
	"target": party("energy"),
	"conflict": "prohibit",
	"profiles": [],
	"inherits": [],
	"timestamp": null,
	"about": {},
	"rules": rules,
}

of(rules) := {
	"type": "decision-input",
	"version": 1,
	"agreement": {"id": "a", "digest": "d", "purpose": research, "legal_basis": null},
	"consent": null,
	"facts": {
		"area": null,
		"began": null,
		"collections": {},
		"counters": {},
		"duties": {},
		"now": 1000,
		"transfer": null,
		"values": {},
	},
	"membership": {"number": 1, "digest": "e"},
	"policy": policy(rules),
	"request": {
		"action": "read",
		"dataset": "energy",
		"exchange": "x",
		"nonce": "n",
		"purpose": scientific,
		"recipient": {"did": "did:web:company.example", "unit": null, "attributes": {}},
		"version": "v",
	},
}

changed(question, path, value) := json.patch(question, [{"op": "replace", "path": path, "value": value}])

without(question, path) := json.patch(question, [{"op": "remove", "path": path}])

# The question with some of its facts set.
knowing(question, facts) := object.union(question, {"facts": object.union(question.facts, facts)})

collection(id, source, refinement) := {"id": id, "collection": true, "source": source, "refinement": refinement}

duty(id, action) := {
	"id": id,
	"kind": "duty",
	"action": {"name": action, "refinement": null},
	"parties": {"assigner": null, "assignee": null},
	"target": null,
	"output": null,
	"constraint": null,
	"duties": [],
	"consequences": [],
	"remedies": [],
}

# A rule with one of its members replaced.
such(rule, member, value) := object.union(object.remove(rule, [member]), {member: value})
