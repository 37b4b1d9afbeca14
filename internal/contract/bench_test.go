package contract_test

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// BenchmarkJudgeManifests is the last gate of every call: a set of the usual size.
func BenchmarkJudgeManifests(b *testing.B) {
	set, o := good(b, "composed-namespaced.yaml")
	b.ReportAllocs()
	for b.Loop() {
		if found := contract.JudgeManifests(set, o); len(found) > 0 {
			b.Fatal(found)
		}
	}
}
