package hardened

import (
	"strings"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Names of the composed resources of a logical replication. They never change.
const (
	PublisherGenerator = "publisher-password-generator"
	PublisherPassword  = "publisher-password"
	PublisherRole      = "publisher-role"
	Publication        = "publication"
	Subscription       = "subscription"
)

// replicationNames are the resources above.
var replicationNames = []string{PublisherGenerator, PublisherPassword, PublisherRole, Publication, Subscription}

// ReplicationNames are the composed resources that are let go of when replication ends.
func ReplicationNames() []string { return append([]string(nil), replicationNames...) }

// PublisherCluster is the externalClusters entry a subscription connects through.
func PublisherCluster(source string) string { return source + claim.SuffixPublisher }

// FromPublisher is the bootstrap of a database that starts with the source's schema and then follows its rows. Following
// needs a role of its own: the owner may not replicate, and giving it that right would change the source's own role.
func FromPublisher(c *claim.Claim, s LiveSource, database, owner string) Bootstrap {
	s.SchemaOnly = true
	out := FromLive(c, s, database, owner)
	out.ExternalClusters = append(out.ExternalClusters, map[string]any{
		"name":                 PublisherCluster(s.Name),
		"connectionParameters": connectionTo(c, s.Name, s.Database, publisherRole(c)),
		"password":             map[string]any{"name": c.Name + claim.SuffixPublisher, "key": "password"},
		"sslRootCert":          map[string]any{"name": s.Authority, "key": "ca.crt"},
	})
	return out
}

// Replication are the resources that make the rows of a source's database flow into the claim's. They come into being
// once the claim's database has the source's schema. Nothing of the source's own manifests changes; inside its database
// a role and a publication are added.
func Replication(c *claim.Claim, p *v1beta1.Policy, source, sourceDatabase, database string) []Resource {
	b := builder{Request{Claim: c, Policy: p}}
	name := c.Name + claim.SuffixPublisher
	role := publisherRole(c)

	generator := b.object("generators.external-secrets.io/v1alpha1", "Password", name)
	generator["spec"] = map[string]any{"length": int64(32), "digits": int64(8), "symbols": int64(0), "noUpper": false, "allowRepeat": true}

	// Made once, inside the cluster: no password passes through a manifest (ZDL-12).
	password := b.object("external-secrets.io/v1", "ExternalSecret", name)
	password["spec"] = map[string]any{
		"refreshPolicy": "CreatedOnce",
		"target": map[string]any{
			"name": name, "creationPolicy": "Orphan", "deletionPolicy": "Retain",
			"template": map[string]any{
				"engineVersion": "v2", "type": "kubernetes.io/basic-auth",
				"metadata": map[string]any{"labels": map[string]any{"cnpg.io/reload": "true"}},
				"data":     map[string]any{"username": role, "password": "{{ .password }}"},
			},
		},
		"dataFrom": []any{map[string]any{"sourceRef": map[string]any{"generatorRef": map[string]any{
			"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": name,
		}}}},
	}

	reader := b.object("postgresql.cnpg.io/v1", "DatabaseRole", name)
	reader["spec"] = map[string]any{
		"cluster": map[string]any{"name": source}, "name": role, "ensure": "present",
		"comment": "reads what " + c.Name + " follows",
		"login":   true, "replication": true,
		// It must see every row, also those a policy hides from it, or the copy has holes.
		"inRoles": []any{"pg_read_all_data"}, "bypassrls": true,
		"passwordSecret":            map[string]any{"name": name},
		"databaseRoleReclaimPolicy": "retain",
	}

	publication := b.object("postgresql.cnpg.io/v1", "Publication", name)
	publication["spec"] = map[string]any{
		"cluster": map[string]any{"name": source}, "dbname": sourceDatabase, "name": replicationName(c),
		"target":                   map[string]any{"allTables": true},
		"publicationReclaimPolicy": "retain",
	}

	subscription := b.object("postgresql.cnpg.io/v1", "Subscription", c.Name)
	subscription["spec"] = map[string]any{
		"cluster": map[string]any{"name": c.Name}, "dbname": database, "name": replicationName(c),
		"externalClusterName": PublisherCluster(source), "publicationName": replicationName(c),
		"subscriptionReclaimPolicy": "retain",
	}

	out := make([]Resource, 0, len(replicationNames))
	for i, m := range []manifest.Object{generator, password, reader, publication, subscription} {
		out = append(out, Resource{Name: replicationNames[i], Stage: Operation, Object: b.wrap(replicationNames[i], m)})
	}
	return out
}

// ReplicationSlot is the slot PostgreSQL keeps in the source for the subscription of that name.
func ReplicationSlot(c *claim.Claim) string { return replicationName(c) }

func publisherRole(c *claim.Claim) string { return replicationName(c) + "_publisher" }

// replicationName serves as a replication slot's name too, which knows no hyphens. No claim's name has an underscore,
// so different claims keep different names.
func replicationName(c *claim.Claim) string { return strings.ReplaceAll(c.Name, "-", "_") }
