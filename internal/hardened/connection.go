package hardened

import (
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// The connection Secret gives applications the keys they know. CloudNativePG writes the password into <cluster>-app;
// External Secrets' kubernetes provider copies it from there, so that no password ever passes through a managed
// resource, a status or this function (ZDL-12). It reads with an account of the claim's own.

// ReaderRole is the ClusterRole, installed with the XRDs, that lets that account read Secrets of its namespace.
const ReaderRole = "postgres-connection-reader"

func (b builder) connection() []Resource {
	name := b.Claim.Name + claim.SuffixConnection

	account := b.object("v1", "ServiceAccount", name)

	access := b.object("rbac.authorization.k8s.io/v1", "RoleBinding", name)
	access["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ReaderRole}
	access["subjects"] = []any{map[string]any{"kind": "ServiceAccount", "name": name, "namespace": b.Claim.Namespace}}

	store := b.object("external-secrets.io/v1", "SecretStore", name)
	store["spec"] = map[string]any{"provider": map[string]any{"kubernetes": map[string]any{
		"remoteNamespace": b.Claim.Namespace,
		"server":          map[string]any{"caProvider": map[string]any{"type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt"}},
		"auth":            map[string]any{"serviceAccount": map[string]any{"name": name}},
	}}}

	target := b.Claim.Spec.Connection.SecretName
	return []Resource{
		{Name: ConnectionAccount, Stage: Database, Object: b.wrap(ConnectionAccount, account)},
		{Name: ConnectionAccess, Stage: Database, Object: b.wrap(ConnectionAccess, access)},
		{Name: ConnectionStore, Stage: Database, Object: b.wrap(ConnectionStore, store, readyFromManifest)},
		// Named after its target: two claims that name one Secret cannot both write it, Crossplane refuses the second.
		{Name: ConnectionSecret, Stage: Database, Object: b.wrapAs(
			b.Claim.ObjectName(target, ConnectionSecret), b.connectionSecret(target, name, b.Claim.Name+"-rw"), readyFromManifest)},
	}
}

// connectionSecret copies the application's login into a Secret of the platform's layout, with the given Service as
// the host.
func (b builder) connectionSecret(target, store, service string) manifest.Object {
	host := service + "." + b.Claim.Namespace + ".svc"
	values := map[string]string{
		"endpoint":      host,
		"port":          "5432",
		"database":      "{{ .dbname }}",
		"username":      "{{ .username }}",
		"password":      "{{ .password }}",
		"schema":        "public",
		"sslmode":       "require",
		"uri":           "postgresql://{{ .username | urlquery }}:{{ .password | urlquery }}@" + host + ":5432/{{ .dbname }}",
		"jdbcURI":       "jdbc:postgresql://" + host + ":5432/{{ .dbname }}",
		"caCertificate": "{{ index . \"ca.crt\" }}",
	}
	app := b.Claim.Name + "-app"
	data := []any{}
	for _, key := range []string{"dbname", "username", "password"} {
		data = append(data, map[string]any{"secretKey": key, "remoteRef": map[string]any{"key": app, "property": key}})
	}
	template := map[string]any{}
	needsCA := false
	for _, key := range manifest.SortedKeys(b.Policy.Connection.Keys) {
		what := b.Policy.Connection.Keys[key]
		template[key] = values[what]
		needsCA = needsCA || what == "caCertificate"
	}
	if needsCA {
		data = append(data, map[string]any{"secretKey": "ca.crt", "remoteRef": map[string]any{"key": b.Claim.Name + "-ca", "property": "ca.crt"}})
	}

	o := b.object("external-secrets.io/v1", "ExternalSecret", target)
	o["spec"] = map[string]any{
		"refreshPolicy":   "Periodic",
		"refreshInterval": "1m",
		"secretStoreRef":  map[string]any{"kind": "SecretStore", "name": store},
		"target": map[string]any{
			"name": target, "creationPolicy": "Orphan", "deletionPolicy": "Retain",
			"template": map[string]any{"engineVersion": "v2", "data": template},
		},
		"data": data,
	}
	return o
}
