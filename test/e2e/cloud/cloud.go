// Package cloud plays the controllers that cannot run here because they need a cloud, a secret store or nodes:
// provider-aws for S3, External Secrets, and the part of CloudNativePG that lives in the database's Pods.
//
// It plays them as they are, not as they should be: buckets outlive the managed resources that made them, Ready says
// only that a call once succeeded, and on demand they lie the way their issue trackers say they do.
package cloud

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// Account returns a client that acts as a ServiceAccount, as External Secrets does when it reads for one.
type Account func(ctx context.Context, namespace, name string) (*kube.Client, error)

// Cloud is everything outside the control plane.
type Cloud struct {
	client  *kube.Client
	account Account

	mu       sync.Mutex
	buckets  map[string]*Bucket
	missing  map[string]bool // remote keys the secret store does not have
	lies     map[lieKey]Lie
	healthy  map[string]bool // "namespace/name" of Clusters whose Pods would run
	seen     map[kube.Ref]part
	accounts map[string]*kube.Client
	// destroyed are buckets a managed resource was allowed to delete, and did.
	destroyed []string
	failures  []string
}

// part is one object and who plays its controller.
type part struct {
	object kube.Object
	handle handler
}

type handler func(context.Context, kube.Object) error

// New returns a cloud without buckets.
func New(client *kube.Client, account Account) *Cloud {
	return &Cloud{
		client: client, account: account, buckets: map[string]*Bucket{}, missing: map[string]bool{}, lies: map[lieKey]Lie{},
		healthy: map[string]bool{}, seen: map[kube.Ref]part{}, accounts: map[string]*kube.Client{},
	}
}

// Run plays until the context ends.
func (c *Cloud) Run(ctx context.Context) {
	for _, group := range []string{"s3.aws.upbound.io", "s3.aws.m.upbound.io"} {
		for kind := range s3Kinds {
			go c.play(ctx, group+"/"+s3Version(group, kind), kind, c.s3)
		}
	}
	go c.play(ctx, "external-secrets.io/v1", "ExternalSecret", c.externalSecret)
	go c.play(ctx, "postgresql.cnpg.io/v1", "Cluster", c.cluster)
	go c.play(ctx, "barmancloud.cnpg.io/v1", "ObjectStore", c.objectStore)
	go c.resync(ctx)
}

// play handles every object of a kind whenever it changes.
func (c *Cloud) play(ctx context.Context, apiVersion, kind string, handle handler) {
	c.client.Watch(ctx, apiVersion, kind, func(o kube.Object, deleted bool) {
		c.mu.Lock()
		if deleted {
			delete(c.seen, o.Ref())
		} else {
			c.seen[o.Ref()] = part{o, handle}
		}
		c.mu.Unlock()
		if !deleted {
			c.try(ctx, o, handle)
		}
	})
}

// try handles one object and notes what went wrong, other than losing a race that the next event decides.
func (c *Cloud) try(ctx context.Context, o kube.Object, handle handler) {
	err := handle(ctx, o)
	if err == nil || ctx.Err() != nil || kube.NotFound(err) || kube.Conflict(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) < 100 {
		c.failures = append(c.failures, fmt.Sprintf("%s: %v", o.Ref(), err))
	}
}

// resync handles everything again every second: lies begin and end, and what a resource waits for appears. With much to
// handle it rests for longer than it works, so that a crowd that waits does not keep the API server from what it waits for.
func (c *Cloud) resync(ctx context.Context) {
	for pause := time.Second; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		begin := time.Now()
		for _, p := range c.parts("") {
			c.try(ctx, p.object, p.handle)
		}
		pause = min(max(time.Second, 2*time.Since(begin)), 20*time.Second)
	}
}

// parts are the objects of a kind as last seen, all where kind is empty.
func (c *Cloud) parts(kind string) []part {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]part, 0, len(c.seen))
	for ref, p := range c.seen {
		if kind == "" || ref.Kind == kind {
			out = append(out, p)
		}
	}
	return out
}

// Forget makes the secret store lose a key; Remember brings it back.
func (c *Cloud) Forget(remoteKey string) { c.setMissing(remoteKey, true) }

// Remember undoes Forget.
func (c *Cloud) Remember(remoteKey string) { c.setMissing(remoteKey, false) }

func (c *Cloud) setMissing(key string, missing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missing[key] = missing
}

// Failures lists what the players could not do, for the report of a failed run.
func (c *Cloud) Failures() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.failures...)
}

// report writes a status where it differs from what is there, so that nobody is woken for nothing.
func (c *Cloud) report(ctx context.Context, o kube.Object, status map[string]any) error {
	now := time.Now().UTC().Format(time.RFC3339)
	conditions, _ := status["conditions"].([]any)
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		condition["lastTransitionTime"] = now
		for _, before := range o.Items("status", "conditions") {
			if before["type"] == condition["type"] && before["status"] == condition["status"] {
				condition["lastTransitionTime"] = before["lastTransitionTime"]
			}
		}
	}
	changed := false
	for key, value := range status {
		changed = changed || !reflect.DeepEqual(normal(value), o.At("status", key))
	}
	if !changed {
		return nil
	}
	// A merge patch keeps what it does not name; atProvider is replaced as a whole, as providers do.
	if at, ok := status["atProvider"].(map[string]any); ok {
		for key := range o.Map("status", "atProvider") {
			if _, kept := at[key]; !kept {
				at[key] = nil
			}
		}
	}
	_, err := c.client.Patch(ctx, o.Ref(), "status", kube.Object{"status": status})
	return err
}

// normal is a value as it comes back from the API server.
func normal(v any) any { return kube.Object{"v": v}.Copy()["v"] }

func condition(kind, status, reason, message string) map[string]any {
	out := map[string]any{"type": kind, "status": status, "reason": reason}
	if message != "" {
		out["message"] = message
	}
	return out
}
