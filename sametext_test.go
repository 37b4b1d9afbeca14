package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/google/go-cmp/cmp"
)

// TestAViolationReadsTheSameEverywhere: whoever reads of a violation in one place finds the same words in every other.
func TestAViolationReadsTheSameEverywhere(t *testing.T) {
	const spec = `{version: "16", storageGB: 5, instances: 1, parameters: {fsync: "off", archive_timeout: 1h}, backup: {schedule: "0 0 * * *"}}`
	want := []string{
		`spec.backup.schedule: "0 0 * * *": leaves up to 1 day without a base backup, the contract allows 6 hours: recovery would replay all WAL of that time, and one damaged file costs the rest; write "0 0 */6 * * *" (every six hours) or a denser schedule [CNPG-3.1]`,
		`spec.instances: "1": is fewer than 3: after losing one instance either commits are no longer confirmed by a second one, or the database stops writing; leave instances out or write 3 or more [CNPG-1.1]`,
		`spec.parameters.archive_timeout: "1h": keeps the last commits of a quiet database out of the archive for 1 hour; 5 minutes is the most; remove it [ZDL-09]`,
		`spec.parameters.fsync: "off": a crash of the node corrupts the database, and its standbys with it; remove it [ZDL-09]`,
		`spec.storageGB: "5": is below the minimum of 10; write 10 or more [API-1]`,
	}

	t.Chdir(t.TempDir())
	write(t, "policy.yaml", []byte(minimalPolicy))
	write(t, "claim.yaml", []byte("apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: orders, namespace: shop}\nspec: "+spec+"\n"))
	command := func(args ...string) (string, string) {
		var out, errs bytes.Buffer
		if err := run(append(args, "--policy", "policy.yaml", "claim.yaml"), &streams{in: strings.NewReader(""), out: &out, err: &errs}); err != nil {
			errs.WriteString(err.Error())
		}
		return out.String(), errs.String()
	}
	text, _ := command("check")
	annotations, _ := command("check", "-o", "github")
	_, refusal := command("render")
	rsp, err := testFunction().RunFunction(t.Context(), request(t,
		`{apiVersion: database.bizmatters.io/v1alpha1, kind: XPostgresInstance, metadata: {name: orders-x7x2q},
		  spec: {claimRef: {apiVersion: database.bizmatters.io/v1alpha1, kind: PostgresInstance, namespace: shop, name: orders}, `+spec[1:]+`}`, minimalPolicy))
	if err != nil {
		t.Fatal(err)
	}
	results := map[fnv1.Severity]string{}
	for _, r := range rsp.GetResults() {
		results[r.GetSeverity()] = r.GetMessage()
	}
	i := slices.IndexFunc(rsp.GetConditions(), func(c *fnv1.Condition) bool { return c.GetType() == "ContractSatisfied" })
	for place, said := range map[string]string{
		"check":                       text,
		"GitHub's annotations":        annotations,
		"render's refusal":            refusal,
		"the result, FATAL":           results[fnv1.Severity_SEVERITY_FATAL],
		"the result that is an event": results[fnv1.Severity_SEVERITY_WARNING],
		"condition ContractSatisfied": rsp.GetConditions()[i].GetMessage(),
	} {
		for _, w := range want {
			if strings.Count(said, w+"\n") != 1 && !strings.HasSuffix(said, w) {
				t.Errorf("%s does not say once\n%s\nbut\n%s", place, w, said)
			}
		}
	}

	var report struct{ Findings []struct{ Text string } }
	var sarif struct {
		Runs []struct {
			Results []struct{ Message struct{ Text string } }
		}
	}
	for format, into := range map[string]any{"json": &report, "sarif": &sarif} {
		out, _ := command("check", "-o", format)
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("%s: %v\n%s", format, err, out)
		}
	}
	var inJSON, inSARIF []string
	for _, f := range report.Findings {
		inJSON = append(inJSON, f.Text)
	}
	for _, r := range sarif.Runs[0].Results {
		inSARIF = append(inSARIF, r.Message.Text)
	}
	for place, said := range map[string][]string{"json": inJSON, "sarif": inSARIF} {
		slices.Sort(said)
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("%s: -want +got\n%s", place, diff)
		}
	}
}
