package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/fixture"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

const (
	minimalPolicy = `{apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1, kind: Policy,
  bucket: {prefix: acme, region: eu-central-1}, credentials: {secretStoreRef: {name: store}}}`
	minimalXR = `{apiVersion: database.bizmatters.io/v1alpha1, kind: XPostgresInstance, metadata: {name: orders-x7x2q},
  spec: {claimRef: {apiVersion: database.bizmatters.io/v1alpha1, kind: PostgresInstance, namespace: shop, name: orders}}}`
)

func testFunction() *Function {
	return &Function{log: slog.New(slog.DiscardHandler), now: func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }}
}

// yamlStruct reads a document of a test.
func yamlStruct(t testing.TB, text string) *structpb.Struct {
	t.Helper()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	documents, err := source.Read("test.yaml", strings.NewReader(text))
	if err != nil || len(documents) != 1 {
		t.Fatalf("cannot read the test's document: %v (%d documents)\n%s", err, len(documents), text)
	}
	return toStruct(documents[0].Object)
}

func request(t testing.TB, composite, policy string) *fnv1.RunFunctionRequest {
	t.Helper()
	return &fnv1.RunFunctionRequest{
		Meta:     &fnv1.RequestMeta{Tag: "tag"},
		Input:    yamlStruct(t, policy),
		Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: yamlStruct(t, composite)}},
	}
}

func refused(kind string, status fnv1.Status, message string) *fnv1.Condition {
	return &fnv1.Condition{Type: kind, Status: status, Reason: "Refused", Message: &message, Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum()}
}

func TestRunFunctionRefuses(t *testing.T) {
	const unchanged = "the claim is refused, see ContractSatisfied; whatever exists is left as it is"
	cases := map[string]struct {
		reason            string
		composite, policy string
		want              string
	}{
		"NoPolicy": {
			reason:    "Without a policy nothing is known about the bucket, so nothing may be made.",
			composite: minimalXR,
			want:      `Policy: there is no policy: without one nothing is known about the bucket or where its keys are; give the pipeline step an input of kind Policy with at least bucket.prefix, bucket.region and credentials.secretStoreRef.name [API-2]`,
		},
		"PolicyWithATypo": {
			reason:    "A misspelt field of the policy is a protection that was never on.",
			composite: minimalXR,
			policy:    strings.Replace(minimalPolicy, "region:", "lockdays: 90, region:", 1),
			want:      `Policy: bucket.lockdays: unknown field: it would be silently ignored, and what you meant by it would not happen; did you mean "lockDays"? [API-2]`,
		},
		"PolicyBelowTheFloor": {
			reason:    "The platform cannot promise less than the contract.",
			composite: minimalXR,
			policy:    strings.Replace(minimalPolicy, "region:", "lockDays: 31, region:", 1),
			want:      `Policy: bucket.lockDays: "31": is too short: to recover to the first second of 30 days, backups up to 32 days old must still be locked; write 32 or more [ZDL-01]`,
		},
		"NotAComposite": {
			reason:    "A Composition for another kind must not make databases of it.",
			composite: `{apiVersion: example.org/v1, kind: XApp, metadata: {name: a}}`,
			policy:    minimalPolicy,
			want: `PostgresInstance /a: apiVersion: "example.org/v1": is not the version of this API; write apiVersion: database.bizmatters.io/v1alpha1 [API-1]
PostgresInstance /a: kind: "XApp": is not a database claim; write kind: PostgresInstance [API-1]`,
		},
		"EverythingAtOnce": {
			reason: "All problems are told at once, in the order of their paths.",
			composite: strings.Replace(minimalXR, "spec: {", `spec: {sizes: small, version: 16, storageGB: 5, instances: 1,
  parameters: {FSYNC: "off"}, backup: {schedule: "0 0 * * *"}, `, 1),
			policy: minimalPolicy,
			want: `PostgresInstance shop/orders: spec.backup.schedule: "0 0 * * *": leaves up to 1 day without a base backup, the contract allows 6 hours: recovery would replay all WAL of that time, and one damaged file costs the rest; write "0 0 */6 * * *" (every six hours) or a denser schedule [CNPG-3.1]
PostgresInstance shop/orders: spec.instances: "1": is fewer than 3: after losing one instance either commits are no longer confirmed by a second one, or the database stops writing; leave instances out or write 3 or more [CNPG-1.1]
PostgresInstance shop/orders: spec.parameters.FSYNC: "off": a crash of the node corrupts the database, and its standbys with it; remove it [ZDL-09]
PostgresInstance shop/orders: spec.sizes: unknown field: it would be silently ignored, and what you meant by it would not happen; did you mean "size"? [API-1]
PostgresInstance shop/orders: spec.storageGB: "5": is below the minimum of 10; write 10 or more [API-1]
PostgresInstance shop/orders: spec.version: "16": is a number where a string belongs; put it in quotes: "16" [API-1]`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rsp, err := testFunction().RunFunction(context.Background(), request(t, tc.composite, tc.policy))
			if err != nil {
				t.Fatalf("%s\nRunFunction(...): unexpected error: %v", tc.reason, err)
			}
			status := fnv1.Status_STATUS_CONDITION_UNKNOWN
			rest := unchanged
			if rsp.GetRequirements().GetResources() != nil && len(rsp.GetRequirements().GetResources()) > 0 {
				status, rest = fnv1.Status_STATUS_CONDITION_FALSE, "the claim is refused and no database has been made of it"
			}
			reason := "Refused"
			want := &fnv1.RunFunctionResponse{
				Meta:         &fnv1.ResponseMeta{Tag: "tag", Ttl: durationpb.New(time.Minute)},
				Requirements: rsp.GetRequirements(),
				Conditions: []*fnv1.Condition{
					refused("ContractSatisfied", fnv1.Status_STATUS_CONDITION_FALSE, tc.want),
					refused("Protected", fnv1.Status_STATUS_CONDITION_UNKNOWN, unchanged),
					refused("Recoverable", status, rest),
					refused("DatabaseReady", status, rest),
				},
				Results: []*fnv1.Result{
					{Severity: fnv1.Severity_SEVERITY_WARNING, Reason: &reason, Message: tc.want, Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum()},
					{Severity: fnv1.Severity_SEVERITY_FATAL, Reason: &reason, Message: "the claim is refused, nothing has been changed:\n" + tc.want, Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum()},
				},
			}
			if diff := cmp.Diff(want, rsp, protocmp.Transform()); diff != "" {
				t.Errorf("%s\nRunFunction(...): -want rsp, +got rsp:\n%s", tc.reason, diff)
			}
		})
	}
}

// A refusal is an event once, not once a minute: the condition goes on carrying it.
func TestRunFunctionRefusesOnce(t *testing.T) {
	refusal := func(conditions string) (warnings, fatal int) {
		composite := strings.Replace(minimalXR, "spec: {", "status: {conditions: ["+conditions+"]}, spec: {sise: small, ", 1)
		rsp, err := testFunction().RunFunction(context.Background(), request(t, composite, minimalPolicy))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rsp.GetResults() {
			switch r.GetSeverity() {
			case fnv1.Severity_SEVERITY_WARNING:
				warnings++
			case fnv1.Severity_SEVERITY_FATAL:
				fatal++
			}
		}
		return warnings, fatal
	}
	const text = `PostgresInstance shop/orders: spec.sise: unknown field: it would be silently ignored, and what you meant by it would not happen; did you mean "size"? [API-1]`
	for conditions, want := range map[string]int{
		"": 1,
		`{type: ContractSatisfied, status: "True", reason: Satisfied, message: every rule holds as observed}`: 1,
		`{type: ContractSatisfied, status: "False", reason: Refused, message: another}`:                       1,
		`{type: ContractSatisfied, status: "False", reason: Refused, message: '` + text + `'}`:                0,
	} {
		if warnings, fatal := refusal(conditions); warnings != want || fatal != 1 {
			t.Errorf("after [%s]: %d warnings and %d FATAL, want %d and 1", conditions, warnings, fatal, want)
		}
	}
}

// What the function asks to see may come with the first call, because the pipeline's step has it seeded, or with the second,
// because Crossplane has looked it up: the answer is the same, and the questions stay.
func TestRunFunctionSeeded(t *testing.T) {
	ask := func(required map[string]*fnv1.Resources) *fnv1.RunFunctionResponse {
		req := request(t, minimalXR, minimalPolicy)
		req.RequiredResources = required
		rsp, err := testFunction().RunFunction(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		if text, fatal := fatalOf(rsp); fatal {
			t.Fatalf("refused: %s", text)
		}
		return rsp
	}
	class := yamlStruct(t, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: postgres-retain}, provisioner: pd.csi.storage.gke.io,
  reclaimPolicy: Retain, volumeBindingMode: WaitForFirstConsumer, allowVolumeExpansion: true}`)
	looked := func(asks *fnv1.Requirements) map[string]*fnv1.Resources {
		out := map[string]*fnv1.Resources{}
		for name := range asks.GetResources() {
			out[name] = &fnv1.Resources{}
		}
		out["storage-class"] = &fnv1.Resources{Items: []*fnv1.Resource{{Resource: class}}}
		return out
	}
	first := ask(nil) // Nothing is answered, and nothing is refused for that.
	second := ask(looked(first.GetRequirements()))
	if diff := cmp.Diff(first.GetRequirements(), second.GetRequirements(), protocmp.Transform()); diff != "" {
		t.Errorf("The questions should come to rest: -before, +after the answers:\n%s", diff)
	}
	for _, seeded := range []map[string]*fnv1.Resources{
		{"storage-class": looked(nil)["storage-class"]},              // Only some.
		looked(first.GetRequirements()),                              // All.
		{"other-step": {Items: []*fnv1.Resource{{Resource: class}}}}, // None of ours.
	} {
		rsp := ask(seeded)
		if diff := cmp.Diff(first.GetRequirements(), rsp.GetRequirements(), protocmp.Transform()); diff != "" {
			t.Errorf("Seeded with %d: the same should be asked: -unseeded, +seeded:\n%s", len(seeded), diff)
		}
		if got := ask(looked(rsp.GetRequirements())); !proto.Equal(got, second) {
			t.Errorf("Seeded with %d: another answer in the end:\n%s", len(seeded), cmp.Diff(second, got, protocmp.Transform()))
		}
	}
}

func TestRunFunctionKeepsThePipeline(t *testing.T) {
	req := request(t, minimalXR, minimalPolicy)
	earlier := &fnv1.Resource{Resource: yamlStruct(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: other}}`), Ready: fnv1.Ready_READY_TRUE}
	req.Desired = &fnv1.State{Resources: map[string]*fnv1.Resource{"other-step": earlier}}
	req.Context = yamlStruct(t, `{key: value}`)
	want := proto.CloneOf(earlier)

	rsp, err := testFunction().RunFunction(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rsp.GetDesired().GetResources()["other-step"], protocmp.Transform()); diff != "" {
		t.Errorf("What an earlier step made should stay as it is: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(yamlStruct(t, `{key: value}`), rsp.GetContext(), protocmp.Transform()); diff != "" {
		t.Errorf("The pipeline's context should stay as it is: -want, +got:\n%s", diff)
	}
	if got := rsp.GetDesired().GetResources()["bucket"]; got == nil {
		t.Error("The bucket should be emitted beside it")
	}
}

// An earlier step may desire a composite resource that says nothing yet, with or without connection details.
func TestRunFunctionFillsAnEmptyComposite(t *testing.T) {
	details := map[string][]byte{"key": []byte("value")}
	for name, composite := range map[string]*fnv1.Resource{
		"Nothing":     {},
		"NoResource":  {ConnectionDetails: details},
		"NoFields":    {Resource: &structpb.Struct{}, ConnectionDetails: details},
		"EmptyFields": {Resource: &structpb.Struct{Fields: map[string]*structpb.Value{}}, ConnectionDetails: details},
	} {
		t.Run(name, func(t *testing.T) {
			want := composite.GetConnectionDetails()
			req := request(t, minimalXR, minimalPolicy)
			req.Desired = &fnv1.State{Composite: composite}
			rsp, err := testFunction().RunFunction(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			if text, fatal := fatalOf(rsp); fatal {
				t.Fatal(text)
			}
			got := rsp.GetDesired().GetComposite()
			if manifest.String(tree{got.GetResource()}, "kind") != "XPostgresInstance" || got.GetResource().GetFields()["status"] == nil {
				t.Errorf("The composite resource should have its kind and status: %v", got.GetResource())
			}
			if diff := cmp.Diff(want, got.GetConnectionDetails()); diff != "" {
				t.Errorf("Its connection details should stay: -want, +got:\n%s", diff)
			}
		})
	}
}

func TestRunFunctionRecovers(t *testing.T) {
	f := testFunction()
	f.now = func() time.Time { panic("clock broken") }
	rsp, err := f.RunFunction(context.Background(), request(t, minimalXR, minimalPolicy))
	if err != nil {
		t.Fatalf("A panic should not become a gRPC error: %v", err)
	}
	text, fatal := fatalOf(rsp)
	if want := "this function failed on the request, which is a mistake of its own; nothing has been changed. Its log has the details"; !fatal || text != want {
		t.Errorf("A panic should become FATAL, on which Crossplane changes nothing:\nwant %q\ngot  %q (fatal: %v)", want, text, fatal)
	}
	if rsp.GetDesired() != nil {
		t.Error("A failed call should emit nothing")
	}
}

func TestRunFunctionStopsWhenNobodyWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := testFunction()
	f.now = func() time.Time {
		t.Error("A cancelled call should not be begun")
		return time.Time{}
	}
	if _, err := f.RunFunction(ctx, request(t, minimalXR, minimalPolicy)); err == nil {
		t.Error("A cancelled call should not be worked on")
	}
}

// TestStatusOf holds the status written by hand against the types it follows from.
func TestStatusOf(t *testing.T) {
	full := &v1alpha1.Status{}
	fill(reflect.ValueOf(full).Elem())
	for name, status := range map[string]*v1alpha1.Status{"Full": full, "Empty": {}} {
		raw, err := json.Marshal(status)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{}
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, toStruct(statusOf(status)).AsMap()); diff != "" {
			t.Errorf("%s: statusOf(...) should say what encoding/json says: -want, +got:\n%s", name, diff)
		}
	}
}

// fill sets every field there is, so that a new one cannot be forgotten.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(7)
	default:
		panic("a status of kind " + v.Kind().String() + " is new: teach statusOf and this test")
	}
}

func TestTree(t *testing.T) {
	o := yamlStruct(t, `{a: {b: [{c: 1}, {c: true, d: {e: f}}], s: text, none: null}}`)
	v := tree{o}
	for path, want := range map[string]any{
		"a.b.0.c": 1.0, "a.b.1.c": true, "a.b.1.d.e": "f", "a.s": "text", "a.none": nil,
	} {
		if got, ok := v.Lookup(strings.Split(path, ".")...); !ok || got != want {
			t.Errorf("Lookup(%s): want %v, got %v (%v)", path, want, got, ok)
		}
	}
	for _, path := range []string{"x", "a.b.2.c", "a.b.x", "a.s.t", "a.b.1.d.e.g"} {
		if got, ok := v.Lookup(strings.Split(path, ".")...); ok {
			t.Errorf("Lookup(%s): want nothing, got %v", path, got)
		}
	}
	if got := v.Keys("a"); !cmp.Equal(got, []string{"b", "none", "s"}) {
		t.Errorf("Keys(a): got %v", got)
	}
	if got := len(v.Items("a", "b")); got != 2 {
		t.Errorf("Items(a.b): want 2, got %d", got)
	}
	if got := manifest.String(v.Items("a", "b")[1], "d", "e"); got != "f" {
		t.Errorf("Items(a.b)[1].d.e: want f, got %q", got)
	}
	// An empty list stays a list: a field that turns into a mapping is refused by the API server.
	if got := manifest.Copy(tree{yamlStruct(t, `{list: [], map: {}, full: [[], {}]}`)}); !cmp.Equal(got, any(map[string]any{
		"list": []any{}, "map": map[string]any{}, "full": []any{[]any{}, map[string]any{}},
	})) {
		t.Errorf("Copy: got %#v", got)
	}
	if diff := cmp.Diff(o, toStruct(fromStruct(o)), protocmp.Transform()); diff != "" {
		t.Errorf("A converted object should convert back to itself: -want, +got:\n%s", diff)
	}
}

func toValue(v any) *structpb.Value { return new(texts).convert(v, nil) }

// TestConvertLike: what was observed before saves work and changes nothing, whatever it was.
func TestConvertLike(t *testing.T) {
	values := []any{
		nil, "", "a", true, false, 0.0, math.Copysign(0, -1), int64(7), 7, map[string]any{}, []any{}, []any{nil}, []any{"a"}, []any{"a", "b"},
		map[string]any{"a": "b"}, map[string]any{"a": "c"}, map[string]any{"a": nil}, map[string]any{"b": "b"}, map[string]any{"a": "b", "c": "d"},
		map[string]any{"a": map[string]any{"a": []any{"b", map[string]any{}}, "c": "d"}, "e": 1.5},
		map[string]any{"a": map[string]any{"a": []any{"c", map[string]any{}}, "c": "d"}, "e": 1.5},
		map[string]any{"a": map[string]any{"a": []any{"b", []any{}}, "c": "d"}, "e": "1.5"},
	}
	encoded := func(v *structpb.Value) string {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, v := range values {
		want := encoded(toValue(v))
		for _, other := range values {
			was := toValue(other)
			before := encoded(was)
			if got := new(texts).convert(v, was); encoded(got) != want {
				t.Errorf("%#v after %#v: got %v", v, other, got)
			}
			if encoded(was) != before {
				t.Errorf("%#v after %#v: what was observed is another thing now: %v", v, other, was)
			}
		}
		// Null is made anew; everything else comes back.
		if was := toValue(v); v != nil && !strings.Contains(fmt.Sprint(v), "<nil>") && new(texts).convert(v, was) != was {
			t.Errorf("%#v after itself is made again", v)
		}
	}
	was := toStruct(map[string]any{"a": "b"})
	got := toStructLike(map[string]any{"a": "b"}, was)
	if got.GetFields()["a"] != was.GetFields()["a"] {
		t.Error("a field that says the same is made again")
	}
	if got.Fields["c"] = toValue("d"); was.GetFields()["c"] != nil {
		t.Error("who adds to the new object adds to what was observed")
	}
}

// TestGapIsRemembered: what one call writes into the status about WAL that was archived nowhere reaches the next one.
func TestGapIsRemembered(t *testing.T) {
	w := fixture.Observed(t, exampleClaim(t, "example/claim.yaml"), examplePolicy(t), claim.ClusterScoped)
	archiver := manifest.Map(w.Live("cluster"), "spec")["plugins"]
	for _, call := range []struct {
		plugins any
		want    string
	}{{archiver, reconcile.Recoverable}, {[]any{}, reconcile.ReasonNoArchiver}, {archiver, reconcile.ReasonGap}, {archiver, reconcile.ReasonGap}} {
		manifest.Map(w.Live("cluster"), "spec")["plugins"] = call.plugins
		rsp, err := function().RunFunction(context.Background(), requestOf(w))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range rsp.GetConditions() {
			if c.GetType() == reconcile.Recoverable && c.GetReason() != call.want {
				t.Errorf("Recoverable is %s (%s), want %s", c.GetReason(), c.GetMessage(), call.want)
			}
		}
		w.Composite["status"] = fromStruct(rsp.GetDesired().GetComposite().GetResource())["status"]
	}
}
