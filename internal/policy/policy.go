// Package policy reads the platform's policy: strictly, with every default in one place.
package policy

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	given, unread := maps.Clone(map[string]any(o)), map[string]bool{}
	var found contract.Findings
	for _, f := range policySchema.Validate(given, "", "API-2") {
		if floors[f.Path] && f.Value != "0" && strings.HasPrefix(f.Message, schema.BelowMinimum) {
			continue
		}
		found = append(found, f)
		section := section(f.Path)
		unread[section] = true
		delete(given, section)
	}
	raw, err := json.Marshal(given)
	p := &v1beta1.Policy{}
	if err == nil {
		err = json.Unmarshal(raw, p)
	}
	if err != nil {
		return nil, named(append(found, contract.Finding{Rule: "API-2", Message: fmt.Sprintf("cannot be read: %v", err), Fix: "correct the document"}))
	}
	SetDefaults(p)
	for _, f := range slices.Concat(contract.JudgePolicy(p), judgeMonitoring(p.Monitoring)) {
		// What could not be read is not judged, nor is the lock against a retention that could not be.
		if !unread[section(f.Path)] && (!unread["backup"] || f.Path != "bucket.lockDays") {
			found = append(found, f)
		}
	}
	if len(unread) > 0 {
		return nil, named(found)
	}
	return p, named(found)
}

// floors are the minimums that are rules of the contract: the rule says better than the schema what is lost below them.
// 0 is left to the schema, because it would be read as "not given".
var floors = map[string]bool{"backup.retentionDays": true, "bucket.lockDays": true}

// section is the field of the policy that a path leads into: "backup" of "backup.schedule".
func section(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

func named(fs contract.Findings) contract.Findings {
	for i := range fs {
		fs[i].Object = object
	}
	return fs.Sort()
}
