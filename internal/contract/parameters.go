package contract

import (
	"cmp"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// maxUnanswered is how long sender and receiver of WAL may wait for each other: PostgreSQL's own default. CloudNativePG's is
// 5 seconds.
const maxUnanswered = time.Minute

// maxArchiveTimeout is how long a quiet database may keep a WAL file to itself (ZDL-09).
const maxArchiveTimeout = 5 * time.Minute

// fixedParameters are the operator's own: CloudNativePG refuses them in lower case, and lets other spellings pass.
var fixedParameters = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`
		allow_system_table_mods archive_cleanup_command archive_command archive_mode bonjour bonjour_name cluster_name
		config_file data_directory data_sync_retry event_source external_pid_file hba_file hot_standby ident_file
		jit_provider listen_addresses log_destination log_directory log_file_mode log_filename log_rotation_age
		log_rotation_size log_truncate_on_rotation logging_collector pg_failover_slots.primary_dsn
		pg_failover_slots.standby_slot_names port primary_conninfo primary_slot_name promote_trigger_file
		recovery_end_command recovery_min_apply_delay recovery_target recovery_target_action recovery_target_inclusive
		recovery_target_lsn recovery_target_name recovery_target_time recovery_target_timeline recovery_target_xid
		restart_after_crash restore_command shared_preload_libraries ssl ssl_ca_file ssl_cert_file ssl_crl_file
		ssl_crl_dir ssl_dh_params_file ssl_key_file ssl_passphrase_command ssl_passphrase_command_supports_reload
		ssl_prefer_server_ciphers stats_temp_directory synchronous_standby_names synchronized_standby_slots
		syslog_facility syslog_ident syslog_sequence_numbers syslog_split_messages temp_tablespaces
		unix_socket_directories unix_socket_group unix_socket_permissions`) {
		m[name] = true
	}
	return m
}()

// parameterRule says what is wrong with one setting, "" where nothing is. value is as written.
type parameterRule func(value string) (message string)

// parameterRules are the settings CloudNativePG accepts and the contract does not (ZDL-09).
var parameterRules = map[string]parameterRule{
	"fsync":                         mustBe(true, "a crash of the node corrupts the database, and its standbys with it"),
	"full_page_writes":              mustBe(true, "a torn page after a crash cannot be repaired, and base backups taken meanwhile are broken"),
	"autovacuum":                    mustBe(true, "transaction IDs run out and the database stops to protect itself"),
	"track_counts":                  mustBe(true, "autovacuum does not start without it, and the database stops to protect itself"),
	"zero_damaged_pages":            mustBe(false, "damaged pages are overwritten with zeros instead of being reported"),
	"ignore_checksum_failure":       mustBe(false, "damaged pages are read, replicated and backed up as if they were sound"),
	"ignore_invalid_pages":          mustBe(false, "recovery continues over damage and loses what lay there"),
	"default_transaction_read_only": mustBe(false, "applications cannot write, which looks like an outage nobody can find"),
	"archive_library":               never("an archive library replaces the archiver: no WAL reaches the bucket any more"),
	"restore_command":               never("it replaces CloudNativePG's own"),
	"allow_alter_system":            mustBe(false, "any superuser can then switch durability off behind the contract's back"),
	"wal_log_hints":                 mustBe(true, "a former primary cannot be rewound into a standby, and CloudNativePG refuses the Cluster"),
	"wal_level":                     oneOf("without at least replica there is neither replication nor archiving", "replica", "logical"),
	"wal_sync_method":               notOneOf("it does not force WAL to disk on every platform", "open_sync", "open_datasync"),
	"archive_timeout": func(value string) string {
		d, ok := postgresTime(value, time.Second)
		switch {
		case !ok:
			return "is not a time: how long a quiet database keeps its last commits to itself cannot be judged"
		case d < time.Second: // PostgreSQL rounds, in two steps (0.5004 s is 500 ms is 0 s), and 0 is off.
			return "switches the timeout off: a quiet database never archives its last commits"
		case d > maxArchiveTimeout:
			return fmt.Sprintf("keeps the last commits of a quiet database out of the archive for %s; 5 minutes is the most", schedule.Duration(d))
		}
		return ""
	},
	"max_wal_senders":       atLeast(5, "standbys and base backups need one sender each: replication stops"),
	"max_replication_slots": atLeast(5, "standbys need a slot each: they fall behind beyond recovery"),
	"wal_sender_timeout":    answered("a dead standby", "every commit may wait for it"),
	"wal_receiver_timeout":  answered("a dead primary", "its standbys wait for it"),
	"statement_timeout":     off("cancels base backups as well: each begins with a statement that waits for a checkpoint, for minutes"),
	"transaction_timeout":   off("ends base backups as well: each begins with a statement that waits for a checkpoint, for minutes"),
	"max_slot_wal_keep_size": func(value string) string {
		if strings.Trim(strings.TrimSpace(value), "'") == "-1" {
			return ""
		}
		return "lets the primary remove WAL a standby still needs: the standby is lost and has to be rebuilt"
	},
	"idle_replication_slot_timeout": func(value string) string {
		if d, ok := postgresTime(value, time.Second); ok && d == 0 {
			return ""
		}
		return "drops the slot of a standby that was away: the standby is lost and has to be rebuilt"
	},
	"session_replication_role": notOneOf("foreign keys and triggers fire for nobody any more: what belongs together is lost piece by piece, and nothing reports it", "replica"),
	"password_encryption":      notOneOf("MD5 hashes can be reversed", "md5"),
}

func mustBe(want bool, consequence string) parameterRule {
	return func(value string) string {
		on, ok := postgresBool(value)
		if ok && on == want {
			return ""
		}
		return consequence
	}
}

func never(consequence string) parameterRule {
	return func(string) string { return consequence }
}

func oneOf(consequence string, allowed ...string) parameterRule {
	return func(value string) string {
		for _, a := range allowed {
			if strings.EqualFold(strings.TrimSpace(value), a) {
				return ""
			}
		}
		return consequence
	}
}

func notOneOf(consequence string, refused ...string) parameterRule {
	return func(value string) string {
		// PostgreSQL resolves backslashes inside quotes, so that "md\\065" is md5.
		plain := strings.Trim(strings.TrimSpace(value), "'")
		for _, r := range refused {
			if strings.EqualFold(plain, r) || strings.Contains(plain, `\`) {
				return consequence
			}
		}
		return ""
	}
}

func atLeast(least int64, consequence string) parameterRule {
	return func(value string) string {
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err == nil && n >= least && !isOctal(strings.TrimSpace(value)) {
			return ""
		}
		return consequence
	}
}

// answered bounds how long one side of replication waits for the other.
func answered(dead, meanwhile string) parameterRule {
	return func(value string) string {
		// PostgreSQL rounds these to whole milliseconds, in two steps, and 0 is never.
		switch d, ok := postgresTime(value, time.Millisecond); {
		case !ok || d < time.Millisecond:
			return dead + " is never noticed, and " + meanwhile
		case d > maxUnanswered:
			return fmt.Sprintf("%s is noticed after %s only, and so long %s; a minute is the most", dead, schedule.Duration(d), meanwhile)
		}
		return ""
	}
}

// off is a timeout that must not be set for everybody.
func off(consequence string) parameterRule {
	return func(value string) string {
		if d, ok := postgresTime(value, time.Millisecond); ok && d == 0 {
			return ""
		}
		return consequence
	}
}

// fixes are what to do about a setting where removing it is not all that can be said.
var fixes = map[string]string{
	"statement_timeout":   "remove it; bound the application's own role: ALTER ROLE … SET statement_timeout",
	"transaction_timeout": "remove it; bound the application's own role: ALTER ROLE … SET transaction_timeout",
}

// JudgeParameters judges PostgreSQL settings (ZDL-09, CNPG-1.2), comparing names the way PostgreSQL does.
func JudgeParameters(at string, parameters map[string]string) Findings {
	var found Findings
	names := make([]string, 0, len(parameters))
	for name := range parameters {
		names = append(names, name)
	}
	sort.Strings(names)
	seen := map[string]string{}
	for _, written := range names {
		value := parameters[written]
		name := strings.ToLower(strings.TrimSpace(written))
		where := at + "." + written
		refuse := func(rule, message, fix string) {
			found = append(found, Finding{Rule: rule, Path: where, Value: shown(name, value), Message: message, Fix: fix})
		}
		if first, double := seen[name]; double {
			refuse("ZDL-09", fmt.Sprintf("is the same setting as %q for PostgreSQL, and which one wins is an accident", first), "write it once, in lower case")
		}
		seen[name] = written
		if strings.ContainsAny(written+value, "\n\r\x00") || !isParameterName(name) {
			refuse("ZDL-09", "could smuggle a second setting into postgresql.conf", "write one plain name and one plain value")
			continue
		}
		switch {
		case name == "synchronous_commit":
			if message := judgeSynchronousCommit(value); message != "" {
				refuse("CNPG-1.2", message, "remove it; the contract sets it to on")
			} else if isRemoteWrite(value) {
				found = append(found, Finding{
					Rule: "CNPG-1.2", Path: where, Value: value,
					Message: "an acknowledged commit does not survive a crash of the standby's operating system together with the primary",
					Waiver:  "the specification allows remote_write",
				})
			}
		case fixedParameters[name]:
			refuse("ZDL-09", "belongs to CloudNativePG: replication, archiving and failover rely on its value", "remove it")
		case strings.HasPrefix(name, "include"):
			refuse("ZDL-09", "reads settings from a file nobody reviews", "write the settings here")
		case carriesPassword(value):
			found = append(found, Finding{Rule: "ZDL-12", Path: where, Message: "contains a password in plain sight, which everybody who can read it may use", Fix: "remove it and rotate it"})
		default:
			if judge := parameterRules[name]; judge != nil {
				if message := judge(value); message != "" {
					refuse("ZDL-09", message, cmp.Or(fixes[name], "remove it"))
				}
			}
		}
	}
	return found
}

// isParameterName says whether PostgreSQL's configuration parser takes name for the name of a setting, and for nothing
// else.
func isParameterName(name string) bool {
	for i := range len(name) {
		b := name[i]
		if !isNameByte(b) && (i == 0 || b != '.' && b != '$') || b == ':' {
			return false
		}
	}
	return name != "" && (name[0] < '0' || name[0] > '9')
}

func judgeSynchronousCommit(value string) string {
	v := strings.ToLower(strings.Trim(strings.TrimSpace(value), "'"))
	switch v {
	case "remote_apply", "remote_write":
		return ""
	case "local":
		return "commits are acknowledged before any standby has them: losing the primary loses them"
	}
	if on, ok := postgresBool(value); ok && on {
		return ""
	}
	return "commits are acknowledged before they are safe anywhere: losing the primary loses them"
}

func isRemoteWrite(value string) bool {
	return strings.EqualFold(strings.Trim(strings.TrimSpace(value), "'"), "remote_write")
}

// shown is the value of a setting as it may be quoted: commands and connection strings hold keys and passwords in more forms
// than can be told, and what is wrong with them is never the value.
func shown(name, value string) string {
	for _, suffix := range []string{"_command", "_conninfo", "_dsn"} {
		if strings.HasSuffix(name, suffix) && value != "" {
			return hidden
		}
	}
	return shorten(value)
}

// shorten keeps messages readable and bounded whatever was written, and free of secrets (ZDL-12).
func shorten(value string) string {
	const most = 80
	plain := strings.ToLower(strings.ReplaceAll(value, " ", ""))
	if _, rest, url := strings.Cut(plain, "://"); looksSecret(value) || strings.Contains(plain, "password=") || strings.Contains(plain, "passphrase") || url && strings.Contains(rest, "@") {
		return hidden
	}
	if len(value) <= most {
		return value
	}
	cut := most
	for cut > 0 && value[cut]&0xC0 == 0x80 {
		cut--
	}
	return value[:cut] + "…"
}
