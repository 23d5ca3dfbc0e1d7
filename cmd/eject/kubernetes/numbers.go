package kubernetes

import (
	"math"
	"strconv"
)

// number is a whole number of the plan's, 0 for none.
func (m *maker) number(value any) int64 {
	count, err := strconv.ParseInt(text(value), 10, 32)
	if err != nil {
		return 0
	}
	return count
}

// atLeast is a duration in seconds, at least one, and otherwise where there is none.
func atLeast(value any, otherwise int64) int32 {
	if count, ok := seconds(value); ok {
		return bounded(max(count, 1))
	}
	return bounded(otherwise)
}

// bounded is a number as Kubernetes has it; what is too large for that is as much as there can be.
func bounded[N int | int64](n N) int32 {
	// #nosec G115 -- it is within int32's bounds here.
	return int32(min(max(int64(n), math.MinInt32), math.MaxInt32))
}
