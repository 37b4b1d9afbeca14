package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/cloud"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/plane"
	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// documented is the claim the pages on deleting and recovering are about, which lies in example. Its database and the
// owner are called like it.
const documented = "agent-db-v15"

const elsewhere = "it speaks to the bucket: test/store runs it"

// documentedCommands types what docs/delete-for-good.md tells people to type, in its order, against a database of that
// name and under the admission policies, and what the runbooks look at while it lives.
func documentedCommands(p *play) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		p.Skip("no kubectl on this machine")
	}
	if _, err := exec.LookPath("jq"); err != nil {
		p.Skip("no jq on this machine")
	}
	p.plugin()
	_, lift := p.guard()
	defer lift()
	inner := *p
	p = &inner
	p.namespace = "agents"
	p.commit(kube.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": p.namespace}})
	node, noServers := p.servers()
	claim := p.example("agent-db-v15.yaml")
	// The operator makes a volume claim only where nobody says that the instances run already.
	suite.cloud.Abandon(p.namespace, documented)
	p.commit(claim)
	p.await(patience, "the first volume claim", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.ref("v1", "PersistentVolumeClaim", documented+"-1"))
		return err
	})
	p.healthy(claim)
	if status := p.get(claim.Ref()).Map("status"); status.String("database") != documented || status.String("owner") != documented {
		p.Errorf("the pages speak of database and owner %s, the claim makes %s and %s", documented, status.String("database"), status.String("owner"))
	}
	p.runbooks(noServers == "")

	if noServers == "" {
		p.handedToPsql(node)
	}

	page := sections(p, "delete-for-good.md")
	p.follow(page["What is left, and when it may go"], []step{
		{command: "kubectl -n agents get postgresinstance agent-db-v15", says: `"serverName":"agent-db-v15-pg15"`},
	})
	p.follow(page["1. Nobody uses it"], []step{
		{command: "kubectl cnpg psql", says: "client_addr", notHere: noServers},
		{command: "kubectl -n agents get postgresinstances", says: `agent-db-v15 {"held":true,"name":"agent-db"`},
		{command: "kubectl -n agents get service agent-db", says: `"cnpg.io/cluster":"agent-db-v15"`},
	})

	before := p.get(p.cluster(documented)).UID()
	removal := []step{
		{command: "kubectl get objects.kubernetes.crossplane.io", says: "No resources found"},
		{command: "kubectl -n agents get clusters.postgresql.cnpg.io agent-db-v15", says: "agent-db-v15"},
		{command: "kubectl cnpg backup", says: "backup/agent-db-v15-"},
		{command: "kubectl -n agents get backups.postgresql.cnpg.io", says: "agent-db-v15-"},
	}
	p.drop(claim)
	p.follow(page["2. Remove the claim from Git"], removal)

	p.follow(page["Bring an orphan back"][:1], []step{{command: "git revert", notHere: "the test commits"}})
	p.commit(claim)
	p.follow(page["Bring an orphan back"][1:], []step{
		{command: "kubectl -n agents wait postgresinstance/agent-db-v15", says: "condition met"},
		{command: "kubectl get clusters.postgresql.cnpg.io -A", says: "agent-db-v15"},
		{command: "kubectl get postgresinstances -A", says: "agent-db-v15"},
	})
	if after := p.get(p.cluster(documented)).UID(); after != before {
		p.Errorf("the Cluster that was brought back is another one: %s, was %s", after, before)
	}

	p.drop(claim)
	p.follow(page["2. Remove the claim from Git"], removal)
	p.fromElsewhere()
	p.await(patience, "the admission policies to be in force", func() error {
		if err := suite.plane.Admin.DryDelete(suite.ctx, p.cluster(documented)); err == nil {
			return errors.New("the Cluster can be deleted without a reason")
		}
		return nil
	})
	p.replicationEnds()
	p.follow(page["3. Delete the Cluster"], []step{
		{command: "WHY="},
		{command: "kubectl -n agents annotate clusters.postgresql.cnpg.io agent-db-v15", says: "annotated"},
		{command: "kubectl -n agents annotate persistentvolumeclaims", says: "annotated"},
		{command: "kubectl -n agents delete clusters.postgresql.cnpg.io agent-db-v15", says: "deleted"},
		{command: "kubectl -n agents get persistentvolumeclaims", says: "No resources found"},
		{command: "L="},
		{command: "K="}, {command: "K="}, {command: "K="},
		{command: "kubectl -n agents annotate $K", says: "annotated"},
		{command: "kubectl -n agents delete $K", says: "deleted"},
		{command: "kubectl -n agents delete backups", says: "deleted"},
		{command: "kubectl -n agents annotate secrets", says: "annotated"},
		{command: "kubectl -n agents delete secrets", says: "deleted"},
	})
	volume := p.releasedVolume()
	commands := page["4. The volumes"]
	for i, command := range commands {
		commands[i] = strings.ReplaceAll(command, " NAME ", " "+volume.Name+" ")
	}
	p.follow(commands, []step{
		{command: "kubectl get pv", says: volume.Name},
		{command: "kubectl annotate persistentvolumes", says: "annotated"},
		{command: "kubectl patch persistentvolumes", says: "patched"},
	})
	if got := p.get(volume).String("spec", "persistentVolumeReclaimPolicy"); got != "Delete" {
		p.Errorf("the reclaim policy of the volume is %s", got)
	}
	if err := suite.plane.Admin.Delete(suite.ctx, volume); err != nil { // As the driver would.
		p.Error(err)
	}
	p.follow(page["5. The bucket"], []step{
		{command: "aws s3api list-object-versions", notHere: elsewhere},
		{command: "aws s3 rb", notHere: elsewhere},
	})
	p.nothingLeft()
}

// plugin puts CloudNativePG's plugin where kubectl finds it.
func (p *play) plugin() {
	p.Helper()
	path, err := recipe.Make(suite.ctx, "kubectl-cnpg", os.Stderr)
	if err != nil {
		p.Fatal(err)
	}
	p.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
}

// documentedServers are the databases the pages speak to by psql.
var documentedServers = []string{documented, "agent-db-v16", "agent-db-v15-pitr"}

// servers starts a PostgreSQL server for each of them and gives them Pods, in which kubectl can execute programs. Where
// this machine has no PostgreSQL it says so.
func (p *play) servers() (node *cloud.Node, missing string) {
	p.Helper()
	if _, err := postgres.Binaries(); err != nil {
		return nil, err.Error()
	}
	node, err := cloud.NewNode(suite.ctx, documentedServers...)
	if err != nil {
		p.Fatal(err)
	}
	listener, err := suite.plane.KubeletListener(suite.ctx)
	if err != nil {
		p.Fatal(errors.Join(err, node.Close()))
	}
	kubelet := node.Serve(listener)
	p.Cleanup(func() {
		if err := errors.Join(kubelet.Close(), node.Close()); err != nil {
			p.Error(err)
		}
	})
	for _, database := range documentedServers {
		// What the pages take for granted: the claim's database, which a copy has under the same name, and what the
		// application and a replication made in it.
		for _, sql := range []struct{ in, statements string }{
			{"postgres", `CREATE ROLE "agent-db-v15"`}, {"postgres", "CREATE ROLE cnpg_metrics_exporter"},
			{"postgres", `CREATE DATABASE "agent-db-v15" OWNER "agent-db-v15"`},
			{documented, "CREATE TABLE orders (created_at timestamptz)"},
			{documented, "CREATE ROLE agent_db_v16_publisher"},
			{documented, "CREATE PUBLICATION agent_db_v16 FOR ALL TABLES"},
			{documented, "CREATE SUBSCRIPTION agent_db_v16 CONNECTION 'dbname=agent-db-v15' PUBLICATION agent_db_v16 WITH (connect = false, slot_name = NONE)"},
		} {
			if err := node.SQL(suite.ctx, database, sql.in, sql.statements); err != nil {
				p.Fatal(err)
			}
		}
		pod := cloud.Primary(p.namespace, database, plane.NodeName)
		p.commit(pod)
		p.Cleanup(func() {
			if err := suite.plane.Admin.Delete(suite.ctx, pod.Ref()); err != nil {
				p.Error(err)
			}
		})
	}
	return node, ""
}

// handedToPsql types what the other pages tell people to ask a database. Each has to speak of something that is there: a
// question about a database of another name is answered too, with nothing.
func (p *play) handedToPsql(node *cloud.Node) {
	p.Helper()
	application := make(chan error, 1)
	go func() { application <- node.SQL(suite.ctx, documented, documented, "SELECT pg_sleep(600)") }()
	p.await(patience, "the application to be connected", func() error {
		return node.SQL(suite.ctx, documented, documented, "SELECT 1 / count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()")
	})
	typed := 0
	for _, page := range []string{"upgrade.md", "recover.md"} {
		commands := sections(p, page)
		for _, heading := range slices.Sorted(maps.Keys(commands)) {
			for _, command := range commands[heading] {
				if !strings.HasPrefix(command, "kubectl cnpg psql") {
					continue
				}
				typed++
				out, err := p.try(command)
				if err != nil || strings.Contains(out, "ERROR") || strings.Contains(out, "(0 rows)") || strings.TrimSpace(out) == "" {
					p.Errorf("%s: %s\nsays %q: %v", page, command, out, err)
				}
			}
		}
	}
	if typed < 10 { //nolint:mnd // As many as there were when this was written.
		p.Errorf("only %d commands for psql were found", typed)
	}
	select {
	case err := <-application:
		if err == nil || !strings.Contains(err.Error(), "terminating connection") {
			p.Errorf("the application's session ended by itself: %v", err)
		}
	case <-time.After(10 * time.Second):
		p.Error("the application is still connected: what stops the writes has not ended its session")
	}
	p.oneTableBack(node)
}

// oneTableBack copies a table from a recovered database into the one somebody dropped it in.
func (p *play) oneTableBack(node *cloud.Node) {
	p.Helper()
	if err := node.SQL(suite.ctx, documented, documented, "DROP TABLE orders"); err != nil {
		p.Fatal(err)
	}
	script := strings.Join(sections(p, "recover.md")["One table back"], "\n")
	if out, err := p.try("set -e; cd " + p.TempDir() + "\n" + script); err != nil {
		p.Errorf("recover.md: %s\nsays %s: %v", script, out, err)
	}
	if err := node.SQL(suite.ctx, documented, documented, "SELECT FROM orders"); err != nil {
		p.Errorf("the table is not back: %v", err)
	}
}

// example reads a claim of the directory example.
func (p *play) example(file string) kube.Object {
	p.Helper()
	raw, err := os.ReadFile(filepath.Join(suite.plane.Repository, "example", file))
	if err != nil {
		p.Fatal(err)
	}
	documents, err := kube.Parse(raw)
	if err != nil || len(documents) != 1 {
		p.Fatalf("%s is not one claim: %v", file, err)
	}
	return documents[0]
}

// fromElsewhere gives the database what one has besides that was recovered from another one's archive or copied by
// logical replication: the page is for those, too.
func (p *play) fromElsewhere() {
	p.Helper()
	keys := p.get(p.ref("external-secrets.io/v1", "ExternalSecret", documented+"-archive-keys")).Copy().Set(documented+"-source-keys", "spec", "target", "name")
	archive := p.get(p.ref("barmancloud.cnpg.io/v1", "ObjectStore", documented+"-archive"))
	for _, o := range append(p.publisher(documented),
		kube.Object{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": p.owned(documented, "-source-keys"), "spec": keys.At("spec")},
		kube.Object{"apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore", "metadata": p.owned(documented, "-source"), "spec": archive.At("spec")},
	) {
		p.commit(o)
	}
	p.await(patience, "the keys to the source's archive", func() error {
		_, err := suite.plane.Admin.Get(suite.ctx, p.ref("v1", "Secret", documented+"-source-keys"))
		return err
	})
}

// replicationEnds types what removes the password of a logical replication.
func (p *play) replicationEnds() {
	p.Helper()
	const typed, nothing = "asked before", "nothing is replicated"
	objects := p.publisher("agent-db-v16")
	for _, o := range objects {
		p.commit(o)
	}
	p.follow(sections(p, "upgrade.md")["With logical replication"], []step{
		{command: "kubectl cnpg psql -n agents agent-db-v16", notHere: typed},
		{command: "kubectl -n agents delete subscriptions", notHere: nothing},
		{command: "kubectl cnpg psql -n agents agent-db-v15", notHere: typed},
		{command: "kubectl -n agents delete publications", notHere: nothing},
		{command: "kubectl -n agents delete databaseroles", notHere: nothing},
		{command: "kubectl cnpg psql -n agents agent-db-v15", notHere: typed},
		{command: "kubectl -n agents annotate externalsecrets", says: "annotated"},
		{command: "kubectl -n agents delete externalsecrets", says: "deleted"},
	})
	for _, o := range objects {
		if p.exists(o.Ref()) {
			p.Errorf("%s outlives the replication", o.Ref())
		}
	}
}

// publisher are the objects that hold the password of a claim's logical replication.
func (p *play) publisher(claim string) []kube.Object {
	const suffix = "-publisher"
	name := claim + suffix
	return []kube.Object{
		{
			"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "metadata": p.owned(claim, suffix),
			"spec": map[string]any{"length": 32, "digits": 8, "symbols": 0, "noUpper": false, "allowRepeat": true},
		},
		{
			"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": p.owned(claim, suffix),
			"spec": map[string]any{
				"refreshPolicy": "CreatedOnce",
				"target": map[string]any{
					"name": name, "creationPolicy": "Orphan", "deletionPolicy": "Retain",
					"template": map[string]any{"engineVersion": "v2", "data": map[string]any{"password": "{{ .password }}"}},
				},
				"dataFrom": []any{map[string]any{"sourceRef": map[string]any{"generatorRef": map[string]any{
					"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": name,
				}}}},
			},
		},
		// Its template gives it no labels.
		{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": p.namespace}},
	}
}

// owned is the metadata of one of a claim's objects.
func (p *play) owned(claim, suffix string) map[string]any {
	return map[string]any{"name": claim + suffix, "namespace": p.namespace, "labels": map[string]any{
		"database.bizmatters.io/claim": claim, "database.bizmatters.io/claim-namespace": p.namespace, "database.bizmatters.io/protected": "true",
	}}
}

// drop removes the claim's file from Git.
func (p *play) drop(claim kube.Object) {
	p.Helper()
	if err := suite.plane.Admin.Delete(suite.ctx, claim.Ref()); err != nil {
		p.Fatal(err)
	}
}

// releasedVolume stands for the disk of the first instance: no provisioner runs that would have made it.
func (p *play) releasedVolume() kube.Ref {
	p.Helper()
	volume := kube.MustParse(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-of-agent-db-v15-1}
spec:
  capacity: {storage: 20Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: postgres-retain
  csi: {driver: ebs.csi.aws.com, volumeHandle: vol-0a1b2c3d4e5f}
  claimRef: {namespace: agents, name: agent-db-v15-1, uid: 00000000-0000-0000-0000-000000000000}
`)
	p.commit(volume)
	if _, err := suite.plane.Admin.Patch(suite.ctx, volume.Ref(), "status", kube.Object{"status": map[string]any{"phase": "Released"}}); err != nil {
		p.Fatal(err)
	}
	return volume.Ref()
}

// nothingLeft asserts that the page forgets nothing: of the database only the stable name is left, which others may use.
func (p *play) nothingLeft() {
	p.Helper()
	p.await(patience, "everything of "+documented+" to go", func() error {
		for _, r := range p.targets(documented) {
			if p.exists(r) {
				return fmt.Errorf("%s is left", r)
			}
		}
		return nil
	})
	// The garbage collector may still be at work; what the page forgets stays.
	p.await(patience, "nothing to be left that bears the name", func() error {
		var left []string
		for line := range strings.Lines(p.shell("kubectl -n agents get " + kindsOfADatabase + " -o name")) {
			if strings.Contains(line, documented) || strings.Contains(line, "error") {
				left = append(left, strings.TrimSpace(line))
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("the page forgets %s", strings.Join(left, ", "))
		}
		return nil
	})
}

// kindsOfADatabase is whatever a database consists of, whoever made it.
const kindsOfADatabase = "secrets,configmaps,serviceaccounts,services,persistentvolumeclaims,poddisruptionbudgets.policy," +
	"roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,externalsecrets.external-secrets.io,secretstores.external-secrets.io," +
	"passwords.generators.external-secrets.io,objectstores.barmancloud.cnpg.io,clusters.postgresql.cnpg.io,scheduledbackups.postgresql.cnpg.io," +
	"backups.postgresql.cnpg.io,podmonitors.monitoring.coreos.com,prometheusrules.monitoring.coreos.com"

// needsNodes are the parts of commands that need what does not run here. What is executed in a Pod is, where it is psql.
var needsNodes = regexp.MustCompile(` exec .* (sh -c|df) | logs | top | --raw | pods? |deploy|-n cnpg-system|-n external-secrets| node|prometheuses|describe backup|lease|failoverquorum`)

// runbooks runs what the runbooks look at: everything that reads must find what it names, as far as it runs here.
func (p *play) runbooks(servers bool) {
	p.Helper()
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "runbooks", "Postgres*.md"))
	if err != nil || len(pages) == 0 {
		p.Fatalf("no runbooks: %v", err)
	}
	var ran, left []string
	for _, page := range pages {
		for _, command := range blocks(p, page, "sh", "kubectl -n $NS get ", "kubectl -n $NS describe ", "kubectl -n $NS exec ", "kubectl get ") {
			if needsNodes.MatchString(command) || !servers && strings.Contains(command, " exec ") || slices.Contains(ran, command) {
				left = append(left, command)
				continue
			}
			ran = append(ran, command)
			// Of a pipeline the first part counts: grep ends with 1 where there is nothing to find, as there should be.
			got := p.shell("set -e; NS=agents DB=agent-db-v15 PRIMARY=agent-db-v15-1 POD=agent-db-v15-1 DATABASE=agent-db-v15 db=agent-db-v15; kubectl() { command kubectl \"$@\" || echo FAILED; }; " + command)
			if strings.Contains(got, "FAILED") || strings.Contains(got, "error:") || strings.Contains(got, "ERROR:") {
				p.Errorf("%s: %s\nsays %s", filepath.Base(page), command, got)
			}
		}
	}
	p.Logf("%d commands of the runbooks run; %d need more than runs here, or came before", len(ran), len(left))
	if len(ran) < 20 { //nolint:mnd // As many as there were when this was written.
		p.Errorf("only %d commands of the runbooks were run: %q", len(ran), ran)
	}
}
