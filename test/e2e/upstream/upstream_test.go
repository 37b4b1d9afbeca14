package upstream

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFetch(t *testing.T) {
	for _, s := range []Source{Crossplane, ProviderKubernetes, CloudNativePG, BarmanPlugin, ExternalSecrets, PrometheusOperator, ProviderAWS} {
		dir, err := Fetch(t.Context(), s, os.Stderr)
		if err != nil {
			t.Errorf("Fetch(%s): %v", s.Name, err)
			continue
		}
		for _, pattern := range s.Files {
			if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) == 0 {
				t.Errorf("Fetch(%s): nothing matches %s", s.Name, pattern)
			}
		}
	}
}
