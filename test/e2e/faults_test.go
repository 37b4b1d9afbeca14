package e2e

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/cloud"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// foreignCluster: somebody else's Cluster of the claim's name is refused, not adopted; once it is labelled as the
// claim's, it is.
func foreignCluster(p *play) {
	const name = "foreign-db"
	foreign := kube.MustParse(`
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: foreign-db}
spec: {instances: 1, imageName: "ghcr.io/cloudnative-pg/postgresql:16.10", storage: {size: 1Gi}}
`)
	foreign.Set(p.namespace, "metadata", "namespace")
	answer, err := suite.plane.Admin.Create(suite.ctx, foreign)
	if err != nil {
		p.Fatal(err)
	}
	claim := p.claim(name, map[string]any{})
	p.commit(claim)
	told := p.awaitCondition(claim, "ContractSatisfied", "False", "ZDL-07")
	p.Logf("the claim says: %s", told.Condition("ContractSatisfied").Message)
	p.untouched(answer.Object, nil)
	if err := suite.plane.Admin.Delete(suite.ctx, p.cluster(name)); err != nil {
		p.Fatal(err)
	}
	// The cause is gone: the claim heals by itself.
	p.await(patience, "a Cluster of the claim's own", func() error {
		o, err := suite.plane.Admin.Get(suite.ctx, p.cluster(name))
		if err != nil {
			return err
		}
		if o.UID() == answer.Object.UID() {
			return errors.New("the foreign one is still there")
		}
		return nil
	})
	p.remove(claim)
}

// storageClassMissing: without the class that retains there is no second layer, and no database; with it there is.
func storageClassMissing(p *play) {
	class := kube.Ref{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass", Name: "postgres-retain"}
	saved := p.get(class)
	if err := suite.plane.Admin.Delete(suite.ctx, class); err != nil {
		p.Fatal(err)
	}
	claim := p.claim("classless-db", map[string]any{})
	p.commit(claim)
	told := p.awaitCondition(claim, "ContractSatisfied", "False", "CNPG-4.2")
	p.Logf("the claim says: %s", told.Condition("ContractSatisfied").Message)
	p.never(3*time.Second, p.cluster("classless-db"), "its StorageClass is missing (CNPG-4.2)")

	// The living database goes on, and its claim says what is wrong.
	live := p.live()
	if o := p.get(p.cluster(liveName)); o.String("metadata", "deletionTimestamp") != "" {
		p.Error("the living Cluster is being deleted")
	}

	delete(saved.Map("metadata"), "resourceVersion")
	delete(saved.Map("metadata"), "uid")
	delete(saved.Map("metadata"), "creationTimestamp")
	delete(saved.Map("metadata"), "managedFields")
	p.commit(saved)
	p.await(patience, "the Cluster", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster("classless-db"))
		return err
	})
	p.awaitCondition(live, "ContractSatisfied", "True", "")
	p.remove(claim)
}

// functionKilled: a function that dies in the middle of things costs time and nothing else.
func functionKilled(p *play) {
	before, managed := p.get(p.cluster(liveName)), p.managed(liveName)
	claim := p.claim("orphaned-call-db", map[string]any{})
	p.commit(claim)
	for range 3 { // Wherever in the making of the set it happens to be.
		time.Sleep(300 * time.Millisecond)
		suite.plane.Function.Kill()
		if err := suite.plane.StartFunction(suite.ctx); err != nil {
			p.Fatal(err)
		}
	}
	suite.plane.Function.Kill()
	// Something changes while nobody can answer.
	changed := p.live()
	changed.Set("large", "spec", "size")
	p.commit(changed)
	time.Sleep(5 * time.Second)
	p.untouched(before, managed)
	if err := suite.plane.StartFunction(suite.ctx); err != nil {
		p.Fatal(err)
	}
	p.await(patience, "the change to arrive", func() error {
		if got := p.get(p.cluster(liveName)).String("spec", "resources", "requests", "memory"); got != "16Gi" {
			return fmt.Errorf("memory is %s", got)
		}
		return nil
	})
	p.commit(p.live())
	p.await(patience, "the Cluster of the interrupted claim", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster("orphaned-call-db"))
		return err
	})
	p.remove(claim)
}

// functionUpgraded: a new revision of the function with the same claims changes nothing that is there.
func functionUpgraded(p *play) {
	before, managed := p.get(p.cluster(liveName)), p.managed(liveName)
	if err := suite.plane.UpgradeFunction(suite.ctx, "v0.2.0-"+p.world.Name); err != nil {
		p.Fatal(err)
	}
	time.Sleep(10 * time.Second)
	p.untouched(before, managed)
	claim := p.claim("after-upgrade-db", map[string]any{})
	p.commit(claim)
	p.await(patience, "a Cluster by the new revision", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster("after-upgrade-db"))
		return err
	})
	p.remove(claim)
}

// webhookDown: without CloudNativePG's webhooks nothing about a Cluster can be written; what lives goes on, and the
// claim says why it waits.
func webhookDown(p *play) {
	suite.plane.CNPG.Stop()
	claim := p.claim("unadmitted-db", map[string]any{})
	p.commit(claim)
	told := p.awaitCondition(claim, "DatabaseReady", "False", "failed calling webhook")
	p.Logf("the claim says: %s", told.Condition("DatabaseReady").Message)
	if !p.exists(p.cluster(liveName)) {
		p.Error("the living Cluster is gone")
	}

	// Meanwhile the lock is gone: the Object that would make the Cluster holds still, and goes on once it is back (ZDL-03).
	bucket := p.bucket(claim.Name())
	suite.cloud.Lie(bucket, "BucketObjectLockConfiguration", cloud.Lie{Empty: true})
	p.awaitCondition(claim, "DatabaseReady", "False", "Object Lock")
	if err := suite.plane.StartCNPG(suite.ctx); err != nil {
		p.Fatal(err)
	}
	p.never(10*time.Second, p.cluster(claim.Name()), "its bucket locks nothing")
	suite.cloud.Lie(bucket, "BucketObjectLockConfiguration", cloud.Lie{})
	p.await(patience, "the Cluster", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster(claim.Name()))
		return err
	})
	p.remove(claim)
}

// rightsMissing: without the right to read what the function asks for, nothing new comes into being and nothing is lost;
// the right is all it takes to heal.
func rightsMissing(p *play) {
	before, managed := p.get(p.cluster(liveName)), p.managed(liveName)
	role := kube.Ref{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "hardened-postgres:crossplane"}
	if err := suite.plane.Admin.Delete(suite.ctx, role); err != nil {
		p.Fatal(err)
	}
	// A running Crossplane keeps the watches it has; a restarted one does not get them back.
	suite.plane.Crossplane.Stop()
	if err := suite.plane.StartCrossplane(suite.ctx); err != nil {
		p.Fatal(err)
	}
	claim := p.claim("rightless-db", map[string]any{})
	p.commit(claim)
	p.never(20*time.Second, p.cluster("rightless-db"), "Crossplane may not read what the gate waits for")
	p.Logf("the claim says: %s", p.get(claim.Ref()).Conditions())
	// As docs/how-it-decides.md quotes it.
	p.warned(p.world.Composite, "rightless-db", "failed waiting for *unstructured.Unstructured Informer to sync")
	p.untouched(before, managed)

	if err := suite.plane.DefineRights(suite.ctx); err != nil {
		p.Fatal(err)
	}
	p.await(patience, "the Cluster", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster("rightless-db"))
		return err
	})
	p.remove(claim)
}

// pluginMissing: a claim without the plugin says so and waits; a living database whose plugin is uninstalled by accident
// keeps its Cluster, and all of it heals when the plugin is back.
func pluginMissing(p *play) {
	before := p.get(p.cluster(liveName))
	crd := kube.Ref{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition", Name: "objectstores.barmancloud.cnpg.io"}
	if err := suite.plane.Admin.Delete(suite.ctx, crd); err != nil {
		p.Fatal(err)
	}
	p.await(patience, "the plugin's CRD to go", func() error {
		if p.exists(crd) {
			return errors.New("it is still there")
		}
		return nil
	})
	// A Crossplane that runs on remembers kinds that are gone; one that has never seen this one is what a cluster without
	// the plugin has.
	suite.plane.Crossplane.Stop()
	if err := suite.plane.StartCrossplane(suite.ctx); err != nil {
		p.Fatal(err)
	}
	claim := p.claim("pluginless-db", map[string]any{})
	p.commit(claim)
	told := p.awaitCondition(claim, "DatabaseReady", "False", "barman-cloud plugin")
	p.Logf("the claim says: %s", told.Condition("DatabaseReady").Message)
	p.never(5*time.Second, p.cluster("pluginless-db"), "nothing could archive it")
	p.Logf("the living claim says: %s", p.get(p.live().Ref()).Conditions())
	p.untouched(before, nil)

	if err := suite.plane.DefinePlugin(suite.ctx); err != nil {
		p.Fatal(err)
	}
	p.await(patience, "the Cluster", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster("pluginless-db"))
		return err
	})
	p.awaitCondition(p.live(), "Ready", "True", "")
	p.remove(claim)
}

// warned waits for a warning about a resource of this world, whose name begins so, that says what is wanted.
func (p *play) warned(kind, prefix, want string) {
	p.Helper()
	p.await(patience, "an event about "+kind+" "+prefix, func() error {
		events, err := suite.plane.Admin.List(suite.ctx, "v1", "Event", "", "")
		if err != nil {
			return err
		}
		told := errors.New("there is none")
		for _, e := range events {
			about := e.Map("involvedObject")
			if e.String("type") != "Warning" || about.String("kind") != kind || !strings.HasPrefix(about.String("name"), prefix) ||
				about.String("namespace") != "" && about.String("namespace") != p.namespace {
				continue
			}
			if strings.Contains(e.String("message"), want) {
				return nil
			}
			told = errors.New(e.String("reason") + ": " + e.String("message"))
		}
		return told
	})
}
