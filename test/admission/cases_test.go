package admission

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/admission"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/google/go-cmp/cmp"
	k8sadmission "k8s.io/apiserver/pkg/admission"
	"sigs.k8s.io/yaml"
)

// example is one case of testdata/cases.yaml, which says what the fields mean.
type example struct {
	Name        string         `json:"name"`
	Of          string         `json:"of"`
	Namespaced  bool           `json:"namespaced"`
	Make        map[string]any `json:"make"`
	Before      map[string]any `json:"before"`
	After       map[string]any `json:"after"`
	Do          string         `json:"do"`
	Subresource string         `json:"subresource"`
	User        string         `json:"user"`
	Deny        []string       `json:"deny"`
	Audit       string         `json:"audit"`
}

// TestCases plays every case, and asks that every check of every policy refuses something in at least one of them.
func TestCases(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "cases.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []example
	if err := yaml.UnmarshalStrict(raw, &cases); err != nil {
		t.Fatal(err)
	}
	all := policies(t, admission.Options{})
	sets := map[bool]map[string]manifest.Object{false: emitted(t, claim.ClusterScoped), true: emitted(t, claim.Namespaced)}
	said := map[string]bool{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			o := manifest.Object(normal(c.Make))
			if c.Of != "" {
				o = sets[c.Namespaced][c.Of]
			}
			if o == nil {
				t.Fatalf("the function emits no %q", c.Of)
			}
			before := patched(o, c.Before)
			r := request{operation: k8sadmission.Update, subresource: c.Subresource, user: c.User, old: before, new: patched(before, c.After)}
			switch c.Do {
			case "CREATE":
				r.operation, r.old = k8sadmission.Create, nil
			case "DELETE":
				r.operation, r.new = k8sadmission.Delete, nil
			}
			v := judge(t, all, r)
			slices.Sort(c.Deny)
			if diff := cmp.Diff(c.Deny, v.rules); diff != "" {
				t.Errorf("-want +got\n%s\n%q", diff, v.messages)
			}
			if c.Audit != "" && !slices.Contains(v.audit, c.Audit) {
				t.Errorf("the audit log gets %q, want %q", v.audit, c.Audit)
			}
			for _, message := range v.messages {
				said[message] = true
			}
		})
	}
	if len(cases) < 100 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, p := range all {
		for _, v := range p.Spec.Validations {
			if !said[v.Message] {
				t.Errorf("%s: no case is refused with: %s", p.Name, v.Message)
			}
		}
	}
}

// patched applies a merge patch to a copy.
func patched(o manifest.Object, patch map[string]any) manifest.Object {
	out := manifest.CopyMap(o)
	merge(out, normal(patch))
	return out
}

func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		existing, there := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && there:
			merge(existing, inner)
		case isMap:
			fresh := map[string]any{}
			merge(fresh, inner)
			into[key] = fresh
		default:
			into[key] = value
		}
	}
}

// normal makes whole numbers int64, as the API server reads them.
func normal(m map[string]any) map[string]any {
	out, _ := numbers(m).(map[string]any)
	return out
}

func numbers(v any) any {
	switch x := v.(type) {
	case float64:
		if x == float64(int64(x)) {
			return int64(x)
		}
	case map[string]any:
		out := make(map[string]any, len(x))
		for key, value := range x {
			out[key] = numbers(value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = numbers(x[i])
		}
		return out
	}
	return v
}

// TestWaivers says that what the platform waives is not refused by Kubernetes either: for all claims, for some, and not
// after the waiver has ended.
func TestWaivers(t *testing.T) {
	waivers := func(extra map[string]any) manifest.Object {
		p := platform()
		w := map[string]any{"rule": "CNPG-1.1", "reason": "a test environment of two nodes"}
		maps.Copy(w, extra)
		p["waivers"] = []any{w}
		return p
	}
	cases := map[string]struct {
		reason string
		waiver map[string]any
		deny   []string
	}{
		"ForAll":      {reason: "a waiver without claims is for all of them", waiver: nil},
		"ForThis":     {reason: "a pattern that fits", waiver: map[string]any{"claims": "shop/ord*"}},
		"ForAnother":  {reason: "a pattern that does not fit", waiver: map[string]any{"claims": "shop/x-*"}, deny: []string{"CNPG-1.1"}},
		"WholeNames":  {reason: "a star ends at a slash", waiver: map[string]any{"claims": "sh*"}, deny: []string{"CNPG-1.1"}},
		"StillHolds":  {reason: "the last day counts", waiver: map[string]any{"expires": "2026-11-24"}},
		"HasEnded":    {reason: "the day after does not", waiver: map[string]any{"expires": "2026-11-23"}, deny: []string{"CNPG-1.1"}},
		"Unwaivable":  {reason: "some rules cannot be waived, and this one was not", waiver: map[string]any{"rule": "ZDL-14"}, deny: []string{"CNPG-1.1"}},
		"AnotherRule": {reason: "a waiver is for its rule only", waiver: map[string]any{"rule": "CNPG-2.3"}, deny: []string{"CNPG-1.1"}},
	}
	cluster := emitted(t, claim.ClusterScoped)["cluster/manifest"]
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := admission.OptionsFor(decoded(t, waivers(tc.waiver)))
			o.Today = "2026-11-24"
			v := judge(t, policies(t, o), request{operation: k8sadmission.Update, old: cluster, new: patched(cluster, map[string]any{"spec": map[string]any{"instances": int64(2)}})})
			if diff := cmp.Diff(tc.deny, v.rules); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
}
