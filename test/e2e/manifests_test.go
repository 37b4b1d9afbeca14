package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// variant is one claim whose whole set has to be admitted.
type variant struct {
	name  string
	claim kube.Object
	// source is the claim it takes its data from, nil where there is none.
	source kube.Object
	// inTree backs up by CloudNativePG itself instead of the plugin.
	inTree bool
}

// manifestsAdmitted: everything the function can emit — the examples, every major, every bootstrap — goes through
// server-side apply and through CloudNativePG's admission without an unknown field and without a warning.
func manifestsAdmitted(p *play) {
	variants := p.examples()
	for major := firstMajor; major <= lastMajor; major++ {
		variants = append(variants, p.ofMajor(strconv.Itoa(major))...)
	}

	admitted := 0
	for _, v := range variants {
		if v.source != nil {
			continue // What becomes of it depends on the living source: see bootstraps.
		}
		admitted += p.admit(v)
	}
	p.Logf("%d manifests of %d claims admitted", admitted, len(variants))
}

// ofMajor is a database of a major, made empty and recovered to every kind of target, from a source and from an archive
// alone, with both methods of backup.
func (p *play) ofMajor(major string) []variant {
	p.Helper()
	var out []variant
	for _, inTree := range []bool{false, true} {
		method := map[bool]string{false: "plugin", true: "in-tree"}[inTree]
		out = append(out, variant{name: method + ", major " + major, claim: p.claim("major-"+major, map[string]any{"version": major}), inTree: inTree})
		for _, target := range []map[string]any{
			{},
			{"targetTime": "2026-11-20T10:00:00Z", "exclusive": true},
			{"targetLSN": "0/3000000"},
			{"targetXID": "4711", "backupID": "20261120T000000"},
			{"targetName": "before-release", "backupID": "20261120T000000"},
			{"targetImmediate": true, "backupID": "20261120T000000"},
		} {
			for _, from := range []map[string]any{
				{"source": "lost-db"},
				{"archive": map[string]any{
					"bucket": "acme-prod-archive", "path": "somewhere/lost-db", "serverName": "lost-db-pg" + major, "version": major,
				}},
			} {
				recovery := maps.Clone(target)
				maps.Copy(recovery, from)
				out = append(out, variant{
					name: fmt.Sprintf("%s, major %s, recovery %v", method, major, recovery),
					claim: p.claim("salvage-db", map[string]any{
						"version": major, "database": "lost", "owner": "lost", "bootstrap": map[string]any{"recovery": recovery},
					}),
					inTree: inTree,
				})
			}
		}
	}
	return out
}

// examples are the claims the repository shows.
func (p *play) examples() []variant {
	p.Helper()
	files, err := filepath.Glob(filepath.Join(suite.plane.Repository, "example", "*.yaml"))
	if err != nil {
		p.Fatal(err)
	}
	var out []variant
	byName := map[string]kube.Object{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			p.Fatal(err)
		}
		objects, err := kube.Parse(raw)
		if err != nil {
			p.Fatalf("%s: %v", file, err)
		}
		for _, o := range objects {
			if o.String("kind") == "PostgresInstance" {
				byName[o.String("metadata", "namespace")+"/"+o.Name()] = o
				out = append(out, variant{name: filepath.Base(file), claim: o})
			}
		}
	}
	for i, v := range out {
		for _, path := range [][]string{{"spec", "bootstrap", "recovery", "source"}, {"spec", "bootstrap", "import", "source"}} {
			if source := v.claim.String(path...); source != "" {
				out[i].source = byName[v.claim.String("metadata", "namespace")+"/"+source]
			}
		}
	}
	if len(out) == 0 {
		p.Fatal("there are no examples")
	}
	return out
}

// admit sends one claim and all that is rendered from it through admission, and counts.
func (p *play) admit(v variant) int {
	p.Helper()
	for _, o := range []kube.Object{{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": v.claim.String("metadata", "namespace")}}} {
		if _, err := suite.plane.Admin.Apply(suite.ctx, o, "gitops"); err != nil {
			p.Fatal(err)
		}
	}
	claim := v.claim.Copy()
	delete(claim.Map("spec"), "crossplane") // Only one world knows it; the installed one is chosen below.
	if _, err := suite.plane.Admin.DryApply(suite.ctx, claim, "gitops"); err != nil {
		p.Errorf("%s: the claim itself: %v", v.name, err)
		return 0
	}
	set, err := p.render(claim, v.inTree)
	if err != nil {
		p.Errorf("%s: %v", v.name, err)
		return 0
	}
	count := 0
	check := func(o kube.Object, manager string) {
		answer, err := suite.plane.Admin.DryApply(suite.ctx, o, manager)
		if err != nil {
			p.Errorf("%s: %v", v.name, err)
			return
		}
		for _, w := range answer.Warnings {
			if !expectedWarning(o, w) {
				p.Errorf("%s: %s is admitted with a warning: %s", v.name, o.Ref(), w)
			}
		}
		count++
	}
	for _, o := range set {
		check(o, "crossplane")
		if inner := o.Map("spec", "forProvider", "manifest"); inner != nil {
			check(inner, "provider-kubernetes/"+o.Name())
		}
	}
	return count
}

// expectedWarning are the warnings that are known and documented (docs/compatibility.md).
func expectedWarning(o kube.Object, warning string) bool {
	return o.String("kind") == "Cluster" && o.Map("spec", "backup", "barmanObjectStore") != nil &&
		strings.HasPrefix(warning, "Native support for Barman Cloud backups and recovery is deprecated")
}

// render has the product's own command print the complete set of a claim.
func (p *play) render(claim kube.Object, inTree bool) ([]kube.Object, error) {
	scope := "claim"
	if p.world.Namespaced {
		scope = "namespaced"
	}
	composition, err := os.ReadFile(filepath.Join(suite.plane.Repository, "apis", "composition-"+p.world.Suffix+".yaml"))
	if err != nil {
		return nil, err
	}
	if inTree {
		const bucket = "        bucket:\n"
		if !bytes.Contains(composition, []byte(bucket)) {
			return nil, errors.New("the Composition has no bucket in its input, before which the method would stand")
		}
		composition = bytes.Replace(composition, []byte(bucket), []byte("        backup: {method: inTree}\n"+bucket), 1)
	}
	policy := filepath.Join(p.TempDir(), "composition.yaml")
	if err := os.WriteFile(policy, composition, 0o600); err != nil {
		return nil, err
	}
	args := []string{"render", "--scope", scope, "--composition", policy}
	raw, err := json.Marshal(claim)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(suite.ctx, suite.plane.Binary(), append(args, "-")...)
	cmd.Stdin = bytes.NewReader(raw)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("render: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	objects, err := kube.Parse(out.Bytes())
	if err != nil {
		return nil, err
	}
	sort.SliceStable(objects, func(i, j int) bool { return objects[i].Ref().String() < objects[j].Ref().String() })
	var set []kube.Object
	for _, o := range objects {
		if o.String("kind") != p.world.Composite && o.String("kind") != "PostgresInstance" {
			delete(o.Map("metadata"), "ownerReferences") // The printed owner does not exist here.
			set = append(set, o)
		}
	}
	return set, nil
}
