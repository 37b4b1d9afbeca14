// Package policy reads the platform's policy: strictly, with every default in one place.
package policy

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/schema"
)

//go:embed schema.json
var rawSchema []byte

var policySchema = schema.MustParse(rawSchema)

// object is how findings call the document.
const object = "Policy"

// Decode reads a policy as the Composition's step or a file carries it, fills in the defaults and judges its shape and
// its content. With violations among the findings the policy must not be used.
func Decode(o manifest.Object) (*v1beta1.Policy, contract.Findings) {
	if len(o) == 0 {
		return nil, contract.Findings{{
			Rule: "API-2", Object: object, Message: "there is no policy: without one nothing is known about the bucket or where its keys are",
			Fix: "give the pipeline step an input of kind Policy with at least bucket.prefix, bucket.region and credentials.secretStoreRef.name",
		}}
	}
	if o.APIVersion() != v1beta1.APIVersion || o.Kind() != v1beta1.Kind {
		return nil, contract.Findings{{
			Rule: "API-2", Object: object, Path: "apiVersion", Value: o.APIVersion() + " " + o.Kind(), Message: "is not a policy this function understands",
			Fix: fmt.Sprintf("write apiVersion: %s and kind: %s", v1beta1.APIVersion, v1beta1.Kind),
		}}
	}
	found := policySchema.Validate(map[string]any(o), "", "API-2")
	if len(found) > 0 {
		return nil, named(found)
	}
	raw, err := json.Marshal(o)
	if err == nil {
		p := &v1beta1.Policy{}
		if err = json.Unmarshal(raw, p); err == nil {
			SetDefaults(p)
			return p, named(append(found, contract.JudgePolicy(p)...))
		}
	}
	return nil, named(append(found, contract.Finding{Rule: "API-2", Message: fmt.Sprintf("cannot be read: %v", err), Fix: "correct the document"}))
}

func named(fs contract.Findings) contract.Findings {
	for i := range fs {
		fs[i].Object = object
	}
	return fs.Sort()
}
