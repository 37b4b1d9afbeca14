package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// breakGlass is the annotation that opens the policies.
const breakGlass = "database.bizmatters.io/break-glass"

// guard puts the policies `explain -o vap` prints in force, until lift.
func (p *play) guard() (policies []kube.Object, lift func()) {
	p.Helper()
	out, err := exec.CommandContext(suite.ctx, suite.plane.Binary(), "explain", "-o", "vap",
		"--composition", filepath.Join(suite.plane.Repository, "apis", "composition-"+p.world.Suffix+".yaml")).Output()
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			p.Fatalf("explain -o vap: %v: %s", err, failed.Stderr)
		}
		p.Fatal(err)
	}
	if policies, err = kube.Parse(out); err != nil {
		p.Fatal(err)
	}
	for _, o := range policies {
		p.commit(o)
	}
	return policies, func() {
		for _, o := range policies {
			if err := suite.plane.Admin.Delete(suite.ctx, o.Ref()); err != nil {
				p.Error(err)
			}
		}
		// The API server goes on enforcing what it has compiled for a moment.
		p.await(patience, "the policies to end", func() error {
			return suite.plane.Admin.DryDelete(suite.ctx, p.cluster(liveName))
		})
	}
}

// admissionPolicies: the policies refuse a cluster administrator what would break the contract by hand, and nobody what
// has to go on.
func admissionPolicies(p *play) {
	policies, lift := p.guard()
	defer lift()
	for _, o := range policies {
		for _, w := range p.get(o.Ref()).Items("status", "typeChecking", "expressionWarnings") {
			p.Errorf("%s: the API server warns about its expression: %v", o.Ref(), w)
		}
	}

	person, err := suite.plane.Person("dba", "system:masters")
	if err != nil {
		p.Fatal(err)
	}
	spec := func(name string, value any) kube.Object { return kube.Object{"spec": map[string]any{name: value}} }
	for what, try := range map[string]func() error{
		"editing away synchronous replication": p.editing(person, p.cluster(liveName), spec("postgresql", map[string]any{"synchronous": map[string]any{"dataDurability": "preferred"}})),
		"scaling down":                         p.editing(person, p.cluster(liveName), spec("instances", 1)),
		"switching off fsync":                  p.editing(person, p.cluster(liveName), spec("postgresql", map[string]any{"parameters": map[string]any{"full_page_writes": "off"}})),
		"removing the archiver":                p.editing(person, p.cluster(liveName), spec("plugins", []any{})),
		"removing the label":                   p.editing(person, p.cluster(liveName), kube.Object{"metadata": map[string]any{"labels": map[string]any{"database.bizmatters.io/protected": nil}}}),
		"shortening the retention":             p.editing(person, p.ref("barmancloud.cnpg.io/v1", "ObjectStore", liveName+"-archive"), spec("retentionPolicy", "7d")),
		"suspending the backups":               p.editing(person, p.ref("postgresql.cnpg.io/v1", "ScheduledBackup", liveName), spec("suspend", true)),
		"deleting the Cluster":                 func() error { return person.DryDelete(suite.ctx, p.cluster(liveName)) },
		"deleting the ObjectStore": func() error {
			return person.DryDelete(suite.ctx, p.ref("barmancloud.cnpg.io/v1", "ObjectStore", liveName+"-archive"))
		},
		"deleting the volume claim": func() error { return person.DryDelete(suite.ctx, p.ref("v1", "PersistentVolumeClaim", liveName+"-1")) },
		"deleting the class": func() error {
			return person.DryDelete(suite.ctx, kube.Ref{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass", Name: "postgres-retain"})
		},
	} {
		var err error
		p.await(patience, what+" to be refused", func() error { // The policies come into force one after the other.
			if err = try(); err == nil {
				return errors.New("it is allowed")
			}
			return nil
		})
		if !strings.Contains(err.Error(), "ValidatingAdmissionPolicy") || !strings.Contains(err.Error(), "[") {
			p.Errorf("%s is refused, but not by a rule that teaches: %v", what, err)
		}
	}

	// What has to go on goes on: CloudNativePG replaces instances, Crossplane updates and lets go, and whoever breaks the
	// glass says why.
	operator, err := suite.plane.Operator(suite.ctx)
	if err != nil {
		p.Fatal(err)
	}
	if err := operator.DryDelete(suite.ctx, p.ref("v1", "PersistentVolumeClaim", liveName+"-1")); err != nil {
		p.Errorf("the operator cannot replace an instance: %v", err)
	}
	claim := p.live()
	claim.Set("large", "spec", "size")
	p.commit(claim)
	p.await(patience, "Crossplane to change the Cluster under the policies", func() error {
		if got := p.get(p.cluster(liveName)).String("spec", "resources", "requests", "memory"); got != "16Gi" {
			return fmt.Errorf("memory is %s", got)
		}
		return nil
	})
	p.commit(p.live())
	p.await(patience, "Crossplane to change it back", func() error {
		if got := p.get(p.cluster(liveName)).String("spec", "resources", "requests", "memory"); got != "4Gi" {
			return fmt.Errorf("memory is %s", got)
		}
		return nil
	})
	schedule := p.ref("postgresql.cnpg.io/v1", "ScheduledBackup", liveName)
	open := func(reason any) kube.Object {
		return kube.Object{"metadata": map[string]any{"annotations": map[string]any{breakGlass: reason}}}
	}
	if _, err := person.Patch(suite.ctx, schedule, "", open("moving the schedule, change 4711")); err != nil {
		p.Errorf("the glass does not break: %v", err)
	}
	if err := person.DryDelete(suite.ctx, schedule); err != nil {
		p.Errorf("behind the broken glass: %v", err)
	}
	if _, err := person.Patch(suite.ctx, schedule, "", open(nil)); err != nil {
		p.Errorf("the glass cannot be put back: %v", err)
	}
	p.awaitCondition(claim, "Ready", "True", "")
}

// editing is a merge patch as kubectl patch sends it, without its effect.
func (p *play) editing(who *kube.Client, r kube.Ref, patch kube.Object) func() error {
	return func() error {
		_, err := who.DryPatch(suite.ctx, r, patch)
		return err
	}
}
