# Parties and assets: a plain one is meant by its name; a collection means its members, as attested.
#
# facts.collections has each attested collection with all of its members. About any other collection
# nothing is known. A collection goes by its id and by its source; a refinement narrows it further.
package bylag.collections

import data.bylag.constraints
import data.bylag.logic

# Whether an entity means what goes by these names.
meant(entity, names) := "true" if {
	plain(entity)
	entity.id in names
} else := "false" if {
	plain(entity)
} else := logic.conjunction([belongs(names, called(entity)), constraints.refined(entity)]) if {
	entity.collection == true
} else := "unknown"

plain(entity) if {
	is_string(entity.id)
	entity.collection == false
	is_null(entity.refinement)
}

# The names of a collection that somebody attests.
called(entity) := [name |
	some name in [entity.id, entity.source]
	is_string(name)
	is_array(input.facts.collections[name])
]

belongs(names, collections) := "true" if {
	some collection in collections
	some member in input.facts.collections[collection]
	member in names
} else := "false" if {
	some _ in collections
} else := "unknown"
