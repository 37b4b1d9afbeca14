// Package claim is what was asked: one PostgresInstance, decoded strictly, defaulted and named. It is pure and knows
// nothing of the world.
package claim

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/schema"
)

//go:embed schema.json
var rawSchema []byte

var specSchema = schema.MustParse(rawSchema)

// Scope is which of Crossplane's two worlds the composite resource lives in.
type Scope string

// The two worlds. Everything we compose must live in the same one: a claim's composite resource cannot own namespaced
// managed resources, a namespaced one cannot own cluster-scoped ones.
const (
	// ClusterScoped is the world of claims (XRD v1): cluster-scoped resources with deletionPolicy Orphan.
	ClusterScoped Scope = "cluster"
	// Namespaced is the world of Crossplane v2: .m. resources in the claim's namespace, which have no deletionPolicy.
	Namespaced Scope = "namespaced"
)

// Claim is one decoded claim with every default filled in.
type Claim struct {
	// Namespace and Name are the identity everything is named after: the claim's own, never the composite resource's,
	// whose name and UID change when a claim is deleted and committed again (ZDL-06).
	Namespace, Name string
	Scope           Scope
	Spec            v1alpha1.Spec
	// Annotations are the claim's annotations of our own domain: what a person confirms once, at the right moment, and
	// what therefore has no place in a spec that is read for ever.
	Annotations map[string]string
}

// Annotations by which a person confirms what no machine can see. Their value is the name of the source they speak of,
// so that a file that is copied for another source confirms nothing. One copied for the same source does.
const (
	// AnnotationWritesStopped: nothing writes to the source any more.
	AnnotationWritesStopped = v1alpha1.Group + "/writes-stopped"
	// AnnotationReplicaIdentities: every table of the source that is updated or deleted from has a replica identity.
	// Rows flow as long as it stands; taking it away ends that, and nothing starts a second copy by accident.
	AnnotationReplicaIdentities = v1alpha1.Group + "/replica-identities-checked"
)

// machinery are the fields Crossplane itself keeps in spec; they are not the developer's.
var machinery = map[string]bool{
	"claimRef": true, "compositeDeletePolicy": true, "compositionRef": true, "compositionRevisionRef": true,
	"compositionRevisionSelector": true, "compositionSelector": true, "compositionUpdatePolicy": true, "crossplane": true,
	"environmentConfigRefs": true, "publishConnectionDetailsTo": true, "resourceRef": true, "resourceRefs": true,
	"writeConnectionSecretToRef": true,
}

// Decode reads a composite resource (XPostgresInstance with its claimRef, or a namespaced PostgresInstance) strictly.
// With findings the claim must not be acted upon: it holds what could be read, so that the rest can be judged in the
// same go, and is nil where nothing could.
func Decode(o manifest.Object) (*Claim, contract.Findings) {
	c := &Claim{}
	var found contract.Findings
	bad := func(path, value, message, fix string) {
		found = append(found, contract.Finding{Rule: "API-1", Path: path, Value: value, Message: message, Fix: fix})
	}

	if o.APIVersion() != v1alpha1.APIVersion {
		bad("apiVersion", o.APIVersion(), "is not the version of this API", "write apiVersion: "+v1alpha1.APIVersion)
	}
	switch o.Kind() {
	case v1alpha1.KindComposite:
		c.Scope = ClusterScoped
		c.Namespace, c.Name = manifest.String(o, "spec", "claimRef", "namespace"), manifest.String(o, "spec", "claimRef", "name")
		if c.Namespace == "" || c.Name == "" {
			bad("spec.claimRef", "", "an XPostgresInstance without a claim has no namespace to put the database in", "commit a PostgresInstance (the claim) instead; Crossplane makes the XPostgresInstance")
		}
	case v1alpha1.Kind:
		c.Scope = Namespaced
		c.Namespace, c.Name = o.Namespace(), o.Name()
		if c.Namespace == "" {
			bad("metadata.namespace", "", "is missing: the namespace is half of the database's identity", "write the namespace the application runs in")
		}
	default:
		c.Namespace, c.Name = o.Namespace(), o.Name()
		bad("kind", o.Kind(), "is not a database claim", "write kind: "+v1alpha1.Kind)
	}
	if c.Namespace != "" && !isNamespace(c.Namespace) {
		bad("metadata.namespace", c.Namespace, "is not the name of a namespace", "write up to 63 lower-case letters, digits and hyphens")
	}
	found = append(found, judgeName(c.Name)...)
	c.Annotations = ours(o)

	spec, _ := o.Lookup("spec")
	asked := map[string]any{}
	switch m := spec.(type) {
	case nil:
	case map[string]any:
		for key, value := range m {
			if !machinery[key] {
				asked[key] = value
			}
		}
	default:
		bad("spec", "", "is not a mapping", "write spec: {size: small}")
	}
	invalid := specSchema.Validate(asked, "spec", "API-1")
	for _, f := range invalid {
		if floors[f.Path] && f.Value != "0" && strings.HasPrefix(f.Message, schema.BelowMinimum) {
			continue
		}
		if f.Path == "spec.bootstrap.recovery.targetTime" && f.Message == schema.WrongForm {
			f.Message = "is not a moment with a time zone: what it means would depend on who reads it, and a restore to the wrong hour looks like the right one"
			f.Fix = `write it with the zone of the clock it was read from: "2026-11-20T10:00:00Z" is UTC, "2026-11-20T10:00:00+05:30" is what a clock in India shows`
		}
		delete(asked, topLevel(f.Path))
		found = append(found, f)
	}
	if err := into(asked, &c.Spec); err != nil {
		bad("spec", "", fmt.Sprintf("cannot be read: %v", err), "correct the document")
		c.Spec = v1alpha1.Spec{}
	}
	found = Named(found, c.Namespace, c.Name)
	if c.Namespace == "" || c.Name == "" {
		return nil, found
	}
	c.setDefaults()
	return c, found
}

// floors are the minimums that are rules of the contract: the rule says better than the schema what is lost below them.
// 0 is left to the schema, because it would be read as "not given".
var floors = map[string]bool{"spec.instances": true, "spec.backup.retentionDays": true, "spec.backup.lockDays": true}

// topLevel is the field of spec that a path leads into: "backup" of "spec.backup.schedule".
func topLevel(path string) string {
	path = strings.TrimPrefix(path, "spec.")
	if i := strings.IndexAny(path, ".["); i >= 0 {
		path = path[:i]
	}
	return path
}

// Named puts the claim's name on findings that lack an object, and orders them.
func Named(fs contract.Findings, namespace, name string) contract.Findings {
	for i := range fs {
		if fs[i].Object == "" {
			fs[i].Object = v1alpha1.Kind + " " + namespace + "/" + name
		}
	}
	return fs.Sort()
}

// AsComposite turns a claim as it lies in Git into the composite resource Crossplane would make of it in the given
// world. A document that is one already stays what it is.
func AsComposite(o manifest.Object, scope Scope) manifest.Object {
	if o.Kind() != v1alpha1.Kind || scope == Namespaced {
		return o
	}
	spec := manifest.Object{}
	maps.Copy(spec, manifest.Map(o, "spec"))
	if bad, ok := o["spec"]; ok && len(spec) == 0 {
		if _, isMap := bad.(map[string]any); !isMap && bad != nil {
			return o // Not a mapping: leave it to Decode to say so.
		}
	}
	spec["claimRef"] = map[string]any{
		"apiVersion": o.APIVersion(), "kind": v1alpha1.Kind, "namespace": o.Namespace(), "name": o.Name(),
	}
	metadata := map[string]any{"name": o.Name()}
	if annotations, ok := o.Lookup("metadata", "annotations"); ok {
		metadata["annotations"] = annotations // Crossplane carries them over too.
	}
	return manifest.Object{
		"apiVersion": o.APIVersion(),
		"kind":       v1alpha1.KindComposite,
		"metadata":   metadata,
		"spec":       map[string]any(spec),
	}
}

// DefaultNamespace is where kubectl puts what names no namespace.
const DefaultNamespace = "default"

// InNamespace gives a claim that names no namespace the one it will be applied to, as kubectl does.
func InNamespace(o manifest.Object, namespace string) manifest.Object {
	metadata, ok := o["metadata"].(map[string]any)
	if _, written := metadata["namespace"]; !ok || written || o.Kind() == v1alpha1.KindComposite {
		return o
	}
	o = manifest.CopyMap(o)
	manifest.Map(o, "metadata")["namespace"] = namespace
	return o
}

// ours are the annotations of our own domain.
func ours(o manifest.Object) map[string]string {
	out := map[string]string{}
	for name, value := range manifest.Map(o, "metadata", "annotations") {
		if s, ok := value.(string); ok && strings.HasPrefix(name, v1alpha1.Group+"/") {
			out[name] = s
		}
	}
	return out
}

func (c *Claim) setDefaults() {
	s := &c.Spec
	set(&s.Size, "small")
	set(&s.Version, "16")
	set(&s.StorageGB, 20)
	set(&s.Instances, 3)
	// A database that is made from another keeps the source's names unless it is told otherwise: "" is the source's.
	if s.Bootstrap == nil {
		set(&s.Database, c.Name)
		set(&s.Owner, s.Database)
	}
	if s.Connection == nil {
		s.Connection = &v1alpha1.Connection{}
	}
	set(&s.Connection.SecretName, c.Name+SuffixConnection)
	if s.Backup == nil {
		s.Backup = &v1alpha1.Backup{}
	}
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func into(m map[string]any, out any) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}
