package reconcile

import (
	"strings"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// kind is a kind the set needs, and what a control plane lacks without it.
type kind struct {
	// ask is the name of the requirement.
	ask string
	world.SchemaSelector
	// definition is the name of its CustomResourceDefinition.
	definition string
	// field is a property that only a recent enough version has.
	field []string
	// wanted is the end of "waiting for …", or of a finding.
	wanted string
	// needed is nil where every policy needs it. Otherwise it is still looked up: what another policy left may be of it.
	needed func(*v1beta1.Policy) bool
	// rule is broken, but nothing waits, where the database can live without the kind.
	rule string
}

// askObjectStores is the question whether the barman-cloud plugin is there.
const askObjectStores = "schema-object-store"

// kinds are looked up until the database exists. From then on they are evidently there, and their schemas, some of them
// hundreds of kilobytes, do not have to travel with every call.
var kinds = []kind{
	{ask: "schema-cluster", SchemaSelector: world.SchemaSelector{APIVersion: "postgresql.cnpg.io/v1", Kind: "Cluster"}, definition: "clusters.postgresql.cnpg.io",
		field: []string{"spec", "properties", "primaryLease"}, wanted: "CloudNativePG 1.30 or newer to be installed (no Cluster with spec.primaryLease in postgresql.cnpg.io/v1)"},
	{ask: askObjectStores, SchemaSelector: world.SchemaSelector{APIVersion: "barmancloud.cnpg.io/v1", Kind: "ObjectStore"}, definition: "objectstores.barmancloud.cnpg.io",
		needed: hardened.Plugin, wanted: "the barman-cloud plugin to be installed (no ObjectStore in barmancloud.cnpg.io/v1)"},
	{ask: "schema-external-secret", SchemaSelector: world.SchemaSelector{APIVersion: "external-secrets.io/v1", Kind: "ExternalSecret"}, definition: "externalsecrets.external-secrets.io",
		wanted: "External Secrets Operator to be installed (no ExternalSecret in external-secrets.io/v1)"},
	{ask: "schema-pod-monitor", SchemaSelector: world.SchemaSelector{APIVersion: "monitoring.coreos.com/v1", Kind: "PodMonitor"}, definition: "podmonitors.monitoring.coreos.com",
		wanted: "the Prometheus operator is not installed (no PodMonitor in monitoring.coreos.com/v1): nothing is scraped", rule: "CNPG-5.1"},
	{ask: "schema-prometheus-rule", SchemaSelector: world.SchemaSelector{APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule"}, definition: "prometheusrules.monitoring.coreos.com",
		wanted: "the Prometheus operator is not installed (no PrometheusRule in monitoring.coreos.com/v1): nobody is woken", rule: "CNPG-5.2"},
}

// schemas are the schemas this call wants to see.
func (s *state) schemas() map[string]world.SchemaSelector {
	if s.policy == nil || !s.in.AsksSchemas || s.identity.composed {
		return nil
	}
	asks := make(map[string]world.SchemaSelector, len(kinds))
	for _, k := range kinds {
		asks[k.ask] = k.SchemaSelector
	}
	return asks
}

// definitions are the CustomResourceDefinitions this call wants to see: of the kinds that the control plane says it lacks.
// Crossplane remembers what its API server served, and forgets it when a definition changes, at which moment the API
// server may not serve the new kind yet: without a second opinion a claim would wait for a kind that has long been there.
func (s *state) definitions() map[string]world.Selector {
	asks := map[string]world.Selector{}
	asked := s.schemas()
	for _, k := range kinds {
		if _, ask := asked[k.ask]; !ask {
			continue
		}
		if schema, answered := s.in.World.Schemas[k.ask]; answered && !has(schema, k.field) {
			asks[k.askDefinition()] = world.Selector{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition", Name: k.definition}
		}
	}
	return asks
}

func (k kind) askDefinition() string { return "definition-" + strings.TrimPrefix(k.ask, "schema-") }

// there says whether the control plane has a kind, with this field where one is given.
func (s *state) there(k kind, field []string) (there, answered bool) {
	schema, answered := s.in.World.Schemas[k.ask]
	if !answered || has(schema, field) {
		return answered, answered
	}
	definition, _ := s.in.World.Answer(k.askDefinition())
	return k.defined(definition, field), true
}

// defined says whether a CustomResourceDefinition serves the kind, with this field where one is given.
func (k kind) defined(definition manifest.Tree, field []string) bool {
	if definition == nil || !world.Established(definition) {
		return false
	}
	_, version, _ := strings.Cut(k.APIVersion, "/")
	for _, v := range definition.Items("spec", "versions") {
		if served, _ := manifest.Bool(v, "served"); !served || manifest.String(v, "name") != version {
			continue
		}
		if len(field) == 0 {
			return true
		}
		_, ok := v.Lookup(append([]string{"schema", "openAPIV3Schema", "properties"}, field...)...)
		return ok
	}
	return false
}

// lacks says whether the control plane has said that it does not have a kind, twice where it was asked twice.
func (s *state) lacks(ask string) bool {
	for _, k := range kinds {
		if k.ask == ask && s.schemas() != nil {
			there, _ := s.there(k, nil)
			_, defined := s.in.World.Answer(k.askDefinition())
			return !there && defined
		}
	}
	return false
}

// askable says whether objects of a kind may be asked for: asking for one the control plane does not know fails the
// whole pipeline, with a message nobody understands.
func (s *state) askable(apiVersion, name string) bool {
	asked := s.schemas()
	if name == "ScheduledBackup" {
		name = "Cluster" // They come together.
	}
	for _, k := range kinds {
		if _, ask := asked[k.ask]; ask && k.APIVersion == apiVersion && k.Kind == name {
			there, _ := s.there(k, nil)
			return there
		}
	}
	return true
}

// judgeKinds adds what is missing to what is waited for, or to what is found.
func (s *state) judgeKinds() {
	asked := s.schemas()
	for _, k := range kinds {
		if _, ask := asked[k.ask]; !ask {
			continue
		}
		if there, answered := s.there(k, k.field); there || !answered || k.needed != nil && !k.needed(s.policy) {
			continue
		}
		if k.rule == "" {
			s.wait.database = append(s.wait.database, k.wanted)
			continue
		}
		s.missing = append(s.missing, contract.Finding{Rule: k.rule, Object: k.Kind, Message: k.wanted, Fix: "install it; nothing else waits for it"})
	}
}

func has(schema manifest.Tree, field []string) bool {
	if schema == nil {
		return false
	}
	if len(field) == 0 {
		return true
	}
	path := append([]string{"properties"}, field...)
	_, ok := schema.Lookup(path...)
	return ok
}
