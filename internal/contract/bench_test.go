package contract_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// BenchmarkJudgeManifests is the last gate of every call, a set of the usual size, and the check of a repository with
// many of them: what one set costs must not grow with their number.
func BenchmarkJudgeManifests(b *testing.B) {
	raw, err := os.ReadFile("testdata/good/plugin.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for _, sets := range []int{1, 16, 256} {
		var all []manifest.Object
		for i := range sets {
			name := strings.NewReplacer("orders", "orders"+strconv.Itoa(i), "shop", "shop"+strconv.Itoa(i))
			all = append(all, read(b, "plugin.yaml", name.Replace(string(raw)))...)
		}
		b.Run(strconv.Itoa(sets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if found := contract.JudgeManifests(all, contract.Options{Complete: true}); len(found) > 0 {
					b.Fatal(found[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(sets), "µs/set")
		})
	}
}
