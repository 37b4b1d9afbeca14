package bootstrap

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	documented "github.com/bizmatters/function-hardened-postgres/internal/source"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

var update = flag.Bool("update", false, "rewrite the plans in testdata")

// TestCases plays the files in testdata: a claim, what is left of its source, and the plan that follows. A file is text
// with sections; the ones a case may have are
//
//	claim       the claim, as it lies in Git
//	policy      the platform's policy; the default one otherwise
//	world       what exists: Clusters and ObjectStores, found where Make asks for them
//	unanswered  names of requirements that are still open; all others are answered
//	observed    composed resources, each with its composition-resource-name
//	live        the claim's own Cluster, where it lives
//	now         the time of the call
//	plan        what must come out: written with -update, read by people
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			reason, sections := split(t, string(raw))
			if strings.TrimSpace(reason) == "" {
				t.Errorf("%s does not say what it is for", file)
			}
			got := play(t, sections)
			if *update {
				before, _, _ := strings.Cut(string(raw), "-- plan --\n")
				if err := os.WriteFile(file, []byte(before+"-- plan --\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(sections["plan"], got); diff != "" {
				t.Errorf("%s\nplan: -want, +got:\n%s", reason, diff)
			}
		})
	}
}

var sectionNames = []string{"claim", "policy", "world", "unanswered", "observed", "live", "now", "plan"}

func split(t *testing.T, text string) (comment string, sections map[string]string) {
	t.Helper()
	sections = map[string]string{}
	at := ""
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			at = strings.TrimSuffix(strings.TrimSpace(name), " --")
			if !slices.Contains(sectionNames, at) {
				t.Fatalf("unknown section %q", at)
			}
			sections[at] = ""
			continue
		}
		if at == "" {
			comment += line
		} else {
			sections[at] += line
		}
	}
	return comment, sections
}

const defaultPolicy = `
apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1
kind: Policy
bucket: {prefix: acme, region: eu-central-1}
credentials: {secretStoreRef: {name: vault}}
`

func play(t *testing.T, sections map[string]string) string {
	t.Helper()
	text := sections["policy"]
	if text == "" {
		text = defaultPolicy
	}
	p, found := policy.Decode(documents(t, text)[0])
	if len(found) > 0 {
		t.Fatalf("policy: %s", found)
	}
	c, found := claim.Decode(documents(t, sections["claim"])[0])
	if len(found) > 0 {
		t.Fatalf("claim: %s", found)
	}
	v := world.View{Observed: map[string]manifest.Tree{}, Required: map[string][]manifest.Tree{}}
	for _, o := range documents(t, sections["observed"]) {
		v.Observed[manifest.String(o, "metadata", "annotations", "crossplane.io/composition-resource-name")] = o
	}
	open := strings.Fields(sections["unanswered"])
	there := documents(t, sections["world"])
	for name, ask := range Asks(c, p) {
		if slices.Contains(open, name) {
			continue
		}
		v.Required[name] = nil
		for _, o := range there {
			if o.APIVersion() == ask.APIVersion && o.Kind() == ask.Kind && o.Namespace() == ask.Namespace && o.Name() == ask.Name {
				v.Required[name] = []manifest.Tree{o}
			}
		}
	}
	var live *world.Cluster
	if own := documents(t, sections["live"]); len(own) > 0 {
		cluster := world.ClusterOf(own[0])
		live = &cluster
	}
	var now time.Time
	if s := strings.TrimSpace(sections["now"]); s != "" {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		now = parsed
	}
	place := hardened.PlaceOf(c, p)
	if live != nil {
		place.ServerName = live.ServerName
	}
	plan := Make(c, p, place, live, v, now)
	if again := Make(c, p, place, live, v, now); !cmp.Equal(plan, again) {
		t.Errorf("a second call differs: %s", cmp.Diff(plan, again))
	}
	return tell(t, plan)
}

// tell is a plan in words.
func tell(t *testing.T, plan Plan) string {
	t.Helper()
	var b strings.Builder
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s:\n", title)
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	var refusals []string
	for _, f := range plan.Findings {
		refusals = append(refusals, f.String())
	}
	list("refused", refusals)
	if len(refusals) > 0 {
		if plan.Bootstrap.Stanza == nil && len(plan.Waiting) == 0 && plan.Status != nil && !plan.Status.Inert {
			t.Error("a waiver would turn this refusal into an empty database")
		}
		return b.String() // What would be made of it is nobody's business.
	}
	list("waiting for", append(slices.Clip(plan.Waiting), plan.Preparing...))
	list("released", plan.Released)
	if s := plan.Status; s != nil {
		fmt.Fprintf(&b, "status: %s from %s, inert %v\n  %s\n", s.Method, s.Source, s.Inert, s.Message)
	}
	if plan.Behind != "" {
		b.WriteString("not to be switched to: the same\n")
		if plan.Behind != plan.Status.Message {
			t.Errorf("status says %q, and why not to switch is %q", plan.Status.Message, plan.Behind)
		}
	}
	if plan.Bootstrap.Stanza != nil {
		emitted := map[string]any{"bootstrap": plan.Bootstrap.Stanza}
		if plan.Bootstrap.ExternalClusters != nil {
			emitted["externalClusters"] = plan.Bootstrap.ExternalClusters
		}
		out, err := yaml.Marshal(emitted)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(out)
	}
	for _, r := range plan.Bootstrap.Resources {
		m := r.Object.Unwrap()
		spec, err := yaml.Marshal(map[string]any(manifest.Map(m, "spec")))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s, stage %d: %s %s/%s\n", r.Name, r.Stage, m.Kind(), m.Namespace(), m.Name())
		for line := range strings.Lines(string(spec)) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}

func documents(t *testing.T, text string) []manifest.Object {
	t.Helper()
	docs, err := documented.Read("case.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]manifest.Object, len(docs))
	for i, d := range docs {
		out[i] = d.Object
	}
	return out
}
