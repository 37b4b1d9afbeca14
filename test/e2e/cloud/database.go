package cloud

import (
	"context"
	"maps"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// Heal makes a Cluster's Pods run, as far as anybody asks: the conditions their instance managers and the backups would
// set. Without it a Cluster stays where a cluster without nodes stays, waiting for its first Pod.
func (c *Cloud) Heal(namespace, name string) { c.setHealthy(namespace, name, true) }

// Abandon undoes Heal for what comes; the conditions stay as they were last reported.
func (c *Cloud) Abandon(namespace, name string) { c.setHealthy(namespace, name, false) }

func (c *Cloud) setHealthy(namespace, name string, healthy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.healthy[namespace+"/"+name] = healthy
}

func (c *Cloud) isHealthy(o kube.Object) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.healthy[o.String("metadata", "namespace")+"/"+o.Name()]
}

// cluster plays the instance managers of one Cluster. The operator keeps the conditions it does not know, and so do we.
func (c *Cloud) cluster(ctx context.Context, o kube.Object) error {
	if !c.isHealthy(o) {
		return nil
	}
	return c.report(ctx, o, played(o, o))
}

// objectStore plays the barman-cloud plugin: it reports a recovery window for every healthy Cluster that archives here.
func (c *Cloud) objectStore(ctx context.Context, o kube.Object) error {
	windows := kube.Object{}
	maps.Copy(windows, o.Map("status", "serverRecoveryWindow"))
	known := len(windows)
	for _, p := range c.parts("Cluster") {
		if p.object.String("metadata", "namespace") != o.String("metadata", "namespace") || !c.isHealthy(p.object) {
			continue
		}
		for _, plugin := range p.object.Items("spec", "plugins") {
			server := plugin.String("parameters", "serverName")
			if plugin.String("parameters", "barmanObjectName") != o.Name() || windows[server] != nil {
				continue
			}
			now := time.Now().UTC()
			windows[server] = map[string]any{
				"firstRecoverabilityPoint": now.Add(-time.Minute).Format(time.RFC3339),
				"lastSuccessfulBackupTime": now.Format(time.RFC3339),
			}
		}
	}
	if len(windows) == known {
		return nil
	}
	return c.report(ctx, o, map[string]any{"serverRecoveryWindow": map[string]any(windows)})
}
