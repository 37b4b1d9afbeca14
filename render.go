package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/check"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

//go:embed example/composition.yaml
var exampleComposition []byte

// renderCmd prints what the function would answer, by calling it in this process: what is printed is what Crossplane
// gets.
type renderCmd struct {
	Claims      []string `arg:"" help:"Claims: files, directories, patterns, or - for standard input."`
	Policy      string   `help:"File with the platform's policy." xor:"policy" placeholder:"FILE"`
	Composition string   `help:"Composition whose pipeline step holds the policy. Without either, an example policy is used." xor:"policy" placeholder:"FILE"`
	Scope       string   `enum:"claim,namespaced" default:"claim" help:"Which of Crossplane's two worlds a plain PostgresInstance lives in: claim (cluster-scoped resources) or namespaced."`
	Namespace   string   `help:"Namespace of claims that name none." default:"default"`
	Unwrap      bool     `help:"Print the manifests inside provider-kubernetes Objects instead of the Objects."`
	Comments    bool     `help:"Say above each resource what it is for and which rules it serves."`
	Observed    []string `help:"Composed resources as observed (kubectl get -o yaml): print what a reconcile with them emits, gate included. Without, the complete set is printed, as it stands once protection is in force." placeholder:"FILE"`
	Required    []string `help:"Existing objects that answer the function's questions: StorageClass, Cluster, ObjectStore, and those of a bootstrap's source." placeholder:"FILE"`
}

// Run renders every claim. A refusal is told for each claim, and the exit code is 1.
func (c *renderCmd) Run(std *streams) error {
	policy, err := readPolicy(c.Policy, c.Composition, std)
	if err != nil {
		return err
	}
	documents, err := source.Open(c.Claims, std.in)
	if err != nil {
		return err
	}
	observed, err := source.Open(c.Observed, std.in)
	if err != nil {
		return err
	}
	required, err := source.Open(c.Required, std.in)
	if err != nil {
		return err
	}
	complete := c.Observed == nil
	if complete {
		fmt.Fprintln(std.err, "# The complete set, as it stands once protection is in force. Until then the gate holds parts of it back: see --observed.") //nolint:errcheck // Nothing to do about a broken stderr.
	}

	f := &Function{log: slog.New(slog.DiscardHandler), now: time.Now, complete: complete}
	var out bytes.Buffer
	rendered, refused, asking := 0, 0, map[string][]string{}
	for _, d := range documents {
		if !check.IsClaim(d.Object) {
			continue
		}
		rendered++
		o := claim.InNamespace(d.Object, c.Namespace)
		if alias := manifest.String(o, "spec", "connection", "alias"); complete && alias != "" {
			alias = o.Namespace() + "/" + alias
			asking[alias] = append(asking[alias], o.Name())
		}
		composite := claim.AsComposite(o, c.scope(o))
		rsp, err := answer(f, composite, policy, objects(observed), objects(required))
		if err != nil {
			return err
		}
		if text, fatal := fatalOf(rsp); fatal {
			refused++
			fmt.Fprintf(std.err, "%s:%d: %s\n", d.File, d.Start, text) //nolint:errcheck // Nothing to do about a broken stderr.
			continue
		}
		if err := c.print(&out, composite, rsp, complete); err != nil {
			return err
		}
	}
	for _, alias := range manifest.SortedKeys(asking) {
		if names := slices.Compact(slices.Sorted(slices.Values(asking[alias]))); len(names) > 1 {
			// Each is printed as if it were alone, and only one can have it.
			fmt.Fprintf(std.err, "# connection.alias %s is asked for by %s: whoever holds it in the cluster keeps it, and the others wait.\n", alias, strings.Join(names, " and ")) //nolint:errcheck // Nothing to do about a broken stderr.
		}
	}
	switch {
	case rendered == 0:
		return errors.New("no PostgresInstance among the given documents")
	case refused > 0:
		// Never a partial set, not even of the other claims.
		return fmt.Errorf("%d of %d refused", refused, rendered)
	}
	_, err = out.WriteTo(std.out)
	return err
}

// scope is the world a document lives in. Only a namespaced composite resource carries Crossplane's own fields under
// spec.crossplane.
func (c *renderCmd) scope(o manifest.Object) claim.Scope {
	if _, modern := o.Lookup("spec", "crossplane"); modern || c.Scope == "namespaced" {
		return claim.Namespaced
	}
	return claim.ClusterScoped
}

// readPolicy reads the policy as it is written: the one that was given, or an example.
func readPolicy(policyFile, compositionFile string, std *streams) (manifest.Object, error) {
	given, err := givenPolicy(policyFile, compositionFile, std)
	if err != nil {
		return nil, err
	}
	if given == nil {
		tell(std.err, "# No --policy or --composition given: using the policy of example/composition.yaml.")
		documents, err := source.Read("example/composition.yaml", bytes.NewReader(exampleComposition))
		if err != nil {
			return nil, err
		}
		if given, err = check.PolicyOfComposition(documents); err != nil {
			return nil, err
		}
	}
	return given.Object(), nil
}

func objects(documents []source.Document) []manifest.Object {
	out := make([]manifest.Object, len(documents))
	for i, d := range documents {
		out[i] = d.Object
	}
	return out
}

// maxIterations is how often Crossplane calls a function again whose requirements change.
const maxIterations = 5

// answer calls the function the way Crossplane does, until it has seen what it asked for.
func answer(f *Function, composite, policy manifest.Object, observed, required []manifest.Object) (*fnv1.RunFunctionResponse, error) {
	req := &fnv1.RunFunctionRequest{
		Meta:     &fnv1.RequestMeta{Tag: "render"},
		Input:    toStruct(policy),
		Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: toStruct(composite)}, Resources: map[string]*fnv1.Resource{}},
	}
	for _, o := range observed {
		name := manifest.String(o, "metadata", "annotations", "crossplane.io/composition-resource-name")
		if name != "" && belongs(o, composite) {
			req.Observed.Resources[name] = &fnv1.Resource{Resource: toStruct(o)}
		}
	}
	for range maxIterations {
		// A fresh request each time: the function builds its answer on the request's desired state.
		rsp, err := f.RunFunction(context.Background(), req)
		if err != nil {
			return nil, err
		}
		answers := map[string]*fnv1.Resources{}
		for name, ask := range rsp.GetRequirements().GetResources() {
			// The complete set does not depend on what is not given; in a control plane no answer says that there is none.
			if found := lookUp(ask, required); len(found.GetItems()) > 0 || !f.complete {
				answers[name] = found
			}
		}
		if _, fatal := fatalOf(rsp); fatal && !f.complete || slices.Equal(manifest.SortedKeys(answers), manifest.SortedKeys(req.GetRequiredResources())) {
			return rsp, nil
		}
		req.RequiredResources, req.Desired = answers, nil
	}
	return nil, errors.New("the function's questions do not come to an end")
}

// belongs keeps several claims in one call apart.
func belongs(o, composite manifest.Object) bool {
	of, in := manifest.String(o, "metadata", "labels", hardened.LabelClaim), manifest.String(o, "metadata", "labels", hardened.LabelClaimNamespace)
	name, namespace := manifest.String(composite, "spec", "claimRef", "name"), manifest.String(composite, "spec", "claimRef", "namespace")
	if name == "" {
		name, namespace = composite.Name(), composite.Namespace()
	}
	return (of == "" || of == name) && (in == "" || in == namespace)
}

func lookUp(ask *fnv1.ResourceSelector, required []manifest.Object) *fnv1.Resources {
	out := &fnv1.Resources{}
	for _, o := range required {
		if o.APIVersion() != ask.GetApiVersion() || o.Kind() != ask.GetKind() || o.Namespace() != ask.GetNamespace() {
			continue
		}
		if name := ask.GetMatchName(); name != "" && name != o.Name() {
			continue
		}
		matches := true
		for key, value := range ask.GetMatchLabels().GetLabels() {
			matches = matches && manifest.String(o, "metadata", "labels", key) == value
		}
		if matches {
			out.Items = append(out.Items, &fnv1.Resource{Resource: toStruct(o)})
		}
	}
	return out
}

func fatalOf(rsp *fnv1.RunFunctionResponse) (string, bool) {
	for _, r := range rsp.GetResults() {
		if r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			return r.GetMessage(), true
		}
	}
	return "", false
}

// print writes the answer: with an observed state the composite resource's status first, then the composed resources in
// the order they come into being.
func (c *renderCmd) print(w io.Writer, composite manifest.Object, rsp *fnv1.RunFunctionResponse, complete bool) error {
	var out []document
	if !complete {
		out = append(out, document{object: compositeAfter(composite, rsp)})
	}
	resources := rsp.GetDesired().GetResources()
	names := slices.SortedFunc(maps.Keys(resources), hardened.Compare)
	for _, name := range names {
		o := manifest.Object(fromStruct(resources[name].GetResource()))
		comment := ""
		if c.Comments {
			comment = name + ": " + hardened.Purpose(name)
		}
		if c.Unwrap {
			o = o.Unwrap()
		} else {
			annotate(o, name)
		}
		out = append(out, document{comment, o})
	}
	return writeDocuments(w, out)
}

func compositeAfter(composite manifest.Object, rsp *fnv1.RunFunctionResponse) manifest.Object {
	var status *structpb.Struct
	if v := rsp.GetDesired().GetComposite().GetResource().GetFields()["status"]; v != nil {
		status = v.GetStructValue()
	}
	m := fromStruct(status)
	conditions := make([]any, 0, len(rsp.GetConditions()))
	for _, c := range rsp.GetConditions() {
		status := "Unknown"
		for name, s := range statuses {
			if s == c.GetStatus() {
				status = name
			}
		}
		conditions = append(conditions, map[string]any{"type": c.GetType(), "status": status, "reason": c.GetReason(), "message": c.GetMessage()})
	}
	m["conditions"] = conditions
	return manifest.Object{"apiVersion": composite.APIVersion(), "kind": composite.Kind(), "metadata": composite["metadata"], "status": m}
}

// annotate adds what Crossplane adds, and what tells the resources apart when the output is fed back as observed.
func annotate(o manifest.Object, name string) {
	metadata := manifest.Map(o, "metadata")
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations["crossplane.io/composition-resource-name"] = name
}

// document is a Kubernetes object to be written as YAML, with what it is for.
type document struct {
	comment string
	object  manifest.Object
}

// writeDocuments encodes all documents at once, for writing YAML takes longer than anything else a command does. It begins
// at the end, where the longest stands: the alert rules.
func writeDocuments(w io.Writer, documents []document) error {
	texts, failed := make([][]byte, len(documents)), make([]error, len(documents))
	var all sync.WaitGroup
	for i, d := range slices.Backward(documents) {
		all.Go(func() { texts[i], failed[i] = d.yaml() })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	_, err := w.Write(bytes.Join(texts, nil))
	return err
}

func (d document) yaml() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("---\n")
	for line := range strings.Lines(d.comment) {
		b.WriteString("# " + line + "\n")
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(map[string]any(d.object)); err != nil {
		return nil, fmt.Errorf("cannot write YAML: %w", err)
	}
	return b.Bytes(), nil
}
