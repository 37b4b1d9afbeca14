package contract_test

import (
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

// TestSoundClaimsPass: what people ask for within the contract is not refused. What is refused is in testdata/hostile.
func TestSoundClaimsPass(t *testing.T) {
	cases := map[string]struct{ reason, policy, spec string }{
		"Nothing":             {"everything has a default", "", `{}`},
		"AsToday":             {"the claims that exist keep working", "", `{size: medium, version: "16", storageGB: 20}`},
		"Everything":          {"more of everything", "", `{size: large, version: "18", storageGB: 1000, walStorageGB: 100, instances: 5, database: app, owner: service, parameters: {max_connections: "500", shared_buffers: 4GB, max_wal_size: 8GB}}`},
		"DenserBackups":       {"more backups than the policy makes", "", `{backup: {schedule: "0 * * * *"}}`},
		"PolicysSchedule":     {"the policy's own schedule, in the other notation", "", `{backup: {schedule: "0 */6 * * *"}}`},
		"LongerRetention":     {"a longer window brings its lock along", "", `{backup: {retentionDays: 60}}`},
		"LockAtTheBound":      {"the bound itself", "", `{backup: {lockDays: 90}}`},
		"LockAtThePolicys":    {"the policy's own lock", "", `{backup: {lockDays: 37}}`},
		"Recovery":            {"to the end of an archive", "", `{bootstrap: {recovery: {source: orders-v15}}}`},
		"RecoveryToATime":     {"to a moment with a zone", "", `{bootstrap: {recovery: {source: orders-v15, targetTime: "2026-11-20 10:00:00.5+01:00", exclusive: true}}}`},
		"RecoveryToABackup":   {"to the end of one base backup", "", `{bootstrap: {recovery: {source: orders-v15, targetImmediate: true, backupID: 20261123T222356}}}`},
		"RecoveryOfItself":    {"how a lost database comes back", "", `{bootstrap: {recovery: {source: orders}}}`},
		"RecoveryOfATrace":    {"nothing is left but the bucket", "", `{bootstrap: {recovery: {archive: {bucket: acme-old, path: shop/old, serverName: old-pg16}}}}`},
		"Import":              {"a copy of a live database", "", `{bootstrap: {import: {source: orders-v15}}}`},
		"Upgrade":             {"across majors, following the source", "", `{bootstrap: {recovery: {source: orders-v15}}, upgrade: {method: logicalReplication}}`},
		"RaisedLimits":        {"both sides raised", "", `{resources: {requests: {memory: 8Gi}, limits: {memory: 8Gi}}}`},
		"LimitOnly":           {"a limit above the size's request", "", `{resources: {limits: {memory: 8Gi}}}`},
		"RequestAtTheLimit":   {"a request as high as the size's limit", "", `{resources: {requests: {cpu: "4", memory: 1Gi}}}`},
		"Variant":             {"an image the platform has", minimalPolicy + `images: {"16": {default: "ghcr.io/acme/postgresql:16.15", variants: {postgis: "ghcr.io/acme/postgis:16-3.5"}}}`, `{image: postgis}`},
		"SizeOfThePlatform":   {"a table with other figures", minimalPolicy + `sizes: {large: {requests: {memory: 64Gi}, limits: {memory: 64Gi}}}`, `{size: large, parameters: {shared_buffers: 16GB}}`},
		"RemoteWrite":         {"allowed by the specification, and told", "", `{parameters: {synchronous_commit: remote_write}}`},
		"WaiverOfThePlatform": {"a policy with a waiver is a policy", minimalPolicy + `waivers: [{rule: CNPG-2.3, reason: "zstd is tested every night", expires: "2027-03-31", claims: "shop/*"}]`, `{}`},
		"ExistingBucket":      {"a bucket on another store", minimalPolicy[:len(minimalPolicy)-len("bucket: {prefix: acme-prod, region: eu-central-1}\ncredentials: {secretStoreRef: {name: aws}}\n")] + "bucket: {mode: existing, name: acme-backups, region: fsn1, endpointURL: \"https://fsn1.your-objectstorage.com\"}\ncredentials: {secretStoreRef: {name: aws}}\n", `{}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			text := tc.policy
			if text == "" {
				text = minimalPolicy
			}
			p, found := policy.Decode(read(t, "policy.yaml", text)[0])
			if len(found) > 0 {
				t.Fatalf("%s: the policy is refused:\n%s", tc.reason, found)
			}
			o := read(t, "claim.yaml", "apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: orders, namespace: shop}\nspec: "+tc.spec)[0]
			found = judgeClaim(o, func(c *claim.Claim) contract.Findings {
				terms, found := c.BackupTerms(p)
				asked := contract.Asked{Namespace: c.Namespace, Name: c.Name, Spec: c.Spec, Schedule: terms.Schedule, RetentionDays: terms.RetentionDays, LockDays: terms.LockDays}
				return append(append(found, contract.JudgeClaim(asked, p)...), c.JudgeNames()...)
			})
			if v := found.Violations(); len(v) > 0 {
				t.Errorf("%s: refused:\n%s", tc.reason, v)
			}
		})
	}
}

// TestAClaimThatIsPassedOverIsRefused: it is well-formed, and nobody makes anything of it.
func TestAClaimThatIsPassedOverIsRefused(t *testing.T) {
	for annotation, refused := range map[string]bool{
		`crossplane.io/paused: "true"`: true, `crossplane.io/paused: "false"`: false,
		`argocd.argoproj.io/hook: Skip`: true, `argocd.argoproj.io/sync-wave: "1"`: false,
		`kustomize.toolkit.fluxcd.io/reconcile: disabled`: true, `kustomize.toolkit.fluxcd.io/reconcile: enabled`: false,
		`kustomize.toolkit.fluxcd.io/ssa: Ignore`: true, `kustomize.toolkit.fluxcd.io/ssa: Merge`: false,
	} {
		o := read(t, "claim.yaml", "apiVersion: database.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: orders, namespace: shop, annotations: {"+annotation+"}}\nspec: {}\n")[0]
		found := contract.JudgePaused(o)
		if (len(found) == 1 && found[0].Rule == "ZDL-10" && found[0].Value != "") != refused || len(found) > 1 {
			t.Errorf("%s: refused: want %t, got: %s", annotation, refused, found)
		}
	}
}
