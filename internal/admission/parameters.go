package admission

import "strings"

// Spellings PostgreSQL takes for on and off: every unambiguous beginning of a word.
var (
	onWords  = list("on", "true", "tru", "tr", "t", "yes", "ye", "y", "1")
	offWords = list("off", "of", "false", "fals", "fal", "fa", "f", "no", "n", "0")
)

// parameterVariables are the settings of PostgreSQL in the form they are compared in.
func parameterVariables() []expression {
	return []expression{
		{"parameters", "object.spec.?postgresql.?parameters.orValue({})"},
		{"archiveTimeout", `variables.parameters[?'archive_timeout'].orValue('5min').replace("'", '').trim()`},
		// A bare number counts seconds; what is not a time is as bad as 0.
		{"archiveSeconds", "!variables.archiveTimeout.matches(" + aTime + ") ? 0.0 : double(variables.archiveTimeout.find('[0-9.]+')) * " +
			"{'us': 0.000001, 'ms': 0.001, '': 1.0, 's': 1.0, 'min': 60.0, 'h': 3600.0, 'd': 86400.0}[variables.archiveTimeout.find('[a-z]*$')]"},
	}
}

// aTime is a time as PostgreSQL reads it; a number that begins with 0 would be octal.
const aTime = "'^[+]?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+) *(us|ms|s|min|h|d)?$'"

// value is a setting without what PostgreSQL does not look at.
const value = `variables.parameters[k].lowerAscii().replace("'", '').trim()`

const (
	// milliseconds is a setting that matches aTime, counted in what PostgreSQL counts most timeouts in.
	milliseconds = "double(" + value + ".find('[0-9.]+')) * " +
		"{'us': 0.001, 'ms': 1.0, '': 1.0, 's': 1000.0, 'min': 60000.0, 'h': 3600000.0, 'd': 86400000.0}[" + value + ".find('[a-z]*$')]"
	// zeroTime is what no time at all looks like.
	zeroTime = `'^(0([.]0*)?|[.]0+) *(us|ms|s|min|h|d)?$'`
)

// parameterChecks repeat the contract's rules for settings (ZDL-09, CNPG-1.2) in CEL; a test holds the two against each
// other, setting by setting.
func parameterChecks() []check {
	each := func(names []string, cel string) string {
		return "variables.parameters.all(k, !(k in " + list(names...) + ") || " + cel + ")"
	}
	on := []string{"fsync", "full_page_writes", "autovacuum", "track_counts", "wal_log_hints"}
	off := []string{"zero_damaged_pages", "ignore_checksum_failure", "ignore_invalid_pages", "default_transaction_read_only", "allow_alter_system"}
	counts := []string{"max_wal_senders", "max_replication_slots"}
	timeouts := []string{"wal_sender_timeout", "wal_receiver_timeout"}
	return []check{
		{"ZDL-09", "variables.parameters.all(k, k == k.lowerAscii().trim())", "spec.postgresql.parameters: names in lower case only: PostgreSQL ignores case, the checks of CloudNativePG do not, and the spelling that wins is an accident"},
		{"ZDL-09", each(on, value+" in "+onWords), "spec.postgresql.parameters: " + strings.Join(on, ", ") + " stay on: without them a crash damages the database and its standbys, or it stops to protect itself"},
		{"ZDL-09", each(off, value+" in "+offWords), "spec.postgresql.parameters: " + strings.Join(off, ", ") + " stay off: with them damage spreads unseen, or durability can be switched off from inside"},
		{"CNPG-1.2", each([]string{"synchronous_commit"}, value+" in "+list("on", "true", "tru", "tr", "t", "yes", "ye", "y", "1", "remote_apply", "remote_write")), "spec.postgresql.parameters: synchronous_commit has to be on or remote_apply: with less, commits are acknowledged before any standby has them"},
		{"ZDL-09", "variables.parameters.all(k, !(k in ['archive_library', 'restore_command']) && !k.startsWith('include'))", "spec.postgresql.parameters: archive_library, restore_command and include replace the archiver or read settings nobody reviews"},
		{"ZDL-09", "variables.archiveSeconds >= 1.0 && variables.archiveSeconds <= 300.0", "spec.postgresql.parameters: archive_timeout is at most 5min and not 0: a quiet database keeps its last commits out of the archive that long"},
		{"ZDL-09", each([]string{"wal_level"}, value+" in ['replica', 'logical']"), "spec.postgresql.parameters: wal_level has to be replica or logical: without it there is neither replication nor archiving"},
		{"ZDL-09", each([]string{"wal_sync_method"}, "!("+value+" in ['open_sync', 'open_datasync'])"), "spec.postgresql.parameters: wal_sync_method does not force WAL to disk on every platform"},
		{"ZDL-09", each(counts, value+".matches('^[1-9][0-9]{0,8}$') && int("+value+") >= 5"), "spec.postgresql.parameters: max_wal_senders and max_replication_slots of 5 or more: standbys and base backups need one each"},
		{"ZDL-09", each(timeouts, value+".matches("+aTime+") && "+milliseconds+" >= 1.0 && "+milliseconds+" <= 60000.0"), "spec.postgresql.parameters: wal_sender_timeout and wal_receiver_timeout are at most 1min and not 0: a dead partner is noticed that late, and every commit may wait for it"},
		{"ZDL-09", each([]string{"statement_timeout", "transaction_timeout"}, value+".matches("+zeroTime+")"), "spec.postgresql.parameters: statement_timeout and transaction_timeout end base backups as well; bound the application's own role: ALTER ROLE … SET"},
		{"ZDL-09", each([]string{"max_slot_wal_keep_size"}, value+" == '-1'"), "spec.postgresql.parameters: max_slot_wal_keep_size lets the primary remove WAL a standby still needs"},
		{"ZDL-09", each([]string{"idle_replication_slot_timeout"}, value+".matches("+zeroTime+")"), "spec.postgresql.parameters: idle_replication_slot_timeout drops the slot of a standby that was away"},
		{"ZDL-09", each([]string{"session_replication_role"}, value+" != 'replica' && !"+value+".contains('\\\\')"), "spec.postgresql.parameters: session_replication_role as replica switches foreign keys and triggers off for everybody"},
		{"ZDL-09", each([]string{"password_encryption"}, value+" != 'md5' && !"+value+".contains('\\\\')"), "spec.postgresql.parameters: password_encryption as md5 can be reversed"},
	}
}
