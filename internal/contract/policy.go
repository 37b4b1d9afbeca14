package contract

import "github.com/bizmatters/function-hardened-postgres/input/v1beta1"

// JudgePolicy is filled in below.
func JudgePolicy(p *v1beta1.Policy) Findings { return nil }
