package reconcile_test

import (
	"slices"

	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
)

func message(conditions []reconcile.Condition, kind string) string {
	i := slices.IndexFunc(conditions, func(c reconcile.Condition) bool { return c.Type == kind })
	if i < 0 {
		return ""
	}
	return conditions[i].Message
}

func emits(composed []reconcile.Composed, name string) bool {
	return slices.ContainsFunc(composed, func(c reconcile.Composed) bool { return c.Name == name })
}

func isTrue(out reconcile.Outcome, kind string) bool {
	return slices.ContainsFunc(out.Conditions, func(c reconcile.Condition) bool { return c.Type == kind && c.Status == "True" })
}
