package claim

import (
	"fmt"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/lock"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// BackupTerms are the backup figures in force for one claim: the policy's, or the stronger ones the claim asks for.
type BackupTerms struct {
	Schedule      schedule.Schedule
	RetentionDays int64
	LockDays      int64
}

// BackupTerms combines policy and claim. It computes; whether the result keeps the contract is judged elsewhere.
func (c *Claim) BackupTerms(p *v1beta1.Policy) (BackupTerms, contract.Findings) {
	asked, path := c.Spec.Backup.Schedule, "spec.backup.schedule"
	if asked == "" {
		asked = p.Backup.Schedule
	}
	s, err := schedule.Parse(asked)
	if err != nil {
		return BackupTerms{}, Named(contract.Findings{{
			Rule: "CNPG-3.1", Path: path, Value: asked, Message: fmt.Sprintf("is not a schedule: %v", err),
			Fix: `write a cron expression, for instance "0 */6 * * *" (every six hours)`,
		}}, c.Namespace, c.Name)
	}
	t := BackupTerms{Schedule: s, RetentionDays: p.Backup.RetentionDays, LockDays: p.Bucket.LockDays}
	if days := c.Spec.Backup.RetentionDays; days != 0 {
		t.RetentionDays = days
		t.LockDays = max(t.LockDays, lock.DefaultDays(days, s.MaxGap()))
	}
	if days := c.Spec.Backup.LockDays; days != 0 {
		t.LockDays = days
	}
	return t, nil
}
