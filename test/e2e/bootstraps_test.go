package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// The majors a database can run.
const firstMajor, lastMajor = 14, 18

// aBootstrap is one way a database can come by its first data.
type aBootstrap struct {
	name   string
	major  int
	source string
	// bootstrap and upgrade are the claim's.
	bootstrap, upgrade map[string]any
	// method is the key below the Cluster's spec.bootstrap; extra has to be somewhere in its spec.
	method, extra string
}

// bootstraps: every way a database can come by its first data, from a living source, for every major, is admitted by
// CloudNativePG and is what the source's major asks for.
func bootstraps(p *play) {
	source := func(major int) string { return fmt.Sprintf("source-%d", major) }
	var sources []kube.Object
	for major := firstMajor; major <= lastMajor; major++ {
		claim := p.claim(source(major), map[string]any{"version": strconv.Itoa(major)})
		suite.cloud.Heal(p.namespace, claim.Name())
		p.commit(claim)
		sources = append(sources, claim)
	}
	for _, claim := range sources {
		p.awaitCondition(claim, "Ready", "True", "")
	}

	var cases []aBootstrap
	for major := firstMajor; major <= lastMajor; major++ {
		from := source(major)
		recovery := func(more map[string]any) map[string]any {
			more["source"] = from
			return map[string]any{"recovery": more}
		}
		store := p.get(p.ref("barmancloud.cnpg.io/v1", "ObjectStore", from+"-archive"))
		moment := ""
		for server := range store.Map("status", "serverRecoveryWindow") {
			moment = store.String("status", "serverRecoveryWindow", server, "lastSuccessfulBackupTime")
		}
		cases = append(cases,
			aBootstrap{fmt.Sprintf("recovered-%d", major), major, from, recovery(map[string]any{}), nil, "recovery", from + "-pg" + strconv.Itoa(major)},
			aBootstrap{fmt.Sprintf("moment-%d", major), major, from, recovery(map[string]any{"targetTime": moment}), nil, "recovery", "targetTime"},
			aBootstrap{fmt.Sprintf("point-%d", major), major, from, recovery(map[string]any{"targetName": "before-release", "backupID": "20261120T000000"}), nil, "recovery", "before-release"},
			aBootstrap{fmt.Sprintf("imported-%d", major), major, from, map[string]any{"import": map[string]any{"source": from}}, nil, "initdb", "microservice"},
		)
		if major < lastMajor {
			cases = append(cases,
				aBootstrap{fmt.Sprintf("copied-%d", major), major + 1, from, recovery(map[string]any{}), nil, "initdb", "microservice"},
				aBootstrap{
					fmt.Sprintf("replicated-%d", major), lastMajor, from, recovery(map[string]any{}),
					map[string]any{"method": "logicalReplication"}, "initdb", "schemaOnly",
				},
			)
		}
	}
	claims := make([]kube.Object, len(cases))
	for i, c := range cases {
		claims[i] = p.bootstrapped(c)
		p.commit(claims[i])
	}
	for i, c := range cases {
		p.bootstrapAdmitted(c, claims[i])
	}
	p.Logf("%d bootstraps of majors %d to %d admitted", len(cases), firstMajor, lastMajor)

	p.bootstrapsRefused(source)
	p.bootstrapsDenied(p.get(p.cluster(fmt.Sprintf("recovered-%d", lastMajor))))
	for _, claim := range slices.Concat(claims, sources) {
		if err := suite.plane.Admin.Delete(suite.ctx, claim.Ref()); err != nil {
			p.Error(err)
		}
	}
	for _, claim := range slices.Concat(claims, sources) {
		p.remove(claim)
	}
}

func (p *play) bootstrapped(c aBootstrap) kube.Object {
	spec := map[string]any{"version": strconv.Itoa(c.major), "bootstrap": c.bootstrap}
	if c.upgrade != nil {
		spec["upgrade"] = c.upgrade
	}
	// What only a person can know, and confirms for this source.
	return p.claim(c.name, spec).Set(map[string]any{
		"database.bizmatters.io/writes-stopped": c.source, "database.bizmatters.io/replica-identities-checked": c.source,
	}, "metadata", "annotations")
}

// bootstrapAdmitted waits for the Cluster, which the webhooks have admitted then, and sends the whole set through
// admission once more, for the warnings.
func (p *play) bootstrapAdmitted(c aBootstrap, claim kube.Object) {
	p.Helper()
	var cluster kube.Object
	if err := suite.plane.Wait(suite.ctx, patience, "the Cluster of "+c.name, func() error {
		var err error
		if cluster, err = suite.plane.Admin.Get(suite.ctx, p.cluster(c.name)); err != nil {
			return fmt.Errorf("%w: %s", err, p.get(claim.Ref()).Conditions())
		}
		return nil
	}); err != nil {
		p.Errorf("%s: %v", c.name, err)
		return
	}
	if cluster.Map("spec", "bootstrap")[c.method] == nil || !strings.Contains(fmt.Sprint(cluster["spec"]), c.extra) {
		p.Errorf("%s: bootstrap %v, want %s with %s", c.name, cluster.At("spec", "bootstrap"), c.method, c.extra)
	}
	for _, o := range p.managed(c.name) {
		inner := o.Map("spec", "forProvider", "manifest")
		if inner == nil {
			continue
		}
		answer, err := suite.plane.Admin.DryApply(suite.ctx, inner, "provider-kubernetes/"+o.Name())
		if err != nil {
			p.Errorf("%s: %v", c.name, err)
		}
		for _, w := range answer.Warnings {
			if !expectedWarning(inner, w) {
				p.Errorf("%s: %s is admitted with a warning: %s", c.name, inner.Ref(), w)
			}
		}
	}
}

// bootstrapsRefused: what cannot work is refused before anything is made, by the schema where one can tell and by the
// function where it has to know the source; CloudNativePG would find out after the whole restore.
func (p *play) bootstrapsRefused(source func(major int) string) {
	p.Helper()
	old := source(firstMajor + 1)
	major := strconv.Itoa
	recovery := func(more map[string]any) map[string]any {
		more["source"] = old
		return map[string]any{"recovery": more}
	}
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	for name, c := range map[string]struct {
		spec map[string]any
		want string
	}{
		"moment-across":    {map[string]any{"version": major(lastMajor), "bootstrap": recovery(map[string]any{"targetTime": "2026-11-20T10:00:00Z"})}, "only that major replays it"},
		"downwards":        {map[string]any{"version": major(firstMajor), "bootstrap": recovery(map[string]any{})}, "a major never goes down"},
		"tomorrow":         {map[string]any{"version": major(firstMajor + 1), "bootstrap": recovery(map[string]any{"targetTime": tomorrow})}, "targetTime"},
		"too-early":        {map[string]any{"version": major(firstMajor + 1), "bootstrap": recovery(map[string]any{"targetTime": "2020-01-01T00:00:00Z"})}, "targetTime"},
		"too-small":        {map[string]any{"version": major(firstMajor + 1), "storageGB": 10, "bootstrap": recovery(map[string]any{})}, "spec.storageGB"},
		"other-names":      {map[string]any{"version": major(firstMajor + 1), "database": "else", "bootstrap": recovery(map[string]any{})}, "a restore brings it along"},
		"from-nobody":      {map[string]any{"version": major(firstMajor + 1), "bootstrap": map[string]any{"import": map[string]any{"source": "nobody"}}}, "only a live database can be copied"},
		"transaction-only": {map[string]any{"version": major(firstMajor + 1), "bootstrap": recovery(map[string]any{"targetXID": "4711"})}, "backupID"},
		"contradicted": {map[string]any{"version": major(firstMajor + 1), "bootstrap": recovery(map[string]any{
			"archive": map[string]any{"bucket": "elsewhere", "path": "there", "serverName": "other"},
		})}, "contradicts the living source"},
	} {
		claim := p.claim(name, c.spec)
		p.commit(claim)
		told := p.awaitCondition(claim, "ContractSatisfied", "False", c.want)
		if got := told.Condition("ContractSatisfied").Reason; got != "Refused" {
			p.Errorf("%s: reason %s, want Refused", name, got)
		}
		if p.exists(p.cluster(name)) {
			p.Errorf("%s: there is a Cluster", name)
		}
		p.remove(claim)
	}
	for name, c := range map[string]struct {
		bootstrap map[string]any
		want      string
	}{
		"two-targets": {recovery(map[string]any{"targetTime": "2026-11-20T10:00:00Z", "targetLSN": "0/3000000"}), "spec.bootstrap.recovery"},
		"no-zone":     {recovery(map[string]any{"targetTime": "2026-11-20 10:00:00"}), "targetTime"},
		"both":        {map[string]any{"recovery": map[string]any{"source": old}, "import": map[string]any{"source": old}}, "spec.bootstrap"},
	} {
		if refusal := p.refused(p.claim(name, map[string]any{"version": major(firstMajor + 1), "bootstrap": c.bootstrap})); !strings.Contains(refusal, c.want) {
			p.Errorf("%s: the API server's refusal does not say %q: %s", name, c.want, refusal)
		}
	}
}

// bootstrapsDenied: what we say about CloudNativePG's webhook is so: it denies these Clusters, and it admits those that
// can never work or silently lose data, which is why the product judges them itself.
func (p *play) bootstrapsDenied(recovered kube.Object) {
	p.Helper()
	raw := kube.Object{
		"apiVersion": recovered["apiVersion"], "kind": recovered["kind"],
		"metadata": map[string]any{"name": "by-hand", "namespace": p.namespace}, "spec": recovered["spec"],
	}
	plugin := raw.Items("spec", "plugins")[0]
	server := plugin.String("parameters", "serverName")
	set := func(value any, path ...string) func(kube.Object) {
		return func(o kube.Object) { o.Set(value, path...) }
	}
	for what, c := range map[string]struct {
		change func(kube.Object)
		// denied is a part of the webhook's refusal; where it is empty the webhook admits, and rule is what our own check
		// says then.
		denied, rule string
	}{
		"the Cluster as it is": {change: func(kube.Object) {}},
		"two archivers": {change: func(o kube.Object) {
			second := plugin.Copy().Set("other-archiver.example.org", "name")
			o.Set([]any{map[string]any(plugin), map[string]any(second)}, "spec", "plugins")
		}, denied: "Cannot enable more than one WAL archiver plugin"},
		"an in-tree archiver beside the plugin": {
			change: set(map[string]any{"destinationPath": "s3://there/", "s3Credentials": map[string]any{"inheritFromIAMRole": true}}, "spec", "backup", "barmanObjectStore"),
			denied: "Cannot enable a WAL archiver plugin when barmanObjectStore is configured",
		},
		"two methods":        {change: set(map[string]any{"database": "app", "owner": "app"}, "spec", "bootstrap", "initdb"), denied: "Only one bootstrap method"},
		"an unknown source":  {change: set("nobody", "spec", "bootstrap", "recovery", "source"), denied: "External cluster nobody not found"},
		"two targets":        {change: set(map[string]any{"targetTime": "2026-11-20T10:00:00Z", "targetLSN": "0/3000000"}, "spec", "bootstrap", "recovery", "recoveryTarget"), denied: "Recovery target"},
		"a transaction only": {change: set(map[string]any{"targetXID": "4711"}, "spec", "bootstrap", "recovery", "recoveryTarget"), denied: "BackupID"},
		"an import of two databases": {change: set(map[string]any{"initdb": map[string]any{
			"database": "app", "owner": "app", "import": map[string]any{"type": "microservice", "databases": []any{"one", "two"}, "source": map[string]any{"externalCluster": "nobody"}},
		}}, "spec", "bootstrap"), denied: "You need to specify a single database"},

		"no archiver at all": {change: set([]any{}, "spec", "plugins"), rule: "CNPG-2.1"},
		"the source's own folder": {change: func(o kube.Object) {
			for _, external := range o.Items("spec", "externalClusters") {
				external.Set(server, "plugin", "parameters", "serverName")
				external.Set(plugin.String("parameters", "barmanObjectName"), "plugin", "parameters", "barmanObjectName")
			}
		}, rule: "ZDL-05"},
		"replication that may be skipped": {change: set("preferred", "spec", "postgresql", "synchronous", "dataDurability"), rule: "CNPG-1.2"},
	} {
		o := raw.Copy()
		c.change(o)
		_, err := suite.plane.Admin.DryApply(suite.ctx, o, "somebody")
		switch {
		case c.denied == "" && err != nil:
			p.Errorf("%s: CloudNativePG denies what it is said to admit: %v", what, err)
		case c.denied != "" && (err == nil || !strings.Contains(err.Error(), "cnpg.io") || !strings.Contains(err.Error(), c.denied)):
			p.Errorf("%s: the webhook does not deny it with %q: %v", what, c.denied, err)
		}
		if c.rule != "" {
			if said := p.checked(o); !strings.Contains(said, "["+c.rule+"]") {
				p.Errorf("%s: our own check does not name %s: %s", what, c.rule, said)
			}
		}
	}
}

// checked is what the product's own command says about a manifest.
func (p *play) checked(o kube.Object) string {
	p.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		p.Fatal(err)
	}
	cmd := exec.CommandContext(suite.ctx, suite.plane.Binary(), "check", "--manifests", "-")
	cmd.Stdin = bytes.NewReader(raw)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err == nil || (errors.As(err, &exit) && exit.ExitCode() == 1) {
		return string(out)
	}
	p.Fatalf("check: %v: %s", err, out)
	return ""
}
