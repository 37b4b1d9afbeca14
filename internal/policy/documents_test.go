package policy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
)

// TestDocumentedDefaults holds the sizes and versions developers read about to those they get.
func TestDocumentedDefaults(t *testing.T) {
	raw, err := os.ReadFile("../../docs/write-a-claim.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(raw)), " ")
	for name, size := range sizes {
		row := regexp.MustCompile(fmt.Sprintf("\\| %#q[^|]* \\| %s \\| %s \\|", name, size.Requests.CPU, size.Requests.Memory))
		if !row.MatchString(page) {
			t.Errorf("size %s is not documented as %s CPU and %s", name, size.Requests.CPU, size.Requests.Memory)
		}
		if size.Limits != (v1beta1.Quantities{Memory: size.Requests.Memory}) {
			t.Errorf("size %s is documented without a limit of CPU and with its memory for limit, and has %v", name, size.Limits)
		}
	}
	for _, catalogue := range []map[string]v1beta1.ImageSet{standardImages, systemImages} {
		var versions []string
		for _, set := range catalogue {
			version, _, _ := strings.Cut(strings.TrimPrefix(set.Default, repository), "-")
			versions = append(versions, version)
			if len(set.Variants) > 0 {
				t.Errorf("the built-in catalogue is documented to have no variants; %s has", version)
			}
		}
		slices.Sort(versions)
		last := len(versions) - 1
		if all := strings.Join(versions[:last], ", ") + " and " + versions[last]; !strings.Contains(page, "PostgreSQL "+all) {
			t.Errorf("the images are not documented as PostgreSQL %s", all)
		}
	}
}
