// Package lock answers one question: for how many days must Object Lock hold a backup (ZDL-01)?
//
// To recover to the first second of the retention window one needs a base backup that was finished before it, and the
// newest such backup may be older than the window by several missed runs and by the time one run takes. Its objects
// must still be locked then, or they are protected by nothing when they are needed most.
package lock

import "time"

const (
	// missedRuns is how many scheduled backups in a row may fail without the window losing its base backup's lock; one
	// more interval passes before the next would have replaced it.
	missedRuns = 4
	// longestRun is the time one base backup may take.
	longestRun = 6 * time.Hour
	// response is the time people have to notice an attack and answer it before locks of needed backups run out.
	response = 7
)

// MinDays is the least lock for a retention window, in whole days, with the given largest gap between base backups: 32
// for 30 days at six hours.
func MinDays(retentionDays int64, gap time.Duration) int64 {
	margin := (missedRuns+1)*gap + longestRun
	const day = 24 * time.Hour
	return retentionDays + int64((margin+day-1)/day)
}

// DefaultDays is the lock where nobody says otherwise: a week beyond the retention, and never below MinDays.
func DefaultDays(retentionDays int64, gap time.Duration) int64 {
	return max(retentionDays+response, MinDays(retentionDays, gap))
}
