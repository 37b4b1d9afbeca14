package cloud

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"text/template"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

const secretsVersion = "external-secrets.io/v1"

// externalSecret is External Secrets for one ExternalSecret: it reads the values, renders the template, writes the
// Secret and says so. From a store of the kubernetes provider it reads as the account the store names, with that
// account's rights and no others.
func (c *Cloud) externalSecret(ctx context.Context, o kube.Object) error {
	if o.String("metadata", "deletionTimestamp") != "" || c.fresh(o) {
		return nil
	}
	failed := func(why string, err error) error {
		return c.report(ctx, o, map[string]any{"conditions": []any{condition("Ready", "False", "SecretSyncedError", why+": "+err.Error())}})
	}
	values, err := c.values(ctx, o)
	if err != nil {
		return failed("could not get secret data from provider", err)
	}
	data, err := secretData(o, values)
	if err != nil {
		return failed("could not apply template", err)
	}
	namespace, target := o.String("metadata", "namespace"), o.String("spec", "target", "name")
	labels := map[string]any{}
	if len(o.Map("spec", "target", "template")) == 0 { // Where nothing says how the Secret looks, it looks like the ExternalSecret.
		maps.Copy(labels, o.Map("metadata", "labels"))
	}
	labels["reconcile.external-secrets.io/managed"] = "true"
	secret := kube.Object{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
		"metadata": map[string]any{"name": target, "namespace": namespace, "labels": labels},
	}
	if policy := o.String("spec", "target", "creationPolicy"); policy == "Owner" || policy == "" {
		secret.Set([]any{map[string]any{
			"apiVersion": secretsVersion, "kind": "ExternalSecret", "name": o.Name(), "uid": o.UID(), "controller": true, "blockOwnerDeletion": true,
		}}, "metadata", "ownerReferences")
	}
	if _, err := c.client.Apply(ctx, secret, "external-secrets"); err != nil {
		return failed("could not update Secret", err)
	}
	return c.report(ctx, o, map[string]any{
		"binding":               map[string]any{"name": target},
		"refreshTime":           time.Now().UTC().Format(time.RFC3339),
		"syncedResourceVersion": strconv.Itoa(o.Int("metadata", "generation")),
		"conditions":            []any{condition("Ready", "True", "SecretSynced", "secret synced")},
	})
}

// fresh says whether an ExternalSecret was synced in its present form: it then rests until its refresh interval, which
// no test waits for, or until the store has lost one of its keys.
func (c *Cloud) fresh(o kube.Object) bool {
	if o.Condition("Ready").Status != "True" || o.String("status", "syncedResourceVersion") != strconv.Itoa(o.Int("metadata", "generation")) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range o.Items("spec", "data") {
		if c.missing[item.String("remoteRef", "key")] {
			return false
		}
	}
	return true
}

// values fetches what the ExternalSecret names.
func (c *Cloud) values(ctx context.Context, o kube.Object) (map[string]string, error) {
	namespace, out := o.String("metadata", "namespace"), map[string]string{}
	var reader *kube.Client
	if o.String("spec", "secretStoreRef", "kind") == "SecretStore" {
		var err error
		if reader, err = c.storeReader(ctx, namespace, o.String("spec", "secretStoreRef", "name")); err != nil {
			return nil, err
		}
	}
	for _, item := range o.Items("spec", "data") {
		key, property := item.String("remoteRef", "key"), item.String("remoteRef", "property")
		if reader == nil {
			c.mu.Lock()
			missing := c.missing[key]
			c.mu.Unlock()
			if missing {
				return nil, fmt.Errorf("parameter %s: ParameterNotFound", key)
			}
			out[item.String("secretKey")] = "value-of-" + key + "-" + property
			continue
		}
		secret, err := reader.Get(ctx, kube.Ref{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: key})
		if err != nil {
			return nil, err
		}
		raw, err := base64.StdEncoding.DecodeString(secret.String("data", property))
		if err != nil || len(raw) == 0 {
			return nil, fmt.Errorf("property %s does not exist in key %s", property, key)
		}
		out[item.String("secretKey")] = string(raw)
	}
	return out, nil
}

// storeReader is the account through which a SecretStore of the kubernetes provider reads.
func (c *Cloud) storeReader(ctx context.Context, namespace, name string) (*kube.Client, error) {
	store, err := c.client.Get(ctx, kube.Ref{APIVersion: secretsVersion, Kind: "SecretStore", Namespace: namespace, Name: name})
	if err != nil {
		return nil, err
	}
	provider := store.Map("spec", "provider", "kubernetes")
	if provider.String("server", "caProvider", "name") != "kube-root-ca.crt" || provider.String("remoteNamespace") != namespace {
		return nil, fmt.Errorf("the store %s cannot reach the API server of its own namespace", name)
	}
	account := provider.String("auth", "serviceAccount", "name")
	key := namespace + "/" + account
	c.mu.Lock()
	reader, ok := c.accounts[key]
	c.mu.Unlock()
	if ok {
		return reader, nil
	}
	if reader, err = c.account(ctx, namespace, account); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accounts[key] = reader
	return reader, nil
}

// secretData renders the target's template, or takes the values as they are where there is none.
func secretData(o kube.Object, values map[string]string) (map[string]any, error) {
	out := map[string]any{}
	templates := o.Map("spec", "target", "template", "data")
	if len(templates) == 0 {
		for key, value := range values {
			out[key] = base64.StdEncoding.EncodeToString([]byte(value))
		}
		return out, nil
	}
	for key := range templates {
		t, err := template.New(key).Option("missingkey=error").Parse(templates.String(key))
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, values); err != nil {
			return nil, err
		}
		out[key] = base64.StdEncoding.EncodeToString(text.Bytes())
	}
	return out, nil
}
