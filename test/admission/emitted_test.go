package admission

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/admission"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	k8sadmission "k8s.io/apiserver/pkg/admission"
)

// TestFunctionIsNotHindered says that whatever the function emits is created, written again and let go of: managed
// resources are deleted with their claim, and what they manage is not.
func TestFunctionIsNotHindered(t *testing.T) {
	all := policies(t, admission.Options{})
	for _, scope := range []claim.Scope{claim.ClusterScoped, claim.Namespaced} {
		set := emitted(t, scope)
		if len(set) < 30 {
			t.Fatalf("%s: only %d objects", scope, len(set))
		}
		for name, o := range set {
			if v := judge(t, all, request{operation: k8sadmission.Create, new: o}); len(v.rules) > 0 {
				t.Errorf("%s: %s cannot be created: %q", scope, name, v.messages)
			}
			touched := manifest.Object(manifest.CopyMap(o))
			manifest.Map(touched, "metadata")["finalizers"] = []any{"acme.io/x"}
			if v := judge(t, all, request{operation: k8sadmission.Update, old: o, new: touched}); len(v.rules) > 0 {
				t.Errorf("%s: %s cannot be written: %q", scope, name, v.messages)
			}
			v := judge(t, all, request{operation: k8sadmission.Delete, old: o})
			_, managed := o.Lookup("spec", "forProvider")
			protected := manifest.String(o, "metadata", "labels", admission.LabelProtected) == "true"
			if goes := managed || !protected; goes != (len(v.rules) == 0) {
				t.Errorf("%s: %s: deletion refused by %v, want it to pass: %t", scope, name, v.rules, goes)
			}
		}
	}
}
