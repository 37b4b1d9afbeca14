package admission

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/admission"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	k8sadmission "k8s.io/apiserver/pkg/admission"
)

// TestParametersAreJudgedAlike holds the CEL of the policies against the contract's own judge, setting by setting and
// value by value: one may not refuse what the other accepts, or the function could not write what it has accepted.
func TestParametersAreJudgedAlike(t *testing.T) {
	all := policies(t, admission.Options{})
	cluster := emitted(t, claim.ClusterScoped)["cluster/manifest"]
	words := []string{"on", "off", "of", "o", "tru", "FALSE", "no", "N", "yes", "y", "1", "0", "'off'", " on ", "", "maybe"}
	times := []string{"0", "1", "300", "301", "5min", "6min", "300s", "301s", "60000ms", "60001ms", "1min", "0.5min", "300001ms", "0.1h", "1h", "1 h", "1d", "0s", "-1", "100us", "5 min", "'60'", "x", "", "4.5min", ".5min", "600ms", "400ms", "1e2", "0.4", "0.5004s", "0.0001s", "0.5004ms", "090", "0300", "+5", "1s", "1000us"}
	numbers := []string{"0", "4", "5", "10", "-1", "x", "", "5.0", "'-1'", "010", "09"}
	settings := map[string][]string{
		"fsync": words, "full_page_writes": words, "autovacuum": words, "wal_log_hints": words, "zero_damaged_pages": words,
		"ignore_checksum_failure": words, "ignore_invalid_pages": words, "default_transaction_read_only": words, "allow_alter_system": words,
		"synchronous_commit": append([]string{"local", "remote_apply", "REMOTE_WRITE", "'local'", "'on'"}, words...),
		"archive_timeout":    times, "wal_sender_timeout": times, "wal_receiver_timeout": times, "idle_replication_slot_timeout": times,
		"statement_timeout": times, "transaction_timeout": times,
		"archive_library": {"", "x"}, "include": {"x"}, "include_dir": {"x"}, "include_if_exists": {"x"},
		"wal_level":                {"replica", "logical", "minimal", "Replica", ""},
		"wal_sync_method":          {"fdatasync", "open_sync", "'open_datasync'", "OPEN_SYNC", "fsync"},
		"password_encryption":      {"md5", "MD5", "'md5'", "scram-sha-256"},
		"session_replication_role": {"replica", "'Replica'", "origin", "local"},
		"max_wal_senders":          numbers, "max_replication_slots": numbers, "max_slot_wal_keep_size": append([]string{"100MB"}, numbers...),
		"FSYNC": {"on", "off"}, "Work_Mem": {"4MB"}, "work_mem": {"4MB"}, "max_connections": {"200"}, "pg_stat_statements.track": {"all"},
	}
	compared := 0
	for name, values := range settings {
		for _, value := range values {
			changed := manifest.Object(manifest.CopyMap(cluster))
			manifest.Map(changed, "spec", "postgresql", "parameters")[name] = value
			v := judge(t, all, request{operation: k8sadmission.Update, old: cluster, new: changed})
			// The function writes every name in lower case; the policies refuse the others whatever they are.
			want := len(contract.JudgeParameters("spec.postgresql.parameters", map[string]string{name: value}).Violations()) > 0 || name != strings.ToLower(name)
			if got := len(v.rules) > 0; got != want {
				t.Errorf("%s = %q: refused by admission: %t, by the contract: %t (%s)", name, value, got, want, fmt.Sprint(v.messages))
			}
			compared++
		}
	}
	if compared < 200 {
		t.Errorf("only %d settings compared", compared)
	}
}
