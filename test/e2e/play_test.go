package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/plane"
)

const claimVersion = "database.bizmatters.io/v1alpha1"

// patience is how long anything that has to happen may take. Most of it takes seconds; a busy machine takes minutes.
const patience = 5 * time.Minute

// play is one scenario in one world.
type play struct {
	*testing.T
	world plane.World
	// namespace is the developer's.
	namespace string
}

// A scenario is one test, and what it builds on: where one of those failed it does not run, and says so.
type scenario struct {
	name  string
	do    func(*play)
	needs []string
	// fast scenarios are the part that a gate can afford; base is what nothing works without.
	fast, base bool
}

// play runs a scenario and notes its end in passed, where a scenario nobody asked for stands as passed: whoever leaves
// one out answers for it.
func (p *play) play(s scenario, passed map[string]bool) {
	if why := s.leftOut(); why != "" {
		passed[s.name] = true
		results.notef("NOT RUN  %-10s %s: %s", p.world.Name, s.name, why)
		return
	}
	for _, need := range s.needs {
		if !passed[need] {
			results.notef("NOT RUN  %-10s %s: %q, which it builds on, failed", p.world.Name, s.name, need)
			return
		}
	}
	begin := time.Now()
	suite.plane.Sayf("=== %s, world %s", s.name, p.world.Name)
	ran, skipped := false, false
	ok := p.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
		ran = true
		inner := *p
		inner.T = t
		defer func() {
			skipped = t.Skipped()
			if t.Failed() {
				inner.dump(s.name)
			}
		}()
		before := inner.breaker()
		s.do(&inner)
		after := inner.breaker()
		// Crossplane may have been started anew meanwhile, and counts from nothing then.
		if after.opens > before.opens {
			t.Errorf("Crossplane's circuit breaker opened: something wakes it without end")
		}
		if after.events > before.events {
			t.Logf("Crossplane's circuit breaker counted %.0f notifications", after.events-before.events)
		}
	})
	passed[s.name] = ok && ran
	verdict := "FAIL   "
	switch {
	case !ran || skipped:
		verdict = "NOT RUN" // -run of go test leaves it out, or the machine lacks what it needs.
	case ok:
		verdict = "PASS   "
	}
	results.notef("%s  %-10s %s (%s)", verdict, p.world.Name, s.name, time.Since(begin).Round(time.Second))
}

// breaker is what Crossplane's circuit breaker has counted: what woke a composite resource, an update twice, and how often
// that was more than it allows. It then listens every 30 seconds only.
func (p *play) breaker() (counted struct{ events, opens float64 }) {
	p.Helper()
	m, err := suite.plane.CrossplaneMetrics(suite.ctx)
	if err != nil {
		p.Fatal(err)
	}
	counted.events, counted.opens = m.Sum("circuit_breaker_events_total"), m.Sum("circuit_breaker_opens_total")
	return counted
}

// leftOut says why a scenario was not asked for.
func (s scenario) leftOut() string {
	if suite.fast && !s.fast {
		return "only the fast part was asked for"
	}
	if s.base || len(suite.only) == 0 {
		return ""
	}
	for _, part := range suite.only {
		if strings.HasPrefix(s.name, part+" ") || (strings.Contains(part, " ") && strings.HasPrefix(s.name, part)) {
			return ""
		}
	}
	return envOnly + " names others"
}

// claim is a developer's document: the same in both worlds.
func (p *play) claim(name string, spec map[string]any) kube.Object {
	return kube.Object{
		"apiVersion": claimVersion, "kind": "PostgresInstance",
		"metadata": map[string]any{"name": name, "namespace": p.namespace}, "spec": spec,
	}
}

// commit applies a document as GitOps does and fails the test where the API server refuses it.
func (p *play) commit(o kube.Object) {
	p.Helper()
	_, err := suite.plane.Admin.Apply(suite.ctx, o, "gitops")
	if err != nil {
		p.Fatalf("commit: %v", err)
	}
}

// refused applies a document and returns the API server's refusal.
func (p *play) refused(o kube.Object) string {
	p.Helper()
	_, err := suite.plane.Admin.Apply(suite.ctx, o, "gitops")
	if err == nil {
		p.Fatalf("the API server admits %s: %v", o.Ref(), o["spec"])
	}
	return err.Error()
}

// get returns an object that has to be there.
func (p *play) get(r kube.Ref) kube.Object {
	p.Helper()
	o, err := suite.plane.Admin.Get(suite.ctx, r)
	if err != nil {
		p.Fatal(err)
	}
	return o
}

// exists says whether an object is there.
func (p *play) exists(r kube.Ref) bool {
	p.Helper()
	_, err := suite.plane.Admin.Get(suite.ctx, r)
	if err != nil && !kube.NotFound(err) {
		p.Fatal(err)
	}
	return err == nil
}

// await asks until there is no error, and fails the test when the time is over.
func (p *play) await(limit time.Duration, what string, ask func() error) {
	p.Helper()
	if err := suite.plane.Wait(suite.ctx, limit, what, ask); err != nil {
		p.Fatal(err)
	}
}

// awaitCondition waits for a condition of the claim: its status and, where given, a part of its message.
func (p *play) awaitCondition(claim kube.Object, kind, status, part string) kube.Object {
	p.Helper()
	var last kube.Object
	p.await(patience, fmt.Sprintf("%s=%s of %s", kind, status, claim.Name()), func() error {
		o, err := suite.plane.Admin.Get(suite.ctx, claim.Ref())
		if err != nil {
			return err
		}
		last = o
		c := o.Condition(kind)
		if c.Status != status || !strings.Contains(c.Message, part) {
			return fmt.Errorf("%s", o.Conditions())
		}
		return nil
	})
	return last
}

// healthy commits a claim and lets its database come up as far as anybody can tell.
func (p *play) healthy(claim kube.Object) {
	p.Helper()
	suite.cloud.Heal(p.namespace, claim.Name())
	p.commit(claim)
	p.awaitCondition(claim, "Ready", "True", "")
}

// never asserts that something stays away for a while.
func (p *play) never(during time.Duration, r kube.Ref, why string) {
	p.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if p.exists(r) {
			p.Fatalf("%s exists: %s", r, why)
		}
	}
}

// ref of something in the developer's namespace.
func (p *play) ref(apiVersion, kind, name string) kube.Ref {
	return kube.Ref{APIVersion: apiVersion, Kind: kind, Namespace: p.namespace, Name: name}
}

func (p *play) cluster(name string) kube.Ref { return p.ref("postgresql.cnpg.io/v1", "Cluster", name) }

// targets are what a claim's database needs to stay safe, besides the bucket: all of it survives the claim.
func (p *play) targets(name string) []kube.Ref {
	return []kube.Ref{
		p.cluster(name),
		p.ref("postgresql.cnpg.io/v1", "ScheduledBackup", name),
		p.ref("barmancloud.cnpg.io/v1", "ObjectStore", name+"-archive"),
		p.ref("external-secrets.io/v1", "ExternalSecret", name+"-archive-keys"),
		p.ref("v1", "Secret", name+"-archive-keys"),
		p.ref("external-secrets.io/v1", "ExternalSecret", name+"-conn"),
		p.ref("external-secrets.io/v1", "SecretStore", name+"-conn"),
		p.ref("v1", "Secret", name+"-conn"),
		p.ref("v1", "ServiceAccount", name+"-conn"),
		p.ref("rbac.authorization.k8s.io/v1", "RoleBinding", name+"-conn"),
		p.ref("v1", "Secret", name+"-app"),
		p.ref("v1", "PersistentVolumeClaim", name+"-1"),
		p.ref("monitoring.coreos.com/v1", "PodMonitor", name+"-metrics"),
		p.ref("monitoring.coreos.com/v1", "PrometheusRule", name+"-alerts"),
		p.ref("v1", "ConfigMap", name+"-queries"),
	}
}

// managed are the managed resources of a claim: what Crossplane composes.
func (p *play) managed(name string) []kube.Object {
	p.Helper()
	selector := fmt.Sprintf("database.bizmatters.io/claim=%s,database.bizmatters.io/claim-namespace=%s", name, p.namespace)
	var out []kube.Object
	for _, kind := range p.managedKinds() {
		items, err := suite.plane.Admin.List(suite.ctx, kind[0], kind[1], "", selector)
		if err != nil {
			p.Fatal(err)
		}
		out = append(out, items...)
	}
	return out
}

func (p *play) managedKinds() [][2]string {
	s3 := func(version string) string { return p.world.S3Group + "/" + version }
	beta2 := s3("v1beta2")
	if p.world.Namespaced {
		beta2 = s3("v1beta1")
	}
	return [][2]string{
		{p.world.ObjectVersion, "Object"},
		{beta2, "Bucket"}, {beta2, "BucketVersioning"}, {beta2, "BucketObjectLockConfiguration"},
		{beta2, "BucketServerSideEncryptionConfiguration"}, {beta2, "BucketOwnershipControls"},
		{s3("v1beta1"), "BucketPublicAccessBlock"}, {s3("v1beta1"), "BucketPolicy"}, {s3("v1beta1"), "BucketLifecycleConfiguration"},
	}
}

// bucket is the name of a claim's bucket.
func (p *play) bucket(name string) string {
	p.Helper()
	for _, o := range p.managed(name) {
		if o.String("kind") == "Bucket" {
			return o.String("metadata", "annotations", "crossplane.io/external-name")
		}
	}
	p.Fatalf("claim %s has no Bucket", name)
	return ""
}

// uids of objects that all have to be there.
func (p *play) uids(refs []kube.Ref) map[kube.Ref]string {
	p.Helper()
	out := map[kube.Ref]string{}
	for _, r := range refs {
		out[r] = p.get(r).UID()
	}
	return out
}

// remove deletes a claim and waits until Crossplane has let go of everything it composed.
func (p *play) remove(claim kube.Object) {
	p.Helper()
	if err := suite.plane.Admin.Delete(suite.ctx, claim.Ref()); err != nil && !kube.NotFound(err) {
		p.Fatal(err)
	}
	p.await(patience, "claim "+claim.Name()+" and its managed resources to go", func() error {
		if p.exists(claim.Ref()) {
			return errors.New("the claim is still there")
		}
		if left := p.managed(claim.Name()); len(left) > 0 {
			return fmt.Errorf("%d managed resources are left, for instance %s", len(left), left[0].Ref())
		}
		return nil
	})
}

// dump keeps what a person would look at first after a failure.
func (p *play) dump(name string) {
	dir := filepath.Join(suite.plane.Dir, "log", "dump-"+p.world.Name+"-"+strings.ReplaceAll(name, " ", "-"))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		p.Log(err)
		return
	}
	kinds := append(p.managedKinds(), [][2]string{
		{claimVersion, "PostgresInstance"}, {claimVersion, p.world.Composite}, {"postgresql.cnpg.io/v1", "Cluster"},
		{"external-secrets.io/v1", "ExternalSecret"}, {"barmancloud.cnpg.io/v1", "ObjectStore"}, {"v1", "Event"},
		{"pkg.crossplane.io/v1", "FunctionRevision"},
	}...)
	for _, kind := range kinds {
		items, err := suite.plane.Admin.List(suite.ctx, kind[0], kind[1], "", "")
		if err != nil {
			continue // A kind that is not served is not part of the picture.
		}
		for _, o := range items {
			delete(o.Map("metadata"), "managedFields")
		}
		raw, err := json.MarshalIndent(items, "", " ")
		if err != nil {
			p.Log(err)
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, kind[1]+".json"), raw, 0o600); err != nil {
			p.Log(err)
		}
	}
	p.Logf("the objects as they were: %s", dir)
}
