package e2e

import (
	"errors"
	"fmt"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// blueGreen is the specification's major upgrade as five applies: the old database, the new one made of it, the switch in
// one commit, the end of the old claim, and what is left of it. The stable name never leads nowhere.
func blueGreen(p *play) {
	const alias, blueName, greenName = "agent-db", "agent-db-v15", "agent-db-v16"
	named := func(o kube.Object) kube.Object { return o.Copy().Set(alias, "spec", "connection", "alias") }
	blue := p.claim(blueName, map[string]any{"version": "15"})
	green := p.claim(greenName, map[string]any{"version": "16", "bootstrap": map[string]any{"recovery": map[string]any{"source": blueName}}})
	service, secret := p.ref("v1", "Service", alias), p.ref("v1", "Secret", alias)
	leads := func(to string) error {
		o, err := suite.plane.Admin.Get(suite.ctx, service)
		if err != nil {
			return err
		}
		if got := o.String("spec", "selector", "cnpg.io/cluster"); got != to {
			return fmt.Errorf("Service %s leads to %q", alias, got)
		}
		_, err = suite.plane.Admin.Get(suite.ctx, secret)
		return err
	}

	// 1. The old database holds the name.
	p.healthy(named(blue))
	p.await(patience, "the name to lead to the old database", func() error { return leads(blueName) })
	before := p.get(service).UID()

	// 2. The new one is made of the old one, logically, because the majors differ. It waits until somebody says that
	// nothing writes to the old one any more.
	suite.cloud.Heal(p.namespace, greenName)
	p.commit(green)
	p.awaitCondition(green, "DatabaseReady", "False", "database.bizmatters.io/writes-stopped: "+blueName)
	p.never(2*time.Second, p.cluster(greenName), "nobody has stopped the writes")
	green.Set(blueName, "metadata", "annotations", "database.bizmatters.io/writes-stopped")
	p.healthy(green)
	stanza := p.get(p.cluster(greenName)).Map("spec", "bootstrap", "initdb", "import")
	if stanza.String("type") != "microservice" {
		p.Errorf("the new database is not imported: %v", stanza)
	}
	if err := leads(blueName); err != nil {
		p.Error(err)
	}

	// 3. The switch, both claims in one commit; which comes first must not matter.
	gap := make(chan error, 1)
	stop := make(chan struct{})
	go func() { // Nobody who resolves the name may find nothing.
		var lost error
		for {
			select {
			case <-stop:
				gap <- lost
				return
			case <-time.After(50 * time.Millisecond):
			}
			if _, err := suite.plane.Admin.Get(suite.ctx, service); kube.NotFound(err) {
				lost = err
			}
		}
	}()
	if p.world.Namespaced {
		p.commit(named(green))
		p.commit(blue)
	} else {
		p.commit(blue)
		p.commit(named(green))
	}
	p.await(patience, "the name to lead to the new database", func() error { return leads(greenName) })
	close(stop)
	if err := <-gap; err != nil {
		p.Errorf("the name led nowhere during the switch: %v", err)
	}
	if got := p.get(service).UID(); got != before {
		p.Error("the Service was made anew instead of moved")
	}
	p.awaitCondition(green, "Ready", "True", "")

	// 4. The old claim goes; its database stays until somebody removes it by hand.
	p.remove(blue)
	if !p.exists(p.cluster(blueName)) {
		p.Error("the old database went with its claim")
	}
	if err := leads(greenName); err != nil {
		p.Error(err)
	}

	// 5. By hand. The new database does not notice.
	if err := suite.plane.Admin.Delete(suite.ctx, p.cluster(blueName)); err != nil {
		p.Fatal(err)
	}
	p.await(patience, "the old Cluster to go", func() error {
		if p.exists(p.cluster(blueName)) {
			return errors.New("it is still there")
		}
		return nil
	})
	time.Sleep(3 * time.Second)
	p.awaitCondition(green, "Ready", "True", "")
	p.remove(green)
}
