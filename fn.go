package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// ttl is how long Crossplane may reuse a response, and so the longest it goes without looking at an unchanged claim.
const ttl = time.Minute

// Function is the composition function: a thin edge that translates a request for the core (package reconcile) and its
// outcome into a response, and decides nothing.
type Function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	log *slog.Logger
	now func() time.Time
	// complete opens every gate: for the offline render only.
	complete bool

	policies policyCache
}

// RunFunction answers one request. It never panics, and returns an error only where nobody waits for the answer: whatever
// goes wrong becomes a FATAL result, on which Crossplane changes nothing.
func (f *Function) RunFunction(ctx context.Context, req *fnv1.RunFunctionRequest) (rsp *fnv1.RunFunctionResponse, err error) {
	defer func() {
		if r := recover(); r != nil {
			f.log.ErrorContext(ctx, "Recovered from a panic", "tag", req.GetMeta().GetTag(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			rsp = respond(req)
			report(rsp, fnv1.Severity_SEVERITY_FATAL, "", "this function failed on the request, which is a mistake of its own; nothing has been changed. Its log has the details")
			err = nil
		}
	}()
	rsp = respond(req)
	if err := gone(ctx); err != nil {
		return rsp, err
	}

	composite := req.GetObserved().GetComposite().GetResource()
	in := reconcile.Input{
		Composite:   compositeOf(composite),
		Decoded:     f.policies.get(req.GetInput()),
		World:       worldOf(req),
		Now:         f.now(),
		Complete:    f.complete,
		AsksSchemas: slices.Contains(req.GetMeta().GetCapabilities(), fnv1.Capability_CAPABILITY_REQUIRED_SCHEMAS),
	}
	if in.Decoded == nil {
		in.Policy = fromStruct(req.GetInput())
	}
	if err := gone(ctx); err != nil {
		return rsp, err
	}
	out := reconcile.Run(in)
	if err := gone(ctx); err != nil {
		return rsp, err
	}

	rsp.Requirements = requirements(out)
	setConditions(rsp, out.Conditions)
	announce(rsp, composite, out)
	if len(out.Refused) > 0 {
		// Only the first FATAL's text is shown, and never on the claim: the Warning before it is.
		text := reconcile.Refusal(out.Refused)
		if !told(composite, text) {
			report(rsp, fnv1.Severity_SEVERITY_WARNING, reconcile.ReasonRefused, text)
		}
		report(rsp, fnv1.Severity_SEVERITY_FATAL, reconcile.ReasonRefused, "the claim is refused, nothing has been changed:\n"+text)
		f.log.InfoContext(ctx, "Refused", "tag", req.GetMeta().GetTag(), "violations", len(out.Refused))
		return rsp, nil
	}
	setDesired(rsp, req, out)
	f.log.DebugContext(ctx, "Answered", "tag", req.GetMeta().GetTag(), "resources", len(out.Composed), "ready", out.Ready)
	return rsp, nil
}

// gone says that nobody waits for the answer any more. It is asked between the parts of the work: none of them takes
// longer than a few milliseconds.
func gone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cannot answer: %w", err)
	}
	return nil
}

// compositeOf takes of the composite resource what the core reads: everything but who manages its fields, and of its
// status no more than what a call has to remember of the one before.
func compositeOf(s *structpb.Struct) manifest.Object {
	out := make(manifest.Object, len(s.GetFields()))
	for key, v := range s.GetFields() {
		switch key {
		case "status":
			out[key] = map[string]any{"backup": fromValue(v.GetStructValue().GetFields()["backup"], 1)}
		case "metadata":
			metadata := maps.Clone(v.GetStructValue().GetFields())
			delete(metadata, "managedFields")
			out[key] = fromFields(metadata, 1)
		default:
			out[key] = fromValue(v, 1)
		}
	}
	return out
}

func worldOf(req *fnv1.RunFunctionRequest) world.View {
	v := world.View{
		Observed: make(map[string]manifest.Tree, len(req.GetObserved().GetResources())),
		Required: make(map[string][]manifest.Tree, len(req.GetRequiredResources())),
	}
	for name, r := range req.GetObserved().GetResources() {
		v.Observed[name] = tree{r.GetResource()}
	}
	for name, answer := range req.GetRequiredResources() {
		items := make([]manifest.Tree, 0, len(answer.GetItems()))
		for _, item := range answer.GetItems() {
			items = append(items, tree{item.GetResource()})
		}
		v.Required[name] = items
	}
	for name, answer := range req.GetRequiredSchemas() {
		if v.Schemas == nil {
			v.Schemas = make(map[string]manifest.Tree, len(req.GetRequiredSchemas()))
		}
		v.Schemas[name] = nil
		if schema := answer.GetOpenapiV3(); schema != nil {
			v.Schemas[name] = tree{schema}
		}
	}
	return v
}

func requirements(asks reconcile.Outcome) *fnv1.Requirements {
	out := &fnv1.Requirements{Resources: make(map[string]*fnv1.ResourceSelector, len(asks.Requirements))}
	for name, ask := range asks.Schemas {
		if out.Schemas == nil {
			out.Schemas = make(map[string]*fnv1.SchemaSelector, len(asks.Schemas))
		}
		out.Schemas[name] = &fnv1.SchemaSelector{ApiVersion: ask.APIVersion, Kind: ask.Kind}
	}
	for name, ask := range asks.Requirements {
		s := &fnv1.ResourceSelector{ApiVersion: ask.APIVersion, Kind: ask.Kind}
		if ask.Namespace != "" {
			s.Namespace = &ask.Namespace
		}
		if ask.Name != "" {
			s.Match = &fnv1.ResourceSelector_MatchName{MatchName: ask.Name}
		} else {
			s.Match = &fnv1.ResourceSelector_MatchLabels{MatchLabels: &fnv1.MatchLabels{Labels: ask.Labels}}
		}
		out.Resources[name] = s
	}
	return out
}

// respond starts a response with what the pipeline has so far. The SDK's own helpers for this do little more and bring
// controller-runtime and client-go into the binary.
func respond(req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	return &fnv1.RunFunctionResponse{
		Meta:    &fnv1.ResponseMeta{Tag: req.GetMeta().GetTag(), Ttl: durationpb.New(ttl)},
		Desired: req.GetDesired(),
		Context: req.GetContext(),
	}
}

// report adds a result. It reaches the claim too: results are the only events a developer sees.
func report(rsp *fnv1.RunFunctionResponse, severity fnv1.Severity, reason, message string) {
	r := &fnv1.Result{Severity: severity, Message: message, Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum()}
	if reason != "" {
		r.Reason = &reason
	}
	rsp.Results = append(rsp.Results, r)
}

func setConditions(rsp *fnv1.RunFunctionResponse, conditions []reconcile.Condition) {
	for _, c := range conditions {
		rsp.Conditions = append(rsp.Conditions, &fnv1.Condition{
			Type: c.Type, Status: statuses[c.Status], Reason: c.Reason, Message: &c.Message,
			Target: fnv1.Target_TARGET_COMPOSITE_AND_CLAIM.Enum(),
		})
	}
}

var statuses = map[string]fnv1.Status{
	"True":    fnv1.Status_STATUS_CONDITION_TRUE,
	"False":   fnv1.Status_STATUS_CONDITION_FALSE,
	"Unknown": fnv1.Status_STATUS_CONDITION_UNKNOWN,
}

// told says whether the claim carries this very refusal already.
func told(composite *structpb.Struct, text string) bool {
	return slices.ContainsFunc(tree{composite}.Items("status", "conditions"), func(c manifest.Tree) bool {
		return manifest.String(c, "type") == reconcile.ContractSatisfied && manifest.String(c, "reason") == reconcile.ReasonRefused &&
			manifest.String(c, "message") == text
	})
}

// announce sends an event for each condition that changed its meaning since the last call: one, not one a minute.
func announce(rsp *fnv1.RunFunctionResponse, composite *structpb.Struct, out reconcile.Outcome) {
	before := map[string]string{}
	for _, c := range (tree{composite}).Items("status", "conditions") {
		before[manifest.String(c, "type")] = manifest.String(c, "status") + " " + manifest.String(c, "reason")
	}
	if len(out.Refused) > 0 {
		return // The refusal itself is the event.
	}
	for _, c := range out.Conditions {
		was, known := before[c.Type]
		if was == c.Status+" "+c.Reason || !known && c.Status != "True" {
			continue
		}
		text := c.Type + " is " + c.Status + ": " + c.Message
		severity := fnv1.Severity_SEVERITY_NORMAL
		if c.Status == "False" && c.Reason != reconcile.ReasonWaiting {
			severity = fnv1.Severity_SEVERITY_WARNING
		}
		report(rsp, severity, c.Reason, text)
	}
}

func setDesired(rsp *fnv1.RunFunctionResponse, req *fnv1.RunFunctionRequest, out reconcile.Outcome) {
	if rsp.GetDesired() == nil {
		rsp.Desired = &fnv1.State{}
	}
	desired := rsp.GetDesired()
	if desired.GetResources() == nil {
		desired.Resources = make(map[string]*fnv1.Resource, len(out.Composed))
	}
	observed := req.GetObserved()
	for _, c := range out.Composed {
		was := observed.GetResources()[c.Name].GetResource()
		r := &fnv1.Resource{Ready: fnv1.Ready_READY_FALSE}
		if c.Ready {
			r.Ready = fnv1.Ready_READY_TRUE
		}
		if c.Object != nil {
			r.Resource = toStructLike(c.Object, was)
		} else if r.Resource = asObserved(was); desired.GetResources()[c.Name] != nil {
			continue // An earlier step of the pipeline emits it.
		}
		desired.Resources[c.Name] = r
	}

	if desired.GetComposite() == nil {
		desired.Composite = &fnv1.Resource{}
	}
	composite, was := desired.GetComposite(), observed.GetComposite().GetResource()
	if len(composite.GetResource().GetFields()) == 0 {
		composite.Resource = toStruct(map[string]any{
			"apiVersion": v1alpha1.APIVersion, "kind": manifest.String(tree{was}, "kind"),
		})
	}
	composite.Resource.Fields["status"] = new(texts).convert(statusOf(out.Status), was.GetFields()["status"])
	composite.Ready = fnv1.Ready_READY_FALSE
	if out.Ready {
		composite.Ready = fnv1.Ready_READY_TRUE
	}
}

// asObserved is what a composed resource was last asked to be: its identity and its spec, without what the API server
// and the provider added.
func asObserved(s *structpb.Struct) *structpb.Struct {
	t := tree{s}
	metadata := map[string]any{"name": manifest.String(t, "metadata", "name")}
	if namespace := manifest.String(t, "metadata", "namespace"); namespace != "" {
		metadata["namespace"] = namespace
	}
	labels := map[string]any{}
	for _, key := range t.Keys("metadata", "labels") {
		labels[key] = manifest.String(t, "metadata", "labels", key)
	}
	if len(labels) > 0 {
		metadata["labels"] = labels
	}
	if name := manifest.String(t, "metadata", "annotations", "crossplane.io/external-name"); name != "" {
		metadata["annotations"] = map[string]any{"crossplane.io/external-name": name}
	}
	out := toStruct(map[string]any{"apiVersion": manifest.String(t, "apiVersion"), "kind": manifest.String(t, "kind"), "metadata": metadata})
	if spec, ok := s.GetFields()["spec"]; ok {
		out.Fields["spec"] = spec
	}
	return out
}
