package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// BenchmarkThousandClaims judges a repository of a thousand claims, one file each, from the files to the findings.
func BenchmarkThousandClaims(b *testing.B) {
	const claims = 1000
	dir := b.TempDir()
	for i := range claims {
		text := fmt.Sprintf(`apiVersion: database.bizmatters.io/v1alpha1
kind: PostgresInstance
metadata:
  name: orders-%d
  namespace: shop
  labels:
    team: shop
spec:
  size: medium
  version: "16"
  storageGB: 20
  backup:
    schedule: "0 0 */4 * * *"
  parameters:
    max_connections: "200"
`, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		docs, err := source.Open([]string{dir}, strings.NewReader(""))
		if err != nil {
			b.Fatal(err)
		}
		if r := check.Judge(docs, check.Options{Today: "2026-11-24"}); r.Claims != claims || len(r.Findings) != 0 {
			b.Fatalf("%d claims, %d findings", r.Claims, len(r.Findings))
		}
	}
	b.ReportMetric(float64(claims*b.N)/b.Elapsed().Seconds(), "claims/s")
}
