package e2e

import (
	"encoding/base64"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/cloud"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// The claim scenarios 1 to 4 are about: the one the product's README shows.
const (
	liveName  = "agent-executor-db"
	liveImage = "ghcr.io/cloudnative-pg/postgresql:16"
)

func (p *play) live() kube.Object {
	return p.claim(liveName, map[string]any{"size": "medium", "version": "16", "storageGB": 20})
}

// keysOf is where the policy of the installed Composition finds a claim's bucket keys.
func (p *play) keysOf(name string) string { return "postgres/" + p.namespace + "/" + name }

// commitClaim: nothing is created before lock and keys are observed in force; then everything is, and the real operator
// admits, defaults and acts on it.
func commitClaim(p *play) {
	claim := p.live()
	keys := p.keysOf(liveName)
	suite.cloud.Forget(keys)
	defer suite.cloud.Remember(keys)
	p.commit(claim)

	// The bucket is made at once. Its lock is reported, but nothing of it is observed: the provider's favourite lie.
	var bucket string
	p.await(patience, "the Bucket", func() error {
		for _, o := range p.managed(liveName) {
			if o.String("kind") == "Bucket" {
				bucket = o.String("metadata", "annotations", "crossplane.io/external-name")
				return nil
			}
		}
		return errors.New("not composed yet")
	})
	p.awaitCondition(claim, "DatabaseReady", "False", "waiting for")
	p.never(5*time.Second, p.cluster(liveName), "the bucket's keys are not there yet (ZDL-03)")

	suite.cloud.Lie(bucket, "BucketVersioning", cloud.Lie{Empty: true})
	suite.cloud.Lie(bucket, "BucketObjectLockConfiguration", cloud.Lie{Unsynced: "cannot run refresh: token expired"})
	suite.cloud.Remember(keys)
	p.await(patience, "the keys' Secret", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.ref("v1", "Secret", liveName+"-archive-keys"))
		return err
	})
	// The provider said Ready while it lied; only what it observes counts, and only while it can look.
	p.never(5*time.Second, p.cluster(liveName), "versioning is not observed (ZDL-03)")
	suite.cloud.Lie(bucket, "BucketVersioning", cloud.Lie{})
	suite.cloud.Lie(bucket, "BucketObjectLockConfiguration", cloud.Lie{})

	p.await(patience, "the Cluster", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.cluster(liveName))
		return err
	})
	if b, _ := suite.cloud.Bucket(bucket); b.LockMode != "COMPLIANCE" || b.LockDays < 32 || b.Versioning != "Enabled" {
		p.Errorf("bucket %s when the database began: %+v", bucket, b)
	}
	p.operatorActed(claim)

	suite.cloud.Heal(p.namespace, liveName)
	for _, kind := range []string{"Ready", "Protected", "Recoverable", "DatabaseReady", "ContractSatisfied"} {
		p.awaitCondition(claim, kind, "True", "")
	}
	p.columns(claim)
	p.connection()
}

// operatorActed asserts what the real operator made of our Cluster.
func (p *play) operatorActed(claim kube.Object) {
	p.Helper()
	p.await(patience, "the operator to make the first volume and the initdb Job", func() error {
		for _, r := range []kube.Ref{p.ref("v1", "PersistentVolumeClaim", liveName+"-1"), p.ref("batch/v1", "Job", liveName+"-1-initdb")} {
			if _, err := suite.plane.Admin.Get(suite.ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	live := p.get(p.cluster(liveName))
	if live.String("spec", "postgresql", "parameters", "archive_mode") == "" {
		p.Error("CloudNativePG's mutating webhook has not defaulted the Cluster")
	}
	if owners := live.Items("metadata", "ownerReferences"); len(owners) > 0 {
		p.Errorf("the Cluster is owned by %v and dies with it", owners)
	}
	if class := p.get(p.ref("v1", "PersistentVolumeClaim", liveName+"-1")).String("spec", "storageClassName"); class != "postgres-retain" {
		p.Errorf("storage class of the volume: %q", class)
	}
	image := ""
	for _, c := range p.get(p.ref("batch/v1", "Job", liveName+"-1-initdb")).Items("spec", "template", "spec", "containers") {
		image = c.String("image")
	}
	if image != live.String("spec", "imageName") || !strings.HasPrefix(image, liveImage) {
		p.Errorf("image of the initdb Job: %q, of the Cluster: %q", image, live.String("spec", "imageName"))
	}

	// The ScheduledBackup is admitted without a word: five cron fields would be admitted with a warning only, and fire
	// every six minutes.
	schedule := p.ref("postgresql.cnpg.io/v1", "ScheduledBackup", liveName)
	p.await(patience, "the ScheduledBackup", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, schedule)
		return err
	})
	// Where no admission policy is in the way it can be suspended, and is set back.
	if _, err := suite.plane.Admin.Patch(suite.ctx, schedule, "", kube.Object{"spec": map[string]any{"suspend": true}}); err != nil {
		p.Error(err)
	}
	p.await(patience, "the suspended ScheduledBackup to be set back", func() error {
		if p.get(schedule).At("spec", "suspend") != false {
			return errors.New("it is still suspended")
		}
		return nil
	})
	for _, o := range p.managed(claim.Name()) {
		inner := o.Map("spec", "forProvider", "manifest")
		if inner == nil {
			continue
		}
		answer, err := suite.plane.Admin.DryApply(suite.ctx, inner, "provider-kubernetes/"+o.Name())
		if err != nil {
			p.Error(err)
		}
		if len(answer.Warnings) > 0 {
			p.Errorf("%s is admitted with warnings: %q", inner.Ref(), answer.Warnings)
		}
	}
}

// columns asserts what `kubectl get pgi` prints.
func (p *play) columns(claim kube.Object) {
	p.Helper()
	got, err := suite.plane.Admin.Columns(suite.ctx, claim.Ref())
	if err != nil {
		p.Fatal(err)
	}
	// The Composition as it is shipped names no bucket.administrators, which is reported as waived.
	for column, want := range map[string]string{"Name": liveName, "Version": "16", "Instances": "3/3", "Contract": "Waived", "Synced": "True", "Ready": "True"} {
		found := ""
		for name, value := range got {
			if strings.EqualFold(name, column) {
				found = value
			}
		}
		if found != want {
			p.Errorf("column %s: %q, want %q (all: %v)", column, found, want, got)
		}
	}
}

// connection asserts the Secret applications read, in the layout they have always read.
func (p *play) connection() {
	p.Helper()
	secret := p.get(p.ref("v1", "Secret", liveName+"-conn"))
	text := func(key string) string {
		raw, _ := base64.StdEncoding.DecodeString(secret.String("data", key))
		return string(raw)
	}
	host := liveName + "-rw." + p.namespace + ".svc"
	for key, want := range map[string]string{
		"endpoint": host, "port": "5432", "database": liveName, "username": liveName,
		"POSTGRES_HOST": host, "POSTGRES_PORT": "5432", "POSTGRES_DB": liveName, "POSTGRES_USER": liveName, "POSTGRES_SCHEMA": "public",
	} {
		if got := text(key); got != want {
			p.Errorf("%s-conn %s: %q, want %q", liveName, key, got, want)
		}
	}
	app := p.get(p.ref("v1", "Secret", liveName+"-app"))
	if secret.String("data", "password") == "" || secret.String("data", "password") != app.String("data", "password") {
		p.Errorf("the password in %s-conn is not CloudNativePG's", liveName)
	}
}

// settle is how long the garbage collector may need to notice a kind and act: it looks for new kinds every 30 seconds.
const settle = 40 * time.Second

// memory is what deleteClaim leaves for commitAgain.
type memory struct {
	uids       map[kube.Ref]string
	bucket     string
	cloud      cloud.Bucket
	cluster    kube.Object
	serverName string
}

var remembered = map[string]memory{}

// deleteClaim: the claim goes, everything the database needs stays.
func deleteClaim(p *play) {
	claim := p.live()
	m := memory{uids: p.uids(p.targets(liveName)), bucket: p.bucket(liveName), cluster: p.get(p.cluster(liveName))}
	m.serverName = p.get(claim.Ref()).String("status", "backup", "serverName")
	m.cloud, _ = suite.cloud.Bucket(m.bucket)
	remembered[p.world.Name] = m

	p.remove(claim)
	time.Sleep(settle)

	for _, r := range slices.SortedFunc(maps.Keys(m.uids), func(a, b kube.Ref) int { return strings.Compare(a.String(), b.String()) }) {
		o, err := suite.plane.Admin.Get(suite.ctx, r)
		if err != nil {
			p.Errorf("lost with the claim: %v", err)
			continue
		}
		if o.UID() != m.uids[r] {
			p.Errorf("%s is not the same any more", r)
		}
		if o.String("metadata", "deletionTimestamp") != "" {
			p.Errorf("%s is being deleted", r)
		}
		for _, owner := range o.Items("metadata", "ownerReferences") {
			// What the operator made for the Cluster belongs to the Cluster, which belongs to nobody.
			if owner.String("kind") != "Cluster" {
				p.Errorf("%s is owned by %s %s", r, owner.String("kind"), owner.String("name"))
			}
		}
	}
	if destroyed := suite.cloud.Destroyed(); len(destroyed) > 0 {
		p.Errorf("destroyed in the cloud: %v", destroyed)
	}
	if b, ok := suite.cloud.Bucket(m.bucket); !ok || !reflect.DeepEqual(b, m.cloud) {
		p.Errorf("the bucket is %+v, was %+v", b, m.cloud)
	}
}

// commitAgain: the same claim finds its own orphans and takes them back unchanged.
func commitAgain(p *play) {
	m, claim := remembered[p.world.Name], p.live()
	p.commit(claim)
	ready := p.awaitCondition(claim, "Ready", "True", "")
	for r, uid := range m.uids {
		if got := p.get(r).UID(); got != uid {
			p.Errorf("%s was made anew", r)
		}
	}
	if got := p.bucket(liveName); got != m.bucket {
		p.Errorf("the bucket is %s, was %s", got, m.bucket)
	}
	if b, _ := suite.cloud.Bucket(m.bucket); b.Created != 1 {
		p.Errorf("the bucket was made %d times", b.Created)
	}
	if got := ready.String("status", "backup", "serverName"); got != m.serverName || got == "" {
		p.Errorf("the server name is %q, was %q", got, m.serverName)
	}
	live := p.get(p.cluster(liveName))
	if !reflect.DeepEqual(live["spec"], m.cluster["spec"]) {
		p.Errorf("the Cluster's spec has changed:\n%v\nwas\n%v", live["spec"], m.cluster["spec"])
	}
	if got, was := live.Int("metadata", "generation"), m.cluster.Int("metadata", "generation"); got != was {
		p.Errorf("the Cluster's generation is %d, was %d", got, was)
	}
}

// hostileClaims: what would harm a live database is refused, by the API server where a schema can tell and by the
// function where it cannot; the database and its management stay untouched.
func hostileClaims(p *play) {
	before := p.get(p.cluster(liveName))
	managed := p.managed(liveName)

	for _, c := range []struct {
		what string
		spec map[string]any
		want string
	}{
		{"a smaller volume", map[string]any{"size": "medium", "version": "16", "storageGB": 10}, "[ZDL-08]"},
		{"another major", map[string]any{"size": "medium", "version": "17", "storageGB": 20}, "[ZDL-08]"},
		{"a bootstrap for a live database", map[string]any{"size": "medium", "version": "16", "storageGB": 20, "bootstrap": map[string]any{"recovery": map[string]any{"source": "other-db"}}}, "[ZDL-08]"},
		{"one instance", map[string]any{"size": "medium", "version": "16", "storageGB": 20, "instances": 1}, "spec.instances"},
		{"a storage class of its own", map[string]any{"size": "medium", "version": "16", "storageGB": 20, "storageClass": "fast"}, "field not declared in schema"},
	} {
		if refusal := p.refused(p.claim(liveName, c.spec)); !strings.Contains(refusal, c.want) {
			p.Errorf("%s: the refusal does not say %q: %s", c.what, c.want, refusal)
		}
	}

	// Parameters are free text to a schema; the function knows them.
	hostile := p.live()
	hostile.Set(map[string]any{"fsync": "off", "synchronous_commit": "local"}, "spec", "parameters")
	p.commit(hostile)
	told := p.awaitCondition(hostile, "ContractSatisfied", "False", "fsync")
	if c := told.Condition("ContractSatisfied"); c.Reason != "Refused" || !strings.Contains(c.Message, "ZDL-09") || !strings.Contains(c.Message, "synchronous_commit") {
		p.Errorf("the refusal names not every violation: %+v", c)
	}
	p.untouched(before, managed)

	// What an edit of the platform's policy would do to what lives: new volumes without the second layer, WAL parted from
	// the base backups it belongs to.
	p.commit(p.live())
	p.awaitCondition(hostile, "ContractSatisfied", "True", "")
	for _, c := range []struct {
		says  string
		edits map[string]any
	}{
		{"standard", map[string]any{"storageClassName": "standard"}},
		{"s3://other-prod", map[string]any{"bucket.prefix": "other-prod"}},
		{"us-east-1", map[string]any{"bucket.region": "us-east-1"}},
		{"https://s3.elsewhere.example", map[string]any{"bucket.endpointURL": "https://s3.elsewhere.example"}},
		// In-tree, a database goes on in its own folder: no leave to go to another one.
		{"s3://by-the-way", map[string]any{"backup.method": "inTree", "bucket.prefix": "by-the-way"}},
	} {
		if err := suite.plane.Install(suite.ctx, p.world, func(composition kube.Object) {
			for _, step := range composition.Items("spec", "pipeline") {
				for at, value := range c.edits {
					step.Set(value, append([]string{"input"}, strings.Split(at, ".")...)...)
				}
			}
		}); err != nil {
			p.Fatal(err)
		}
		p.awaitCondition(hostile, "ContractSatisfied", "False", c.says)
		p.untouched(before, managed)
	}
	if err := suite.plane.Install(suite.ctx, p.world, nil); err != nil {
		p.Fatal(err)
	}
	p.awaitCondition(hostile, "Ready", "True", "")
	p.awaitCondition(hostile, "ContractSatisfied", "True", "")
}

// untouched asserts that the database and everything that manages it are as they were.
func (p *play) untouched(cluster kube.Object, managed []kube.Object) {
	p.Helper()
	time.Sleep(3 * time.Second)
	live := p.get(p.cluster(cluster.Name()))
	if live.UID() != cluster.UID() || live.Int("metadata", "generation") != cluster.Int("metadata", "generation") {
		p.Errorf("the Cluster was touched: generation %d, was %d", live.Int("metadata", "generation"), cluster.Int("metadata", "generation"))
	}
	for _, was := range managed {
		o, err := suite.plane.Admin.Get(suite.ctx, was.Ref())
		if err != nil || o.UID() != was.UID() || o.String("metadata", "deletionTimestamp") != "" {
			p.Errorf("%s does not stand as it did: %v", was.Ref(), err)
			continue
		}
		if o.Int("metadata", "generation") != was.Int("metadata", "generation") {
			p.Errorf("%s was changed", was.Ref())
		}
	}
}

// withoutDelete: the provider cannot delete a database even if somebody told it to, and all the above worked with that.
func withoutDelete(p *play) {
	provider, err := suite.plane.As(suite.ctx, "crossplane-system", "provider-kubernetes")
	if err != nil {
		p.Fatal(err)
	}
	for _, r := range p.targets(liveName) {
		if r.Kind == "Secret" || r.Kind == "PersistentVolumeClaim" {
			continue // Not the provider's to write.
		}
		if err := provider.Delete(suite.ctx, r); kube.Code(err) != 403 {
			p.Errorf("the provider may delete %s: %v", r, err)
		}
	}
	if got := p.get(p.cluster(liveName)).String("metadata", "deletionTimestamp"); got != "" {
		p.Error("the Cluster is being deleted since " + got)
	}
}
