package contract_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// TestJudgeParameters says which spellings of a setting pass; what is refused, and in which words, is in
// testdata/hostile/ZDL-09 and CNPG-1.2.
func TestJudgeParameters(t *testing.T) {
	cases := map[string]struct {
		reason      string
		name, value string
		rule        string // of the refusal; "" where the setting passes
	}{
		"On":                     {"the default, said aloud", "fsync", "on", ""},
		"OnAsYes":                {"PostgreSQL's booleans have many names", "fsync", "YES", ""},
		"OnAsPrefix":             {"and take any prefix of them", "full_page_writes", "tr", ""},
		"OnAsOne":                {"and digits", "autovacuum", "1", ""},
		"OnQuoted":               {"quotes are part of neither", "fsync", "'on'", ""},
		"Ambiguous":              {"o is neither on nor off: PostgreSQL would not start", "fsync", "o", "ZDL-09"},
		"Empty":                  {"nothing is not on", "fsync", "", "ZDL-09"},
		"Nonsense":               {"what cannot be read is refused", "fsync", "maybe", "ZDL-09"},
		"OffWanted":              {"some are to be off", "zero_damaged_pages", "off", ""},
		"NameInSpaces":           {"spaces around a name do not hide it", " fsync ", "off", "ZDL-09"},
		"Unknown":                {"what carries no promise passes", "work_mem", "64MB", ""},
		"Extension":              {"settings of extensions have a prefix", "pg_stat_statements.max", "5000", ""},
		"NameWithADigitFirst":    {"no name PostgreSQL knows", "1fsync", "off", "ZDL-09"},
		"NameWithAColon":         {"nor this", "a:b", "off", "ZDL-09"},
		"NameInOtherLetters":     {"nor letters of other alphabets", "fsyn\u0441", "off", "ZDL-09"},
		"FiveMinutes":            {"the bound itself", "archive_timeout", "5min", ""},
		"FiveMinutesInSeconds":   {"in the setting's own unit", "archive_timeout", "300", ""},
		"FiveMinutesInMs":        {"in a smaller unit", "archive_timeout", "300000ms", ""},
		"FiveMinutesAndABit":     {"one second beyond", "archive_timeout", "301", "ZDL-09"},
		"Day":                    {"a day", "archive_timeout", "1d", "ZDL-09"},
		"UnitInCapitals":         {"PostgreSQL's units are case-sensitive: it would not start", "archive_timeout", "5MIN", "ZDL-09"},
		"Negative":               {"below zero is off", "archive_timeout", "-1", "ZDL-09"},
		"HalfASecond":            {"rounds to off", "archive_timeout", "0.5", "ZDL-09"},
		"HalfASecondAndABit":     {"rounds to 500 ms, and those to off", "archive_timeout", "0.5004s", "ZDL-09"},
		"WholeSecond":            {"the least that is on", "archive_timeout", "1s", ""},
		"Octal":                  {"C's numbers that begin with 0 are octal, and 9 is no digit there: it would not start", "archive_timeout", "090", "ZDL-09"},
		"OctalSenders":           {"eight of them, or ten: nobody should have to know", "max_wal_senders", "010", "ZDL-09"},
		"SenderTimeoutTwice":     {"rounds to 500 us, and those to never", "wal_sender_timeout", "0.5004ms", "ZDL-09"},
		"Huge":                   {"a number beyond all bounds", "archive_timeout", "99999999999999999999d", "ZDL-09"},
		"RemoteApply":            {"stronger than on", "synchronous_commit", "remote_apply", ""},
		"SynchronousTrue":        {"PostgreSQL takes a boolean for on", "synchronous_commit", "true", ""},
		"SynchronousLocal":       {"the primary's disk alone", "synchronous_commit", "'Local'", "CNPG-1.2"},
		"SynchronousHalfQuoted":  {"a quote inside is no boolean", "synchronous_commit", "'1  '  '", "CNPG-1.2"},
		"SynchronousNothing":     {"nothing is nothing", "synchronous_commit", "", "CNPG-1.2"},
		"Logical":                {"more WAL than replica", "wal_level", "logical", ""},
		"SlotsUnlimited":         {"-1 is no limit", "max_slot_wal_keep_size", "-1", ""},
		"SlotsKeptForEver":       {"0 is never", "idle_replication_slot_timeout", "0", ""},
		"SlotsDropped":           {"an hour away and gone", "idle_replication_slot_timeout", "1h", "ZDL-09"},
		"EnoughSenders":          {"more than needed", "max_wal_senders", "10", ""},
		"TooFewSenders":          {"fewer than standbys and a backup need", "max_wal_senders", "2", "ZDL-09"},
		"SenderTimeout":          {"in milliseconds", "wal_sender_timeout", "5000", ""},
		"SenderTimeoutNever":     {"0 is never", "wal_sender_timeout", "0", "ZDL-09"},
		"SenderTimeoutRounded":   {"0.4 ms rounds to never", "wal_sender_timeout", "0.4", "ZDL-09"},
		"SenderTimeoutOfAMinute": {"PostgreSQL's own default", "wal_sender_timeout", "1min", ""},
		"SenderTimeoutBeyond":    {"a standby that is gone holds every commit up for so long", "wal_sender_timeout", "60001", "ZDL-09"},
		"ReceiverTimeoutDay":     {"a standby waits for a dead primary", "wal_receiver_timeout", "1d", "ZDL-09"},
		"StatementsBounded":      {"the statement that begins a backup, too", "Statement_Timeout", "30s", "ZDL-09"},
		"StatementsUnbounded":    {"0 is never", "statement_timeout", "0", ""},
		"TransactionsBounded":    {"any number of minutes may be too few", "transaction_timeout", "1h", "ZDL-09"},
		"TransactionsUnbounded":  {"0 is never", "transaction_timeout", "0ms", ""},
		"InvalidPagesIgnored":    {"recovery would go on over damage", "ignore_invalid_pages", "on", "ZDL-09"},
		"InvalidPagesReported":   {"the default", "ignore_invalid_pages", "off", ""},
		"ReadOnly":               {"nobody could write", "default_transaction_read_only", "on", "ZDL-09"},
		"ReadWrite":              {"the default", "default_transaction_read_only", "off", ""},
		"AlterSystem":            {"would undo all of this in SQL", "allow_alter_system", "on", "ZDL-09"},
		"NoAlterSystem":          {"CloudNativePG's default", "allow_alter_system", "off", ""},
		"RestoreCommand":         {"CloudNativePG has its own", "Restore_Command", "cp /x/%f %p", "ZDL-09"},
		"ArchiveLibrary":         {"a second archiver replaces the first", "archive_library", "basic_archive", "ZDL-09"},
		"NoHints":                {"pg_rewind needs them", "wal_log_hints", "off", "ZDL-09"},
		"Hints":                  {"CloudNativePG's default", "wal_log_hints", "on", ""},
		"SyncByOpening":          {"not everywhere does it reach the disk", "wal_sync_method", "open_sync", "ZDL-09"},
		"SyncByOpeningData":      {"nor does this", "wal_sync_method", "Open_Datasync", "ZDL-09"},
		"SyncByFdatasync":        {"the default on Linux", "wal_sync_method", "fdatasync", ""},
		"Minimal":                {"no replication, no archive", "wal_level", "minimal", "ZDL-09"},
		"MD5":                    {"can be reversed", "password_encryption", "md5", "ZDL-09"},
		"SlotsOfLimitedSize":     {"a standby's WAL would be removed", "max_slot_wal_keep_size", "10GB", "ZDL-09"},
		"TooFewSlots":            {"fewer than standbys need", "max_replication_slots", "4", "ZDL-09"},
		"EnoughSlots":            {"the bound itself", "max_replication_slots", "5", ""},
		"ReceiverTimeoutNever":   {"0 is never", "wal_receiver_timeout", "0", "ZDL-09"},
		"Scram":                  {"the default", "password_encryption", "scram-sha-256", ""},
		"NotAnInclude":           {"only whole names", "my.include", "x", ""},
		"SharedPreloadLibraries": {"has a field of its own", "Shared_Preload_Libraries", "x", "ZDL-09"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := contract.JudgeParameters("spec.parameters", map[string]string{tc.name: tc.value}).Violations()
			got := ""
			if len(found) > 0 {
				got = found[0].Rule
			}
			if got != tc.rule || len(found) > 1 {
				t.Errorf("%s: %s = %q: want a refusal by %q, got %v", tc.reason, tc.name, tc.value, tc.rule, found)
			}
		})
	}
}

// TestRemoteWriteIsARelaxationThatIsTold: the specification allows remote_write, and it does not survive everything.
func TestRemoteWriteIsARelaxationThatIsTold(t *testing.T) {
	found := contract.JudgeParameters("spec.parameters", map[string]string{"Synchronous_Commit": "REMOTE_WRITE"})
	want := contract.Findings{{
		Rule: "CNPG-1.2", Path: "spec.parameters.Synchronous_Commit", Value: "REMOTE_WRITE",
		Message: "an acknowledged commit does not survive a crash of the standby's operating system together with the primary",
		Waiver:  "the specification allows remote_write",
	}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(found.Violations()) != 0 {
		t.Error("remote_write refuses")
	}
}

// TestNoValueOfASecretIsQuoted: a finding is shown to everybody (ZDL-12).
func TestNoValueOfASecretIsQuoted(t *testing.T) {
	for _, kv := range [][2]string{
		{"primary_conninfo", "host=db user=postgres password=hunter22"}, {"primary_conninfo", "postgres://postgres:hunter22@db/app"},
		{"Primary_Conninfo", "host=db hunter22"}, {"pg_failover_slots.primary_dsn", "host=db hunter22"}, {"ssl_passphrase_command", "echo hunter22"},
		{"archive_command", "AWS_SECRET_ACCESS_KEY=hunter22 aws s3 cp %p s3://b/"}, {"restore_command", "hunter22"},
		{"cluster_name", "AKIAIOSFODNN7EXAMPLE"}, {"cluster_name", "-----BEGIN RSA PRIVATE KEY-----"}, {"cluster_name", "password = hunter22"},
		{"include", "https://me:hunter22@example.com/"},
	} {
		found := contract.JudgeParameters("spec.parameters", map[string]string{kv[0]: kv[1]})
		if len(found) == 0 {
			t.Errorf("%s is not refused", kv[0])
		}
		for _, f := range found {
			if f.Value != "(not shown)" {
				t.Errorf("%s: %q is quoted as %q", kv[0], kv[1], f.Value)
			}
		}
	}
}
