package hardened

import (
	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// A recovered database names its source for as long as it lives: CloudNativePG refuses a Cluster whose externalClusters
// lost an entry its bootstrap refers to, and the plugin stops reconciling, failover included, when an ObjectStore that
// is named there is gone. So it never leans on the source's own ObjectStore and Secret, which somebody will delete one
// day: it has copies of its own, and the source can go.

// Names of the composed resources a source needs. They never change.
const (
	SourceCredentials = "source-credentials" //nolint:gosec // The name of a composed resource.
	SourceObjectStore = "source-object-store"
)

// SourceArchive is an archive that is only ever read.
type SourceArchive struct {
	// Name is the source claim whose keys open the archive; the claim's own where there is none.
	Name string
	// Destination is "s3://bucket/path/", ServerName the incarnation below it.
	Destination, ServerName string
	// EndpointURL and EndpointCA of a store that is not AWS.
	EndpointURL string
	EndpointCA  map[string]any
	// Own is true where the archive lies in the claim's own ObjectStore, beside what the claim writes.
	Own bool
}

// FromArchive is the bootstrap of a database that is restored from an archive (CNPG-2.4): the stanza reads the source
// under the given name, by an explicit ObjectStore and serverName. target is CloudNativePG's recoveryTarget, or empty.
func FromArchive(c *claim.Claim, p *v1beta1.Policy, a SourceArchive, name, database, owner string, target map[string]any) Bootstrap {
	b := builder{Request{Claim: c, Policy: p}}
	recovery := map[string]any{"source": name, "database": database, "owner": owner}
	if len(target) > 0 {
		recovery["recoveryTarget"] = target
	}
	out := Bootstrap{Stanza: map[string]any{"recovery": recovery}}

	external := map[string]any{"name": name}
	if Plugin(p) {
		store := c.Name + claim.SuffixSource
		if a.Own {
			store = b.objectStoreName()
		}
		external["plugin"] = map[string]any{
			"name": PluginName, "enabled": true, "isWALArchiver": false,
			// Explicit: without a serverName the plugin looks for backups of the new cluster and finds none.
			"parameters": map[string]any{"barmanObjectName": store, "serverName": a.ServerName},
		}
	} else {
		store := b.sourceConfiguration(a)
		store["serverName"] = a.ServerName
		external["barmanObjectStore"] = store
	}
	out.ExternalClusters = []any{external}
	out.Resources = SourceResources(c, p, a)
	return out
}

// SourceResources are the claim's own keys to, and its own description of, an archive it reads. None where it reads its
// own.
func SourceResources(c *claim.Claim, p *v1beta1.Policy, a SourceArchive) []Resource {
	if a.Own {
		return nil
	}
	b := builder{Request{Claim: c, Policy: p}}
	out := []Resource{{Name: SourceCredentials, Stage: Protection, Object: b.wrap(SourceCredentials, b.sourceCredentials(a.Name))}}
	if Plugin(p) {
		out = append(out, b.sourceObjectStore(b.sourceConfiguration(a)))
	}
	return out
}

// FrozenSource are the same resources for a database that lives: its description of the source is taken as it stands,
// or nil where the Cluster carries it itself.
func FrozenSource(c *claim.Claim, p *v1beta1.Policy, source string, configuration map[string]any) []Resource {
	b := builder{Request{Claim: c, Policy: p}}
	out := []Resource{{Name: SourceCredentials, Stage: Protection, Object: b.wrap(SourceCredentials, b.sourceCredentials(source))}}
	if configuration != nil {
		out = append(out, b.sourceObjectStore(configuration))
	}
	return out
}

// sourceObjectStore has no retention policy: the source's backups are not this database's to prune.
func (b builder) sourceObjectStore(configuration map[string]any) Resource {
	o := b.object("barmancloud.cnpg.io/v1", "ObjectStore", b.Claim.Name+claim.SuffixSource)
	o["spec"] = map[string]any{
		"configuration":                configuration,
		"instanceSidecarConfiguration": map[string]any{"env": b.storeEnvironment()},
	}
	return Resource{Name: SourceObjectStore, Stage: Archive, Object: b.wrap(SourceObjectStore, o)}
}

func (b builder) sourceConfiguration(a SourceArchive) map[string]any {
	secret := b.credentialsName()
	if !a.Own {
		secret = b.Claim.Name + claim.SuffixSourceKeys
	}
	out := map[string]any{
		"destinationPath": a.Destination,
		"s3Credentials": map[string]any{
			"accessKeyId":     map[string]any{"name": secret, "key": accessKeyID},
			"secretAccessKey": map[string]any{"name": secret, "key": secretAccessKey},
		},
		// Compressed like everything else of ours; in a store that is only read it says nothing (CNPG-2.3).
		"wal":  map[string]any{"compression": b.Policy.Backup.Compression, "maxParallel": int64(4)},
		"data": map[string]any{"compression": dataCompression(b.Policy.Backup.Compression)},
	}
	if a.EndpointURL != "" {
		out["endpointURL"] = a.EndpointURL
	}
	if len(a.EndpointCA) > 0 {
		out["endpointCA"] = a.EndpointCA
	}
	return out
}

// sourceCredentials are the source's keys, read from the secret store once more: the Secret the source itself uses goes
// with it.
func (b builder) sourceCredentials(source string) manifest.Object {
	o := b.credentials()
	name := b.Claim.Name + claim.SuffixSourceKeys
	manifest.Map(o, "metadata")["name"] = name
	manifest.Map(o, "spec", "target")["name"] = name
	ref := b.Policy.Credentials
	manifest.Map(o, "spec")["data"] = []any{
		map[string]any{"secretKey": accessKeyID, "remoteRef": b.remote(ref.AccessKeyID, source)},
		map[string]any{"secretKey": secretAccessKey, "remoteRef": b.remote(ref.SecretAccessKey, source)},
	}
	return o
}

// LiveSource is a database that is copied while it lives.
type LiveSource struct {
	// Name of the source's Cluster.
	Name string
	// Database that is copied, as Owner, who may read all of it.
	Database, Owner string
	// Login is the Secret with the owner's password, Authority the one that verifies the server.
	Login, Authority string
	// SchemaOnly copies no rows.
	SchemaOnly bool
	// Tablespaces is true where the source has some: the copy lies in none.
	Tablespaces bool
}

// FromLive is the bootstrap of a database that is copied from a live one, table by table: the way across majors. It
// logs in as the source's owner, over TLS, and verifies the server against the source's own authority.
func FromLive(c *claim.Claim, s LiveSource, database, owner string) Bootstrap {
	copying := map[string]any{
		"type": "microservice", "databases": []any{s.Database},
		"source": map[string]any{"externalCluster": s.Name},
	}
	if s.SchemaOnly {
		copying["schemaOnly"] = true
	}
	if s.Tablespaces {
		copying["pgDumpExtraOptions"] = []any{"--no-tablespaces"}
	}
	return Bootstrap{
		Stanza: map[string]any{"initdb": map[string]any{
			"database": database, "owner": owner, "encoding": "UTF8",
			"dataChecksums": true, // ZDL-11
			"import":        copying,
		}},
		ExternalClusters: []any{map[string]any{
			"name":                 s.Name,
			"connectionParameters": connectionTo(c, s.Name, s.Database, s.Owner),
			"password":             map[string]any{"name": s.Login, "key": "password"},
			"sslRootCert":          map[string]any{"name": s.Authority, "key": "ca.crt"},
		}},
	}
}

func connectionTo(c *claim.Claim, cluster, database, user string) map[string]any {
	return map[string]any{
		"host": cluster + "-rw." + c.Namespace + ".svc", "port": "5432",
		"dbname": database, "user": user, "sslmode": "verify-full",
	}
}

// Parameters are the PostgreSQL settings a claim's database runs with, beside those CloudNativePG fills in.
func Parameters(c *claim.Claim, p *v1beta1.Policy) map[string]string {
	out := map[string]string{}
	for name, value := range (builder{Request{Claim: c, Policy: p}}).parameters() {
		out[name], _ = value.(string)
	}
	return out
}
