// Package render runs the product inside Crossplane's own render engine: the real composite resource reconciler of the
// pinned release against an in-memory API server, talking gRPC to the real function. What comes out must be what our own
// offline render prints, for every example and at every step on the way from an empty world to a running database.
package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	renderv1alpha1 "github.com/crossplane/crossplane/v2/proto/render/v1alpha1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// exitFatal is the engine's exit code for a pipeline that a function ended with a FATAL result; its output is complete
// all the same.
const exitFatal = 3

// engine is Crossplane's core binary and where the function listens.
type engine struct {
	binary, address string
}

// request is one reconcile.
type request struct {
	composite, composition, xrd manifest.Object
	// observed are the composed resources that exist, required everything else a function may ask for.
	observed, required []manifest.Object
	// schemas are OpenAPI documents of the kinds the control plane has.
	schemas []manifest.Object
}

// answer is what Crossplane would do.
type answer struct {
	composite manifest.Object
	// composed and deleted are resources, by composition-resource-name.
	composed, deleted map[string]manifest.Object
	events            []string
	// fatal is the message of the FATAL result that ended the pipeline.
	fatal string
}

func (e engine) reconcile(ctx context.Context, r request) (answer, error) {
	in := &renderv1alpha1.CompositeInput{
		Functions: []*renderv1alpha1.FunctionInput{{Name: "function-hardened-postgres", Address: e.address}},
	}
	var err error
	convert := func(objects ...manifest.Object) []*structpb.Struct {
		out := make([]*structpb.Struct, len(objects))
		for i, o := range objects {
			s, failed := toStruct(o)
			err = errors.Join(err, failed)
			out[i] = s
		}
		return out
	}
	in.CompositeResource = convert(r.composite)[0]
	in.Composition = convert(r.composition)[0]
	in.CompositeResourceDefinition = convert(r.xrd)[0]
	in.ObservedResources = convert(r.observed...)
	in.RequiredResources = convert(r.required...)
	in.RequiredSchemas = convert(r.schemas...)
	if err != nil {
		return answer{}, err
	}
	stdin, err := proto.Marshal(&renderv1alpha1.RenderRequest{Input: &renderv1alpha1.RenderRequest_Composite{Composite: in}})
	if err != nil {
		return answer{}, fmt.Errorf("cannot encode the request: %w", err)
	}

	cmd := exec.CommandContext(ctx, e.binary, "internal", "render") //nolint:gosec // Built by our own recipe.
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	var exit *exec.ExitError
	if runErr != nil && (!errors.As(runErr, &exit) || exit.ExitCode() != exitFatal) {
		return answer{}, fmt.Errorf("crossplane internal render: %w: %s", runErr, stderr.Bytes())
	}

	rsp := &renderv1alpha1.RenderResponse{}
	if err := proto.Unmarshal(stdout.Bytes(), rsp); err != nil {
		return answer{}, fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	out := answer{fatal: ""}
	if runErr != nil {
		out.fatal = strings.TrimSpace(stderr.String())
	}
	err = out.read(rsp.GetComposite())
	return out, err
}

func (a *answer) read(c *renderv1alpha1.CompositeOutput) error {
	var err error
	if a.composite, err = fromStruct(c.GetCompositeResource()); err != nil {
		return err
	}
	if a.composed, err = byName(c.GetComposedResources()); err != nil {
		return err
	}
	if a.deleted, err = byName(c.GetDeletedResources()); err != nil {
		return err
	}
	for _, e := range c.GetEvents() {
		a.events = append(a.events, e.GetType()+" "+e.GetReason()+": "+e.GetMessage())
	}
	slices.Sort(a.events)
	return nil
}

const nameAnnotation = "crossplane.io/composition-resource-name"

func byName(structs []*structpb.Struct) (map[string]manifest.Object, error) {
	out := make(map[string]manifest.Object, len(structs))
	for _, s := range structs {
		o, err := fromStruct(s)
		if err != nil {
			return nil, err
		}
		name := manifest.String(o, "metadata", "annotations", nameAnnotation)
		if _, twice := out[name]; twice || name == "" {
			return nil, fmt.Errorf("composed resource %q: no name, or one that is used twice", name)
		}
		out[name] = o
	}
	return out, nil
}

func toStruct(o manifest.Object) (*structpb.Struct, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("cannot encode %s %s: %w", o.Kind(), o.Name(), err)
	}
	s := &structpb.Struct{}
	if err := protojson.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("cannot encode %s %s: %w", o.Kind(), o.Name(), err)
	}
	return s, nil
}

func fromStruct(s *structpb.Struct) (manifest.Object, error) {
	raw, err := protojson.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("cannot decode an object: %w", err)
	}
	o := manifest.Object{}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("cannot decode an object: %w", err)
	}
	return o, nil
}
