package policy_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/lock"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// FuzzPolicyDecode says that any document is either a policy that keeps the contract's floor and means the same with its
// defaults written out, or is refused in words that say what to do.
func FuzzPolicyDecode(f *testing.F) {
	const head = `{"apiVersion":"hardened-postgres.fn.bizmatters.io/v1beta1","kind":"Policy",`
	for _, seed := range []string{
		`{}`, `null`,
		head + `"bucket":{"prefix":"acme","region":"eu-central-1"},"credentials":{"secretStoreRef":{"name":"aws"}}}`,
		head + `"bucket":{"mode":"existing","name":"acme-archive","region":"fsn1","endpointURL":"https://s3.example.com","lockDays":60},"credentials":{"secretStoreRef":{"name":"aws","kind":"SecretStore"},"accessKeyID":{"key":"a"},"secretAccessKey":{"key":"b","property":"c"}},"backup":{"method":"inTree","schedule":"0 */4 * * *","retentionDays":45,"maxRunsPerDay":12,"compression":"zstd","sidecarEnv":{"A":"b"}}}`,
		head + `"bucket":{"prefix":"acme","region":"eu-central-1","lockDays":31,"maxLockDays":36500,"undoDays":1,"administrators":["arn:aws:iam::1:role/x"],"tags":{"a":"b"}},"credentials":{"secretStoreRef":{"name":"aws"}},"monitoring":{"podMonitor":"operator","labels":{"release":"x"},"severities":{"PostgresReplicationLag":"info"}},"waivers":[{"rule":"CNPG-1.2","reason":"x","expires":"2027-01-01","claims":"a/*"}]}`,
		head + `"bucket":{"prefix":"ACME","region":""},"credentials":{},"backup":{"retentionDays":7,"schedule":"* * * * *"},"images":{"16":{"default":"postgres:latest"}},"sizes":{"small":{"requests":{"cpu":"x"}}},"storageClassName":"gp3","cluster":{"parameters":{"fsync":"off"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var o manifest.Object
		if json.Unmarshal(raw, &o) != nil {
			return
		}
		p, found := policy.Decode(o)
		again, foundAgain := policy.Decode(o)
		if !reflect.DeepEqual(p, again) || !reflect.DeepEqual(found, foundAgain) {
			t.Fatal("the same document is read in two ways")
		}
		for _, finding := range found {
			if finding.Message == "" || finding.Rule == "" || !utf8.ValidString(finding.String()) {
				t.Errorf("a refusal that teaches nothing: %#v", finding)
			}
		}
		if p == nil || len(found.Violations()) > 0 {
			return
		}
		s, err := schedule.Parse(p.Backup.Schedule)
		if err != nil {
			t.Fatalf("accepted with a schedule that is none: %v", err)
		}
		if least := lock.MinDays(p.Backup.RetentionDays, s.MaxGap()); p.Backup.RetentionDays < 30 || p.Bucket.LockDays < least || p.Bucket.MaxLockDays < p.Bucket.LockDays {
			t.Errorf("accepted below the floor: %d days of retention, locked for %d (at least %d, at most %d)", p.Backup.RetentionDays, p.Bucket.LockDays, least, p.Bucket.MaxLockDays)
		}
		checkWrittenOut(t, p)
	})
}

// checkWrittenOut decodes the policy with its defaults written out.
func checkWrittenOut(t *testing.T, p any) {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var o manifest.Object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	o["apiVersion"], o["kind"] = v1beta1.APIVersion, v1beta1.Kind
	again, found := policy.Decode(o)
	if len(found.Violations()) > 0 || again == nil {
		t.Fatalf("with its defaults written out it is refused: %s", found)
	}
	if encoded, err := json.Marshal(again); err != nil || !bytes.Equal(encoded, raw) {
		t.Errorf("with its defaults written out it is another policy (%v):\n%s\n%s", err, raw, encoded)
	}
}
