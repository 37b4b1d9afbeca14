package contract

import (
	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// Asked is a decoded, defaulted claim as the contract sees it, with the backup figures in force for it.
type Asked struct {
	Namespace, Name string
	Spec            v1alpha1.Spec
	Schedule        schedule.Schedule
	// RetentionDays and LockDays are the policy's, or the claim's own where it asks for others.
	RetentionDays, LockDays int64
}
