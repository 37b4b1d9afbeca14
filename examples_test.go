package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
)

// elsewhere are composed resources that are left out for their length.
var elsewhere = map[string]string{
	"prometheus-rule": "Left out: internal/alerts makes the rules, test/alerts plays them.\n",
	"custom-queries":  "Left out: internal/alerts/queries.yaml.\n",
	"dashboard":       "Left out: internal/alerts makes the dashboard.\n",
}

// TestExamples holds what `render` prints for every claim in example/ against testdata/examples: one archive for each,
// and in it one section for each composed resource. -update rewrites them; read the difference before committing it.
func TestExamples(t *testing.T) {
	cases := map[string]struct {
		reason string
		args   []string
	}{
		"claim":           {reason: "Ten lines make the complete set, cluster-scoped and orphaned in plain sight.", args: []string{"example/claim.yaml"}},
		"claim-full":      {reason: "Every optional field reaches the manifest it is for.", args: []string{"example/claim-full.yaml"}},
		"agent-db-v15":    {reason: "The specification's own example works as it stands.", args: []string{"example/agent-db-v15.yaml"}},
		"xr-namespaced":   {reason: "The same database in a control plane without claims: namespaced resources, no deletionPolicy.", args: []string{"example/xr-namespaced.yaml"}},
		"existing-bucket": {reason: "A bucket somebody else made, on a store that is not AWS, is observed and never written.", args: []string{"example/claim.yaml", "--policy", "example/policy-existing-bucket.yaml"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if err := run(append([]string{"render"}, tc.args...), &streams{in: strings.NewReader(""), out: &out, err: &errs}); err != nil {
				t.Fatalf("%s\n%v", tc.reason, err)
			}
			got := &txtar.Archive{Comment: []byte(tc.reason + "\n$ render " + strings.Join(tc.args, " ") + "\n" + errs.String())}
			for document := range strings.SplitSeq(out.String(), "---\n") {
				if document == "" {
					continue
				}
				var o struct {
					Metadata struct {
						Annotations map[string]string `yaml:"annotations"`
					} `yaml:"metadata"`
				}
				if err := yaml.Unmarshal([]byte(document), &o); err != nil {
					t.Fatal(err)
				}
				role := o.Metadata.Annotations["crossplane.io/composition-resource-name"]
				if where, ok := elsewhere[role]; ok {
					document = where
				}
				got.Files = append(got.Files, txtar.File{Name: role, Data: []byte(document)})
			}
			path := filepath.Join("testdata", "examples", name+".txtar")
			if *update {
				if err := os.WriteFile(path, txtar.Format(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(txtar.Format(got))); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
	// An example nobody judged is not an example.
	files, err := filepath.Glob("example/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown := false
		for _, tc := range cases {
			shown = shown || tc.args[0] == filepath.ToSlash(file)
		}
		if bytes.Contains(raw, []byte("\nkind: PostgresInstance\n")) && !shown {
			t.Errorf("%s is a claim without a case", file)
		}
	}
}
