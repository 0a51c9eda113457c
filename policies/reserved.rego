# What a use changes: the counters that the writer reserves with it, and the values they were read at.
package bylag.reserved

import data.bylag.counting
import data.bylag.metered
import data.bylag.rate
import data.bylag.spacing

guards(rule) := array.concat(
	array.concat(counting.guards(rule), rate.guards(rule)),
	array.concat(spacing.guards(rule), metered.guards(rule)),
)

ranges(rule) := array.concat(
	array.concat(counting.ranges(rule), rate.ranges(rule)),
	array.concat(spacing.ranges(rule), metered.ranges(rule)),
)
