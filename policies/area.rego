# The area in which data may be received and processed, as the configuration sets it, and the ground on which
# it may leave it. Which articles of law those are, the configuration knows.
#
# Without an area there are no bounds. With one, a recipient whose country nobody attests lies outside.
package bylag.area

default within := false

within if is_null(input.facts.area)

within if is_string(input.facts.transfer)

within if {
	is_array(input.facts.area)
	country in input.facts.area
	count(elsewhere) == 0
}

country := attested if {
	attested := input.request.recipient.attributes.country
	is_string(attested)
} else := null

# Where it would be processed outside; where no place is known, it is the recipient's country.
elsewhere := [place |
	is_object(input.facts.values["bylag:processingPlace"])
	some place, _ in input.facts.values["bylag:processingPlace"]
	not place in input.facts.area
]
