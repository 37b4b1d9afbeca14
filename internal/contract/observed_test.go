package contract_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// inForce is a database whose every promise is observed.
func inForce(t *testing.T) contract.Observed {
	t.Helper()
	p, found := policy.Decode(read(t, "policy.yaml", strings.Replace(minimalPolicy, "region: eu-central-1", `region: eu-central-1, administrators: ["arn:aws:iam::111122223333:role/crossplane-provider-aws"]`, 1))[0])
	if len(found) > 0 {
		t.Fatal(found)
	}
	s, err := schedule.Parse(p.Backup.Schedule)
	if err != nil {
		t.Fatal(err)
	}
	return contract.Observed{
		Asked: contract.Asked{
			Namespace: "shop", Name: "orders", Schedule: s, RetentionDays: 30, LockDays: 37,
			Spec: v1alpha1.Spec{Version: "16", StorageGB: 20, WALStorageGB: 5, Instances: 3, Database: "orders", Owner: "orders"},
		},
		Policy: p, ClusterKnown: true, StorageClassKnown: true, BucketName: "acme-orders",
		Cluster: &world.Cluster{
			Exists: true, Major: 16, Instances: 3, Ready: 3, StorageClass: "postgres-retain", StorageGB: 20, WALStorageGB: 5, Database: "orders", Owner: "orders",
			DataDurability: "required", SyncNumber: 1, FailoverQuorum: true, AntiAffinity: "required", Method: "plugin", ServerName: "orders-pg16",
			ReadyCondition: "True", Archiving: "True", LastBackup: "True",
		},
		StorageClass: &world.StorageClass{Provisioner: "pd.csi.storage.gke.io", ReclaimPolicy: "Retain", BindingMode: "WaitForFirstConsumer", Expandable: true},
		Bucket: world.Bucket{
			Observed: true, LockObserved: true, Mode: "COMPLIANCE", LockDays: 37, Versioning: "Enabled", Encryption: "AES256",
			PublicAccessBlocked: true, Policy: true, LifecycleObserved: true,
		},
		Now:     time.Date(2026, time.November, 24, 20, 0, 0, 0, time.UTC),
		Keys:    world.Secret{Synced: true},
		Window:  world.Window{RecoverableSince: "2026-10-25T00:00:00Z", LastBackup: "2026-11-24T18:00:00Z"},
		Settled: map[string]bool{"credentials": true, "scheduled-backup": true, "pod-monitor": true, "prometheus-rule": true},
	}
}

// living writes one field below spec.postgresql of a living Cluster that is otherwise as it should be.
func living(field string, value any) func(*contract.Observed) {
	return func(o *contract.Observed) {
		postgresql := map[string]any{"synchronous": map[string]any{"method": "any", "number": int64(1), "dataDurability": "required", "failoverQuorum": true}}
		postgresql[field] = value
		cluster := manifest.Object{
			"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": map[string]any{"name": "orders", "namespace": "shop"},
			"spec": map[string]any{
				"instances": int64(3), "imageName": "ghcr.io/cloudnative-pg/postgresql:16.15", "postgresql": postgresql,
				"affinity": map[string]any{"podAntiAffinityType": "required"}, "storage": map[string]any{"storageClass": "postgres-retain"},
				"bootstrap": map[string]any{"initdb": map[string]any{}}, // How it was made is not judged any more.
				"plugins": []any{map[string]any{
					"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true,
					"parameters": map[string]any{"barmanObjectName": "orders-archive", "serverName": "orders-pg16"},
				}},
			},
		}
		o.Living, o.Repaired = []manifest.Object{cluster}, []manifest.Object{cluster}
	}
}

// lastBackup is the end of the newest base backup.
func lastBackup(end string) func(*contract.Observed) {
	return func(o *contract.Observed) { o.Window.LastBackup = end }
}

// backingUp is a base backup that is running, and that should have been there hours ago.
func backingUp(since string) func(*contract.Observed) {
	return func(o *contract.Observed) {
		o.Window.LastBackup, o.Cluster.LastBackup, o.Cluster.BackingUpSince = "2026-11-24T06:00:00Z", "", since
	}
}

// woken is a database that slept for weeks.
func woken(since string) func(*contract.Observed) {
	return func(o *contract.Observed) {
		o.Window.LastBackup, o.Cluster.LastBackup, o.Cluster.ReadySince = "2026-11-01T06:00:00Z", "False", since
		o.Cluster.LastBackupMessage = "cannot backup a hibernated cluster"
	}
}

func noClock(o *contract.Observed) {
	o.Now, o.Window.LastBackup = time.Time{}, "2026-09-01T06:00:00Z"
}

// lacks is a configuration of the bucket that is not there.
func lacks(name string) func(*contract.Observed) {
	return func(o *contract.Observed) { o.Bucket.Absent = []string{name} }
}

// TestJudgeObserved changes one fact of a world in which everything holds.
func TestJudgeObserved(t *testing.T) {
	cases := map[string]struct {
		reason  string
		change  func(*contract.Observed)
		rules   string // those that are not satisfied; "" where all are
		verdict contract.Verdict
	}{
		"InForce":         {"observed, not merely asked for", func(*contract.Observed) {}, "", contract.Satisfied},
		"ScaledDown":      {"an autoscaler got at it", func(o *contract.Observed) { o.Cluster.Instances, o.Cluster.Ready = 2, 2 }, "CNPG-1.1", contract.Violated},
		"InstanceMissing": {"one is being replaced", func(o *contract.Observed) { o.Cluster.Ready = 2 }, "CNPG-1.1", contract.Pending},
		"Preferred":       {"kubectl edit", func(o *contract.Observed) { o.Cluster.DataDurability = "preferred" }, "CNPG-1.2", contract.Violated},
		"NoQuorum":        {"kubectl edit", func(o *contract.Observed) { o.Cluster.FailoverQuorum = false }, "CNPG-1.2", contract.Violated},
		"MayShareNodes":   {"kubectl edit", func(o *contract.Observed) { o.Cluster.AntiAffinity = "preferred" }, "CNPG-1.3", contract.Violated},
		"StoreDiverted": {"kubectl edit: a policy without an endpoint neither writes one nor takes one away", func(o *contract.Observed) {
			o.Repaired = []manifest.Object{{"kind": "ObjectStore", "spec": map[string]any{"configuration": map[string]any{"endpointURL": "https://s3.example.org"}}}}
		}, "CNPG-2.2", contract.Violated},
		"Follows":           {"kubectl edit made it a replica of another Cluster", func(o *contract.Observed) { o.Cluster.Follows = true }, "CNPG-1.4", contract.Violated},
		"NoArchiver":        {"looks perfectly healthy", func(o *contract.Observed) { o.Cluster.Method = "" }, "CNPG-2.1", contract.Violated},
		"NotArchiving":      {"the operator says so", func(o *contract.Observed) { o.Cluster.Archiving = "False" }, "CNPG-2.1", contract.Violated},
		"NothingArchived":   {"nobody can tell yet", func(o *contract.Observed) { o.Cluster.Archiving = "" }, "CNPG-2.1", contract.Pending},
		"BackupsFail":       {"none has ever succeeded", func(o *contract.Observed) { o.Cluster.LastBackup, o.Window = "False", world.Window{} }, "CNPG-3.1", contract.Violated},
		"NewestFailed":      {"six hours went by without one", func(o *contract.Observed) { o.Cluster.LastBackup = "False" }, "CNPG-3.1", contract.Violated},
		"NoBackupYet":       {"the first one is running", func(o *contract.Observed) { o.Cluster.LastBackup, o.Window = "", world.Window{} }, "CNPG-3.1", contract.Pending},
		"BackupsStopped":    {"the schedule's six hours and two to end in are over", lastBackup("2026-11-24T11:59:59Z"), "CNPG-3.1", contract.Violated},
		"BackupDue":         {"one second earlier it may still come", lastBackup("2026-11-24T12:00:00Z"), "", contract.Satisfied},
		"BackupAhead":       {"clocks differ by minutes", lastBackup("2026-11-24T20:03:00Z"), "", contract.Satisfied},
		"BackupLate":        {"one is running and may end in time", backingUp("2026-11-24T18:00:00Z"), "CNPG-3.1", contract.Pending},
		"BackupStuck":       {"one is called running since yesterday", backingUp("2026-11-23T18:00:00Z"), "CNPG-3.1", contract.Violated},
		"LockRunOut":        {"whatever is recovered begins with a base backup that anybody can delete", lastBackup("2026-10-18T19:59:59Z"), "CNPG-3.1 ZDL-01", contract.Violated},
		"Woken":             {"backups were due while it slept, and the next one comes with the schedule", woken("2026-11-24T19:59:00Z"), "CNPG-3.1", contract.Pending},
		"WokenLongAgo":      {"the schedule has had its time", woken("2026-11-24T11:59:59Z"), "CNPG-3.1", contract.Violated},
		"NoClock":           {"a call that does not know the time judges nothing by it", noClock, "", contract.Satisfied},
		"BackupsHidden":     {"a backup succeeded and the archive shows none", func(o *contract.Observed) { o.Window.RecoverableSince = "" }, "CNPG-3.2", contract.Violated},
		"KeysLost":          {"the store no longer has them", func(o *contract.Observed) { o.Keys = world.Secret{Reason: "secret retained"} }, "CNPG-3.3", contract.Violated},
		"Deletable":         {"something overwrites managementPolicies", func(o *contract.Observed) { o.Deletable = []string{"cluster"} }, "CNPG-4.1", contract.Violated},
		"ClassDeletes":      {"somebody made the class anew", func(o *contract.Observed) { o.StorageClass.ReclaimPolicy = "Delete" }, "CNPG-4.2", contract.Violated},
		"ClassInTheClear":   {"EKS Auto Mode, without encrypted", func(o *contract.Observed) { o.StorageClass.Provisioner = "ebs.csi.eks.amazonaws.com" }, "CNPG-4.2", contract.Violated},
		"ClassOldName":      {"the driver that was part of Kubernetes", func(o *contract.Observed) { o.StorageClass.Provisioner = "kubernetes.io/aws-ebs" }, "CNPG-4.2", contract.Violated},
		"ClassGone":         {"somebody deleted it", func(o *contract.Observed) { o.StorageClass = nil }, "CNPG-4.2", contract.Violated},
		"ClassUnknown":      {"nobody has looked", func(o *contract.Observed) { o.StorageClassKnown = false }, "CNPG-4.2", contract.Pending},
		"Governance":        {"somebody lowered the lock", func(o *contract.Observed) { o.Bucket.Mode = "GOVERNANCE" }, "CNPG-4.3", contract.Violated},
		"DefaultRemoved":    {"somebody removed it", func(o *contract.Observed) { o.Bucket.Mode = "" }, "CNPG-4.3", contract.Violated},
		"NeverVersioned":    {"an adopted bucket with its store's defaults", func(o *contract.Observed) { o.Bucket.Versioning = "Disabled" }, "CNPG-4.3", contract.Violated},
		"VersioningGone":    {"the provider looked and found none", lacks("bucket-versioning"), "CNPG-4.3", contract.Violated},
		"LockGone":          {"the provider looked and found none", lacks("bucket-object-lock"), "CNPG-4.3", contract.Violated},
		"BlockGone":         {"the provider looked and found none", lacks("bucket-public-access-block"), "CNPG-4.3", contract.Violated},
		"NotEncrypted":      {"the provider looked and found none", lacks("bucket-encryption"), "CNPG-4.3", contract.Violated},
		"BucketGone":        {"the provider looked and found none", lacks("bucket"), "CNPG-4.3", contract.Violated},
		"EncryptionUnknown": {"not reported", func(o *contract.Observed) { o.Bucket.Encryption = "" }, "CNPG-4.3", contract.Pending},
		"NoLifecycle": {"an adopted bucket that removes nothing", func(o *contract.Observed) {
			o.Bucket.LifecycleObserved, o.Bucket.Absent = false, []string{"bucket-lifecycle"}
		}, "", contract.Satisfied},
		"Suspended": {"versioning off", func(o *contract.Observed) { o.Bucket.Versioning = "Suspended" }, "CNPG-4.3", contract.Violated},
		"OpenToThePublic": {"one switch of the block is off", func(o *contract.Observed) {
			o.Bucket.PublicAccessBlocked, o.Bucket.Opened = false, []string{"ignorePublicAcls"}
		}, "CNPG-4.3", contract.Violated},
		"PolicyMissing":     {"not there yet", func(o *contract.Observed) { o.Bucket.Policy = false }, "CNPG-4.3", contract.Pending},
		"NoAdministrators":  {"the platform names nobody, and the claim says so", func(o *contract.Observed) { o.Policy.Bucket.Administrators = nil }, "CNPG-4.3", contract.Waived},
		"NotScraped":        {"no PodMonitor", func(o *contract.Observed) { delete(o.Settled, "pod-monitor") }, "CNPG-5.1", contract.Pending},
		"NoAlerts":          {"no PrometheusRule", func(o *contract.Observed) { delete(o.Settled, "prometheus-rule") }, "CNPG-5.2", contract.Pending},
		"LockTooShort":      {"an adopted bucket's lock", func(o *contract.Observed) { o.Bucket.LockDays = 31 }, "ZDL-01", contract.Violated},
		"LockLowered":       {"still long enough for the contract, and not what was asked for", func(o *contract.Observed) { o.Bucket.LockDays = 36 }, "ZDL-01", contract.Violated},
		"FsyncOff":          {"kubectl edit", living("parameters", map[string]any{"fsync": "off"}), "ZDL-09", contract.Violated},
		"CommitsLocally":    {"kubectl edit", living("parameters", map[string]any{"synchronous_commit": "local"}), "CNPG-1.2", contract.Violated},
		"OperatorsOwn":      {"CloudNativePG writes these itself", living("parameters", map[string]any{"archive_mode": "on", "shared_preload_libraries": ""}), "", contract.Satisfied},
		"OutsidersConfirm":  {"a name outside the Cluster confirms every commit", living("synchronous", map[string]any{"method": "any", "number": int64(1), "dataDurability": "required", "failoverQuorum": true, "standbyNamesPre": []any{"backup-box"}}), "CNPG-1.2", contract.Violated},
		"AlterSystem":       {"kubectl edit", living("enableAlterSystem", true), "ZDL-09", contract.Violated},
		"ExpiresCurrent":    {"somebody's lifecycle", func(o *contract.Observed) { o.Bucket.ExpiresCurrent = true }, "ZDL-02", contract.Violated},
		"LifecycleUnknown":  {"not reported", func(o *contract.Observed) { o.Bucket.LifecycleObserved = false }, "ZDL-02", contract.Pending},
		"GateClosed":        {"it still waits", func(o *contract.Observed) { o.Gate = []string{"the keys"} }, "ZDL-03", contract.Pending},
		"NobodyLooked":      {"whose Cluster is it", func(o *contract.Observed) { o.ClusterKnown = false }, "ZDL-07", contract.Pending},
		"Hibernated":        {"by hand", func(o *contract.Observed) { o.Cluster.Hibernated = true }, "ZDL-10", contract.Violated},
		"Fenced":            {"by hand", func(o *contract.Observed) { o.Cluster.Fenced = true }, "ZDL-10", contract.Violated},
		"ArchivingBypassed": {"by an annotation", func(o *contract.Observed) { o.Cluster.Bypasses = []string{"cnpg.io/skipWalArchiving"} }, "CNPG-2.1 ZDL-10", contract.Violated},
		"AdmissionBypassed": {"by an annotation that leaves the archiver alone", func(o *contract.Observed) { o.Cluster.Bypasses = []string{"cnpg.io/validation"} }, "ZDL-10", contract.Violated},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := inForce(t)
			tc.change(&o)
			found, pending := contract.JudgeObserved(o)
			verdicts := contract.Verdicts(found, pending, nil)
			if got := contract.Overall(verdicts); got != tc.verdict {
				t.Errorf("%s: overall %s, want %s", tc.reason, got, tc.verdict)
			}
			for _, v := range verdicts {
				want := contract.Satisfied
				if slices.Contains(strings.Fields(tc.rules), v.ID) {
					want = tc.verdict
				}
				if v.Verdict != want || (v.Message == "") != (want == contract.Satisfied) {
					t.Errorf("%s: %s is %s (%s), want %s", tc.reason, v.ID, v.Verdict, v.Message, want)
				}
			}
		})
	}
}

// TestNoVerdictIsBetterThanTheWorld: before anything exists, no rule about the world is called satisfied.
func TestNoVerdictIsBetterThanTheWorld(t *testing.T) {
	o := inForce(t)
	found, pending := contract.JudgeObserved(contract.Observed{Asked: o.Asked, Policy: o.Policy, Gate: []string{"everything"}})
	verdicts := contract.Verdicts(found, pending, nil)
	if got := contract.Overall(verdicts); got != contract.Pending {
		t.Errorf("overall %s, want Pending: %v", got, verdicts)
	}
	for _, id := range []string{"CNPG-1.1", "CNPG-1.2", "CNPG-1.3", "CNPG-2.1", "CNPG-3.1", "CNPG-3.3", "CNPG-4.1", "CNPG-4.2", "CNPG-4.3", "CNPG-5.1", "CNPG-5.2", "ZDL-01", "ZDL-02", "ZDL-03", "ZDL-07"} {
		for _, v := range verdicts {
			if v.ID == id && v.Verdict != contract.Pending {
				t.Errorf("%s is %s before anything was observed", id, v.Verdict)
			}
		}
	}
}

func TestJudgeFrozen(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*contract.Observed)
		path   string // of the refusal; "" where nothing is refused
	}{
		"Unchanged":      {"nothing to say", func(*contract.Observed) {}, ""},
		"Grown":          {"volumes grow", func(o *contract.Observed) { o.Spec.StorageGB, o.Spec.WALStorageGB, o.Spec.Instances = 40, 10, 5 }, ""},
		"MajorUp":        {"an upgrade in place cannot be undone", func(o *contract.Observed) { o.Spec.Version = "17" }, "spec.version"},
		"MajorDown":      {"an older server cannot read the files", func(o *contract.Observed) { o.Spec.Version = "15" }, "spec.version"},
		"MajorUnknown":   {"a Cluster that does not tell its major is not contradicted", func(o *contract.Observed) { o.Spec.Version, o.Cluster.Major = "15", 0 }, ""},
		"Shrunk":         {"volumes do not shrink", func(o *contract.Observed) { o.Spec.StorageGB = 10 }, "spec.storageGB"},
		"WALVolumeGone":  {"nor go", func(o *contract.Observed) { o.Spec.WALStorageGB = 0 }, "spec.walStorageGB"},
		"OtherClass":     {"CloudNativePG would ignore it", func(o *contract.Observed) { o.Cluster.StorageClass = "gp3" }, "storageClassName"},
		"OtherWALClass":  {"for each volume", func(o *contract.Observed) { o.Cluster.WALStorageClass = "gp3" }, "storageClassName"},
		"OtherDatabase":  {"it was made at creation", func(o *contract.Observed) { o.Spec.Database = "other" }, "spec.database"},
		"OtherOwner":     {"so was its owner", func(o *contract.Observed) { o.Spec.Owner = "other" }, "spec.owner"},
		"NamesNotTold":   {"a recovered Cluster need not name them", func(o *contract.Observed) { o.Cluster.Database, o.Cluster.Owner = "", "" }, ""},
		"ClassOfNothing": {"a volume that is not there has no class", func(o *contract.Observed) { o.Cluster.StorageClass = "" }, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := inForce(t)
			tc.change(&o)
			found := contract.JudgeFrozen(o.Asked, o.Policy.StorageClassName, o.Cluster)
			switch {
			case tc.path == "" && len(found) > 0:
				t.Errorf("%s: refused: %s", tc.reason, found)
			case tc.path != "" && (len(found) != 1 || found[0].Path != tc.path || found[0].Rule != "ZDL-08" || found[0].Fix == ""):
				t.Errorf("%s: want one refusal of %s by ZDL-08, got: %s", tc.reason, tc.path, found)
			}
		})
	}
}

func TestJudgeBuild(t *testing.T) {
	const repository = "ghcr.io/cloudnative-pg/postgresql:"
	cases := map[string]struct {
		reason      string
		live, asked string
		builtIn     bool
		want        string // Of the message; "" where nothing is refused.
	}{
		"Same":              {"nothing to say", repository + "16.15-1-standard-trixie@sha256:a", repository + "16.15-1-standard-trixie@sha256:a", true, ""},
		"Newer":             {"minors go up", repository + "16.9-1-standard-trixie", repository + "16.15-1-standard-trixie", true, ""},
		"Rebuilt":           {"the same minor, built again", repository + "16.15-1-standard-trixie", repository + "16.15-2-standard-trixie", true, ""},
		"OtherFlavour":      {"the in-tree method needs another flavour", repository + "16.15-1-standard-trixie", repository + "16.15-1-system-trixie", true, ""},
		"Mirrored":          {"the policy has named another registry", repository + "16.15-1-standard-trixie", "registry.acme.example:5000/postgresql:16.15-1-standard-trixie", false, ""},
		"NamedDistribution": {"the policy has named another distribution", repository + "16.15-bookworm", repository + "16.15-1-standard-trixie", false, ""},
		"NoTag":             {"a digest alone tells nothing", "acme.example/postgresql@sha256:a", repository + "16.15-1-standard-trixie", true, ""},
		"MajorOnly":         {"a floating tag tells no minor", repository + "16", repository + "16.15", true, ""},
		"OtherMajor":        {"is refused elsewhere", repository + "17.4", repository + "16.15", true, ""},
		"Unknown":           {"a Cluster that names none is not contradicted", "", repository + "16.15", true, ""},
		"Older":             {"a minor goes down", repository + "16.15-1-standard-trixie", repository + "16.9-1-standard-trixie", true, "runs PostgreSQL 16.15"},
		"OlderNamed":        {"also where the policy names it", repository + "16.15", "acme.example/postgresql:16.9", false, "runs PostgreSQL 16.15"},
		"NoLongerNamed":     {"the policy's own image is gone from it", "acme.example/postgis:16.4-bookworm", repository + "16.15-1-standard-trixie", true, "extensions it uses may be missing"},
		"OtherDistribution": {"its collations are others", repository + "16.4-1-bookworm", repository + "16.15-1-standard-trixie", true, "collations of another distribution"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := contract.JudgeBuild("images.16.default", tc.asked, tc.builtIn, &world.Cluster{Image: tc.live})
			switch {
			case tc.want == "" && len(found) > 0:
				t.Errorf("%s: refused: %s", tc.reason, found)
			case tc.want != "" && (len(found) != 1 || found[0].Rule != "ZDL-08" || !strings.Contains(found[0].Message, tc.want) || !strings.Contains(found[0].Fix, tc.live)):
				t.Errorf("%s: want one refusal that says %q and names %s, got: %s", tc.reason, tc.want, tc.live, found)
			}
		})
	}
}

func TestClip(t *testing.T) {
	for text, want := range map[string]string{"short": "short", "exactly ten": "exactly…", "ééééééé": "ééé…", "bad\xffbytes": "bad\uFFFDb…", "": ""} {
		if got := contract.Clip(text, 10); got != want || len(got) > 10 {
			t.Errorf("Clip(%q, 10) = %q (%d bytes), want %q", text, got, len(got), want)
		}
	}
}
