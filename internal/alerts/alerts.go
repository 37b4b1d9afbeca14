// Package alerts is the one table of what can silently go wrong with a
// hardened database and how it is noticed (CNPG-5.2).
//
// It knows PromQL and SQL, and nothing of Kubernetes: callers wrap what it
// returns into a PrometheusRule, a ConfigMap for CNPG's custom queries and a
// ConfigMap for Grafana's sidecar. Everything here is pure: the same target
// gives the same bytes.
package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Backup methods; each has its own metric family.
const (
	MethodPlugin = "plugin" // the barman-cloud plugin's metrics
	MethodInTree = "inTree" // CNPG's own, deprecated with the method
)

// Target is one database to watch. Names are expected to be validated: they
// are quoted here, so that a bad one breaks a rule and not its neighbours.
type Target struct {
	Namespace, Cluster        string // of the CNPG Cluster
	ClaimNamespace, ClaimName string

	Instances    int
	Method       string        // MethodPlugin (default) or MethodInTree
	ServerName   string        // folder of this incarnation in the object store
	Tablespaces  []string      // names as in spec.tablespaces
	MaxBackupGap time.Duration // largest gap of the actual schedule; 0 means the specification's 6 h

	RetentionDays, LockDays int
	HasWALVolume            bool

	// CredentialsExternalSecret names the ExternalSecret whose sync is watched;
	// empty when credentials do not come through External Secrets.
	CredentialsExternalSecret string

	// AllowRemoteWrite tells that policy accepts synchronous_commit =
	// remote_write (CNPG-1.2), so that a role that sets it raises no alert.
	AllowRemoteWrite bool

	// Exact names of the Deployments; empty means those of the upstream
	// release manifests and Helm charts.
	OperatorDeployment, PluginDeployment string

	RunbookBase         string            // a link is RunbookBase + "/" + alert name + ".md"
	Severities          map[string]string // policy: alert name to severity
	Labels, Annotations map[string]string // policy: added to every alert, never replacing what the table sets
}

// Alert is one row of the table.
type Alert struct {
	Name     string
	Group    string // see groupOrder
	Rule     string // the contract's rule that is at stake
	Severity string // critical: data is at risk or writes are blocked now; warning: one more failure and it is
	For      string // how long Expr has to hold
	Expr     string // PromQL with the placeholders of Target.placeholders

	Summary, Description string // may use {claim}, {cluster} and Prometheus' own templates

	// Only tells whether the target can raise this alert; nil means always.
	Only func(Target) bool
}

// record is a recording rule: a number that alerts, dashboards and people share.
type record struct {
	Name, Group, Expr string
	Labels            map[string]string
}

// groupOrder is the order of rule groups. Rules within a group are evaluated
// one after the other, so records come first in theirs.
var groupOrder = []string{"recovery", "availability", "inside", "platform"}

// Names returns the name of every alert, in the order of the table.
func Names() []string {
	names := make([]string, 0, len(table))
	for _, a := range table {
		names = append(names, a.Name)
	}
	return names
}

// OwnLabels returns the labels every alert has of its own.
func OwnLabels() []string {
	return append([]string{"alertname"}, fields("labels")...)
}

// OwnAnnotations returns the annotations every alert has of its own.
func OwnAnnotations() []string { return fields("annotations") }

// fields are the sorted names of what the first row of the table is emitted
// with: every other one has the same.
func fields(of string) []string {
	named, _ := table[0].rule(Target{}, nil)[of].(map[string]any)
	return slices.Sorted(maps.Keys(named))
}

// Groups returns spec.groups of the target's PrometheusRule, which has to
// outlive the claim like the database it watches (CNPG-4.1).
//
// PostgresOrphaned in it is true when the series of Presence are gone, so
// callers emit both or the alert fires for a database that has a claim.
func Groups(t Target) []any {
	r := t.placeholders()
	groups := make([]any, 0, len(groupOrder))
	for _, name := range groupOrder {
		rules := make([]any, 0, len(table))
		for _, rec := range records {
			if rec.Group == name {
				rules = append(rules, rec.rule(t, r))
			}
		}
		for _, a := range table {
			if a.Group == name && (a.Only == nil || a.Only(t)) {
				rules = append(rules, a.rule(t, r))
			}
		}
		groups = append(groups, group(t, name, rules))
	}
	return groups
}

// Presence returns spec.groups of a second PrometheusRule that says "this
// database has a claim". It must be deleted together with the claim, the only
// emitted object of which that is true: its disappearance is what
// PostgresOrphaned notices. It needs no exporter, only Prometheus itself.
func Presence(t Target) []any {
	rec := record{Name: "hardened_postgres_claim_info", Expr: "vector(1)", Labels: map[string]string{
		"claim_namespace": t.ClaimNamespace,
		"claim_name":      t.ClaimName,
	}}
	return []any{group(t, "claim", []any{rec.rule(t, t.placeholders())})}
}

func group(t Target, name string, rules []any) map[string]any {
	return map[string]any{"name": t.Namespace + "/" + t.Cluster + "." + name, "rules": rules}
}

func (rec record) rule(t Target, r placeholders) map[string]any {
	labels := map[string]any{"namespace": t.Namespace, "cnpg_cluster": t.Cluster}
	for k, v := range rec.Labels {
		labels[k] = v
	}
	return map[string]any{"record": rec.Name, "expr": r.expand(rec.Expr), "labels": labels}
}

func (a Alert) rule(t Target, r placeholders) map[string]any {
	// Policy first: what the table says about an alert is not negotiable but
	// for the severity.
	labels, annotations := stringsOf(t.Labels), stringsOf(t.Annotations)

	labels["severity"] = a.Severity
	if s := t.Severities[a.Name]; s != "" {
		labels["severity"] = s
	}
	// absent() and vector(0) carry no labels, and Robusta and Alertmanager
	// route by namespace: it is set on every alert. "cluster" is left to
	// Prometheus' external label for the Kubernetes cluster.
	labels["namespace"] = t.Namespace
	labels["cnpg_cluster"] = t.Cluster

	annotations["summary"] = r.expand(a.Summary)
	annotations["description"] = r.expand(a.Description)
	annotations["runbook_url"] = strings.TrimSuffix(t.RunbookBase, "/") + "/" + a.Name + ".md"
	annotations["contract_rule"] = a.Rule
	annotations["claim_namespace"] = t.ClaimNamespace
	annotations["claim_name"] = t.ClaimName
	annotations["cluster_namespace"] = t.Namespace
	annotations["cluster_name"] = t.Cluster

	return map[string]any{
		"alert":       a.Name,
		"expr":        r.expand(a.Expr),
		"for":         a.For,
		"labels":      labels,
		"annotations": annotations,
	}
}

// placeholders are what the table's words stand for, each word followed by its
// meaning. A word that begins with another one stands before it.
type placeholders []string

// maxNesting is how deep placeholders stand for text with placeholders.
const maxNesting = 3

// expand fills in the placeholders.
func (p placeholders) expand(text string) string {
	var b strings.Builder
	pieces, known := apart[text]
	if !known || p == nil {
		b.Grow(2 * len(text))
		p.write(&b, text, maxNesting)
		return strings.TrimSpace(b.String())
	}
	size := 0
	for _, piece := range pieces {
		size += len(piece.text) + len(p[piece.meaning])
	}
	b.Grow(size)
	for _, piece := range pieces {
		b.WriteString(piece.text)
		p.write(&b, p[piece.meaning], maxNesting-1)
	}
	return strings.TrimSpace(b.String())
}

// A piece of a text of the table is what stands before a placeholder, and the index of that one's meaning.
type piece struct {
	text    string
	meaning int
}

// apart has the texts of the table taken apart: every reconcile expands them all, and the words are the same for every
// target.
var apart = takeApart()

func takeApart() map[string][]piece {
	words := Target{}.placeholders()
	out := map[string][]piece{}
	for _, a := range table {
		for _, text := range []string{a.Expr, a.Summary, a.Description} {
			out[text] = words.pieces(text)
		}
	}
	for _, rec := range records {
		out[rec.Expr] = words.pieces(rec.Expr)
	}
	return out
}

func (p placeholders) pieces(text string) []piece {
	var out []piece
	from := 0
	for at := range len(text) {
		if at < from || text[at] != '@' && text[at] != '{' {
			continue
		}
		for i := 0; p[i] != ""; i += 2 {
			if strings.HasPrefix(text[at:], p[i]) {
				out = append(out, piece{text[from:at], i + 1})
				from = at + len(p[i])
				break
			}
		}
	}
	return append(out, piece{text[from:], len(p) - 1})
}

func (p placeholders) write(b *strings.Builder, text string, depth int) {
	for depth > 0 {
		at := strings.IndexAny(text, "@{")
		if at < 0 {
			break
		}
		b.WriteString(text[:at])
		text = text[at:]
		word, meaning := p.first(text)
		if word == "" {
			word = text[:1] // Means itself.
			b.WriteString(word)
		}
		p.write(b, meaning, depth-1)
		text = text[len(word):]
	}
	b.WriteString(text)
}

// first is the placeholder that text begins with.
func (p placeholders) first(text string) (word, meaning string) {
	for i := 0; i < len(p); i += 2 {
		if strings.HasPrefix(text, p[i]) {
			return p[i], p[i+1]
		}
	}
	return "", ""
}

func stringsOf(m map[string]string) map[string]any {
	out := make(map[string]any, len(m)+8)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// placeholders are those of the table's expressions and texts.
func (t Target) placeholders() placeholders {
	family := "barman_cloud_cloudnative_pg_io_"
	if t.Method == MethodInTree {
		family = "cnpg_collector_"
	}
	gap := t.MaxBackupGap
	if gap <= 0 {
		gap = 6 * time.Hour
	}
	// The operator notes a backup that never started in its own, deprecated
	// gauge only; the plugin's gauge knows those barman itself gave up on.
	lastFailed := `__name__=~"cnpg_collector_last_failed_backup_timestamp|` + family + `last_failed_backup_timestamp"`
	if t.Method == MethodInTree {
		lastFailed = `__name__="cnpg_collector_last_failed_backup_timestamp"`
	}
	weak := ""
	if t.AllowRemoteWrite {
		weak = `,weakness!="commit_not_flushed"`
	}

	pluginRedundant := `or label_replace(sum(kube_deployment_spec_replicas{@plugin}) < 2, "controller", "backup plugin", "", "")`
	if t.Method == MethodInTree {
		pluginRedundant = ""
	}

	// WAL that has no volume of its own fills the data volume. One that it has
	// is small, and a stalled archive fills it within hours: it speaks up
	// earlier.
	dataWarning, dataCritical, walWarning, walCritical := "0.20", "0.10", "", ""
	if t.HasWALVolume {
		dataWarning, dataCritical = "0.15", "0.07"
		walWarning, walCritical = "or"+free("@walvolumes")+" < 0.30", "or"+free("@walvolumes")+" < 0.15"
	}

	ns := "namespace=" + strconv.Quote(t.Namespace)
	instance := regexp.QuoteMeta(t.Cluster) + "-[0-9]+"
	return placeholders{
		// Selectors. Prometheus anchors regular expressions at both ends, so
		// the instances of "db" are not those of "db-v2" or "my-db".
		"@pods", ns + ",pod=~" + strconv.Quote(instance),
		"@standbys", ns + ",pod=~" + strconv.Quote(instance) + `,usename="streaming_replica",application_name=~` + strconv.Quote(instance),
		"@recorded", ns + ",cnpg_cluster=" + strconv.Quote(t.Cluster),
		"@datavolumes", ns + ",persistentvolumeclaim=~" + strconv.Quote(t.dataVolumes()),
		"@walvolumes", ns + ",persistentvolumeclaim=~" + strconv.Quote(instance+"-wal"),
		"@externalsecret", "name=" + strconv.Quote(t.CredentialsExternalSecret),
		"@namespace", strconv.Quote(t.Namespace),
		"@operator", deployment(t.OperatorDeployment, operatorDeployments),
		"@pluginredundant", pluginRedundant,
		"@plugin", deployment(t.PluginDeployment, pluginDeployments),

		// Backup gauges of the method in use. One expression over both
		// families would hide that the right one has vanished.
		"@lastgood", family + "last_available_backup_timestamp",
		"@firstpoint", family + "first_recoverability_point",
		"@ownfailed", family + "last_failed_backup_timestamp",
		"@lastfailed", lastFailed,

		// Joins.
		"@onprimary", "and on (namespace, pod) @primary",
		"@primary", "(max by (namespace, pod) (cnpg_pg_replication_in_recovery{@pods}) == 0)",

		// Numbers.
		"@instances", strconv.Itoa(t.Instances),
		"@peers", strconv.Itoa(t.Instances - 1),
		"@backupage", seconds(MaxBackupAge(gap)),
		"@gap", seconds(gap),
		"@retention", seconds(time.Duration(t.RetentionDays) * 24 * time.Hour),
		"@lock", seconds(time.Duration(t.LockDays) * 24 * time.Hour),
		"@datawarning", dataWarning,
		"@datacritical", dataCritical,
		"@walwarning", walWarning,
		"@walcritical", walCritical,
		"@weak", weak,

		// Texts.
		"{claim}", t.ClaimNamespace + "/" + t.ClaimName,
		"{cluster}", t.Namespace + "/" + t.Cluster,
		"{server}", t.ServerName,
		"{days}", strconv.Itoa(t.RetentionDays),
		"{instances}", strconv.Itoa(t.Instances),
		"{gap}", short(gap),

		// The end of a text.
		"", "",
	}
}

// backupSlack is what a base backup may take longer than the one before it.
const backupSlack = 2 * time.Hour

// MaxBackupAge is how old the newest base backup gets under a schedule with the given largest gap, as long as it is kept.
// The claim's own report asks too: it and the alert must not contradict each other.
func MaxBackupAge(gap time.Duration) time.Duration { return gap + backupSlack }

// Deployment names of the release manifests and of the Helm charts.
const (
	operatorDeployments = "cnpg-controller-manager|(.+-)?cloudnative-pg"
	pluginDeployments   = "barman-cloud|(.+-)?plugin-barman-cloud"
)

// deployment selects one Deployment by name, or whichever has a usual name.
func deployment(name, usual string) string {
	if name != "" {
		return "deployment=" + strconv.Quote(name)
	}
	return "deployment=~" + strconv.Quote(usual)
}

// dataVolumes matches the claims of data directories and tablespaces. The
// tablespaces are spelled out: "db-1-tbs-.+" would also match the volume of an
// instance of a cluster called "db-1-tbs-x".
func (t Target) dataVolumes() string {
	instance := regexp.QuoteMeta(t.Cluster) + "-[0-9]+"
	if len(t.Tablespaces) == 0 {
		return instance
	}
	names := slices.Clone(t.Tablespaces)
	for i, n := range names {
		names[i] = regexp.QuoteMeta(volumeSuffix(n))
	}
	slices.Sort(names)
	return instance + "(-tbs-(" + strings.Join(names, "|") + "))?"
}

// volumeSuffix is how CNPG spells a tablespace in the name of its volume claim.
func volumeSuffix(tablespace string) string {
	if strings.HasPrefix(tablespace, "_") {
		tablespace = "1" + tablespace[1:]
	}
	return strings.ToLower(strings.NewReplacer("$", "-", "_", "-").Replace(tablespace))
}

// digest is a short hash of parts that cannot run into each other.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// short is a duration without the units that are zero: "6h", not "6h0m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
