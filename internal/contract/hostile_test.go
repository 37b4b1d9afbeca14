package contract_test

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

var update = flag.Bool("update", false, "write what is found into the findings section of the hostile corpus")

// TestHostile judges testdata/hostile: a directory for each rule, in it a file for each way around it. A file says why
// the way is dangerous, shows the documents, and repeats the findings word for word. Every file trips the rule it is
// filed under and no other.
//
// Sections: options (complete, composed, or a name and a number), policy.yaml, claim.yaml, manifests.yaml, findings.
func TestHostile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "hostile", "*", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 80 {
		t.Fatalf("the corpus has %d files, it had more than 80", len(files))
	}
	for _, file := range files {
		rule := filepath.Base(filepath.Dir(file))
		t.Run(rule+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(strings.TrimSpace(string(archive.Comment))) < 10 {
				t.Error("the file does not say why this is dangerous")
			}
			c := parseCase(t, archive)
			found := c.judge(t)
			if len(found) == 0 {
				t.Errorf("nothing is found")
			}
			for _, f := range found {
				if f.Rule != rule {
					t.Errorf("trips %s, and must trip %s only:\n%s: %s", f.Rule, rule, f.Object, f)
				}
				if f.Object == "" || f.Message == "" {
					t.Errorf("finding without an object or a message: %+v", f)
				}
			}
			got := found.String() + "\n"
			if diff := cmp.Diff(c.findings, got); diff != "" {
				if *update {
					c.write(t, file, archive, got)
					return
				}
				t.Errorf("%s\n-want +got:\n%s", strings.TrimSpace(string(archive.Comment)), diff)
			}
		})
	}
}

type hostileCase struct {
	options                  contract.Options
	policy, claim, manifests string
	findings                 string
}

func parseCase(t *testing.T, archive *txtar.Archive) hostileCase {
	t.Helper()
	var c hostileCase
	for _, f := range archive.Files {
		text := string(f.Data)
		switch f.Name {
		case "options":
			for line := range strings.Lines(text) {
				c.option(t, strings.TrimSpace(line))
			}
		case "policy.yaml":
			c.policy = text
		case "claim.yaml":
			c.claim = text
		case "manifests.yaml":
			c.manifests = text
		case "findings":
			c.findings = text
		default:
			t.Fatalf("there is no section %q", f.Name)
		}
	}
	return c
}

func (c *hostileCase) option(t *testing.T, line string) {
	t.Helper()
	name, number, _ := strings.Cut(line, " ")
	n, _ := strconv.ParseInt(number, 10, 64)
	switch name {
	case "complete":
		c.options.Complete = true
	case "composed":
		c.options.Composed = true
	case "administrators":
		c.options.Administrators = strings.Fields(number)
	case "retentionDays":
		c.options.RetentionDays = n
	default:
		t.Fatalf("there is no option %q", line)
	}
}

// minimalPolicy is the least a platform has to write.
const minimalPolicy = `
apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1
kind: Policy
bucket: {prefix: acme-prod, region: eu-central-1}
credentials: {secretStoreRef: {name: aws}}
`

func (c *hostileCase) judge(t *testing.T) contract.Findings {
	t.Helper()
	if c.manifests != "" {
		return contract.JudgeManifests(read(t, "manifests.yaml", c.manifests), c.options)
	}
	text := c.policy
	if text == "" {
		text = minimalPolicy
	}
	p, found := policy.Decode(read(t, "policy.yaml", text)[0])
	if len(found) > 0 || c.claim == "" {
		return found
	}
	return judgeClaim(read(t, "claim.yaml", c.claim)[0], func(cl *claim.Claim) contract.Findings {
		terms, found := cl.BackupTerms(p)
		if len(found) > 0 {
			return found
		}
		asked := contract.Asked{Namespace: cl.Namespace, Name: cl.Name, Spec: cl.Spec, Schedule: terms.Schedule, RetentionDays: terms.RetentionDays, LockDays: terms.LockDays}
		return append(contract.JudgeClaim(asked, p), cl.JudgeNames()...)
	})
}

func judgeClaim(o manifest.Object, judge func(*claim.Claim) contract.Findings) contract.Findings {
	c, found := claim.Decode(claim.AsComposite(o, claim.Namespaced))
	if len(found) > 0 {
		return found
	}
	return judge(c)
}

func (c *hostileCase) write(t *testing.T, file string, archive *txtar.Archive, findings string) {
	t.Helper()
	for i := range archive.Files {
		if archive.Files[i].Name == "findings" {
			archive.Files[i].Data = []byte(findings)
		}
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}
