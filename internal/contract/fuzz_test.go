package contract_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// FuzzJudgeManifests: whatever is in the documents, judging them neither panics nor runs away, names known rules, and
// says the same twice.
func FuzzJudgeManifests(f *testing.F) {
	seed := func(set []manifest.Object) {
		raw, err := json.Marshal(set)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint8(3))
	}
	for _, name := range goodSets {
		set, _ := good(f, name)
		seed(set)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "hostile", "*", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			if section.Name == "manifests.yaml" {
				seed(read(f, file, string(section.Data)))
			}
		}
	}
	f.Add([]byte(`[{"kind":"List","items":[{"kind":"List","items":[null,1,{}]}]},{"kind":"Object","apiVersion":"kubernetes.m.crossplane.io/v1alpha1"}]`), uint8(0))

	f.Fuzz(func(t *testing.T, raw []byte, options uint8) {
		var docs []map[string]any
		if json.Unmarshal(raw, &docs) != nil {
			return
		}
		set := make([]manifest.Object, len(docs))
		nodes := 1
		for i, d := range docs {
			set[i] = manifest.Object(d)
			nodes += size(d)
		}
		o := contract.Options{Complete: options&1 != 0, Composed: options&2 != 0}
		if options&4 != 0 {
			o.Method, o.MaxLockDays, o.LockDays, o.RetentionDays = "plugin", 90, 40, 33
		}
		found := contract.JudgeManifests(set, o)
		for _, finding := range found {
			if _, known := contract.RuleByID(finding.Rule); !known {
				t.Errorf("unknown rule %q", finding.Rule)
			}
			if finding.Message == "" {
				t.Errorf("a finding without a message: %+v", finding)
			}
		}
		if most := 60 * nodes; len(found) > most {
			t.Errorf("%d findings in %d fields", len(found), nodes)
		}
		if diff := cmp.Diff(found, contract.JudgeManifests(set, o)); diff != "" {
			t.Errorf("the second judgement differs from the first:\n%s", diff)
		}
	})
}

func size(value any) int {
	n := 1
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			n += size(item)
		}
	case []any:
		for _, item := range v {
			n += size(item)
		}
	}
	return n
}

// FuzzParameters holds the judge of settings against PostgreSQL's own reading: a setting that passes is not one of those
// that lose data, however its name and its value are spelt.
func FuzzParameters(f *testing.F) {
	for _, kv := range [][2]string{
		{"fsync", "off"}, {"FSYNC", "of"}, {"fsync", "yes"}, {"full_page_writes", "N"}, {"archive_timeout", "1h"}, {"archive_timeout", "0.4"},
		{"wal_sender_timeout", "0.3"}, {"synchronous_commit", "'local'"}, {" include_dir ", "/tmp"}, {"a=b", "c"}, {"work_mem", "4MB\n"},
		{"archive_library", ""}, {"ſync", "x"}, {"password_encryption", `m\1445`}, {"wal_level", "MINIMAL"},
		{"statement_timeout", "0.4"}, {"transaction_timeout", "30s"}, {"wal_receiver_timeout", "60.0004s"},
		{"archive_timeout", "300"}, {"archive_timeout", "0.5004s"}, {"archive_timeout", "090"}, {"wal_receiver_timeout", "5 s"}, {"wal_sender_timeout", "0.5004ms"},
		{"idle_replication_slot_timeout", "0"}, {"max_wal_senders", "10"}, {"max_replication_slots", "0x4"}, {"max_slot_wal_keep_size", "-1"},
		{"synchronous_commit", "remote_apply"}, {"synchronous_commit", "of"}, {"wal_level", "logical"}, {"wal_sync_method", "open_sync"}, {"session_replication_role", "replica"},
		{"recovery_target_time", "x"}, {"synchronous_standby_names", ""}, {"track_counts", "0"}, {"wal_log_hints", "f"}, {"allow_alter_system", "1"},
	} {
		f.Add(kv[0], kv[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		settings := map[string]string{name: value}
		found := contract.JudgeParameters("at", settings).Violations()
		for _, finding := range found {
			if finding.Rule != "ZDL-09" && finding.Rule != "CNPG-1.2" {
				t.Errorf("rule %q", finding.Rule)
			}
			if len(finding.Value) > 100 {
				t.Errorf("the value is quoted at %d bytes", len(finding.Value))
			}
		}
		if len(contract.JudgeParameters("at", map[string]string{strings.ToUpper(name): value}).Violations()) != len(found) && isASCII(name) {
			t.Errorf("%q is judged by its case", name)
		}
		if len(found) > 0 {
			return
		}
		plain := strings.ToLower(strings.TrimSpace(name))
		if safe, carries := safeSettings[plain]; carries && !safe(reading(value)) {
			t.Errorf("%s = %q passes", name, value)
		}
		if strings.HasPrefix(plain, "include") || strings.ContainsAny(name, "=\n#'") || strings.ContainsAny(value, "\n\r\x00") {
			t.Errorf("%s = %q passes", name, value)
		}
	})
}

// safeSettings are the settings the contract has a floor or a forbidden value for, with PostgreSQL's reading of a value that
// keeps it: written down a second time, from PostgreSQL's manual and source and not from the judge.
var safeSettings = map[string]func(value string) bool{
	"fsync": boolean(true), "full_page_writes": boolean(true), "autovacuum": boolean(true), "track_counts": boolean(true), "wal_log_hints": boolean(true),
	"zero_damaged_pages": boolean(false), "ignore_checksum_failure": boolean(false), "ignore_invalid_pages": boolean(false),
	"default_transaction_read_only": boolean(false), "allow_alter_system": boolean(false),
	"synchronous_commit":            func(v string) bool { return boolean(true)(v) || one("remote_write", "remote_apply")(v) },
	"wal_level":                     one("replica", "logical"),
	"wal_sync_method":               none("open_sync", "open_datasync"),
	"session_replication_role":      none("replica"),
	"password_encryption":           none("md5"),
	"archive_timeout":               between(1, 300, time.Second),
	"wal_sender_timeout":            between(1, 60000, time.Millisecond),
	"wal_receiver_timeout":          between(1, 60000, time.Millisecond),
	"idle_replication_slot_timeout": between(0, 0, time.Second),
	"statement_timeout":             between(0, 0, time.Millisecond),
	"transaction_timeout":           between(0, 0, time.Millisecond),
	"max_wal_senders":               between(5, math.MaxInt32, 0),
	"max_replication_slots":         between(5, math.MaxInt32, 0),
	"max_slot_wal_keep_size":        between(-1, -1, 0),

	"archive_mode": never, "archive_command": never, "archive_library": never, "archive_cleanup_command": never, "restore_command": never,
	"synchronous_standby_names": never, "synchronized_standby_slots": never, "primary_conninfo": never, "primary_slot_name": never, "hot_standby": never,
	"data_sync_retry": never, "restart_after_crash": never, "allow_system_table_mods": never, "data_directory": never, "config_file": never, "hba_file": never,
	"recovery_target": never, "recovery_target_action": never, "recovery_target_inclusive": never, "recovery_target_lsn": never, "recovery_target_name": never,
	"recovery_target_time": never, "recovery_target_timeline": never, "recovery_target_xid": never, "recovery_end_command": never, "recovery_min_apply_delay": never,
	"ident_file": never, "shared_preload_libraries": never, "ssl": never, "listen_addresses": never, "port": never,
}

func never(string) bool { return false }

func one(words ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(words, strings.ToLower(value)) }
}

func none(words ...string) func(string) bool {
	return func(value string) bool { return !one(words...)(value) }
}

func boolean(want bool) func(string) bool {
	return func(value string) bool {
		on, ok := parseBool(strings.ToLower(value))
		return ok && on == want
	}
}

func between(least, most float64, unit time.Duration) func(string) bool {
	return func(value string) bool {
		n, ok := parseNumber(value, unit)
		return ok && n >= least && n <= most
	}
}

// reading is a value as it comes out of the configuration file, where backslashes are resolved; spaces and quotes around it
// are nobody's.
func reading(value string) string {
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), "'"))
	return backslashes.ReplaceAllStringFunc(value, func(escape string) string {
		if code, err := strconv.ParseUint(escape[1:], 8, 16); err == nil {
			return string([]byte{byte(code)})
		}
		if at := strings.IndexByte("bfnrt", escape[1]); at >= 0 {
			return "\b\f\n\r\t"[at : at+1]
		}
		return escape[1:]
	})
}

var backslashes = regexp.MustCompile(`(?s)\\([0-7]{1,3}|.)`)

// parseNumber is PostgreSQL's parse_int with its convert_to_base_unit: a number as C reads it, octal and hexadecimal included, and a
// unit where the setting has one. A unit's fraction is rounded to the next smaller unit before the whole is.
func parseNumber(value string, base time.Duration) (n float64, ok bool) {
	parts := number.FindStringSubmatch(value)
	if parts == nil {
		return 0, false
	}
	whole, err := strconv.ParseInt(parts[1], 0, 64)
	n = float64(whole)
	if err != nil && strings.ContainsAny(parts[1], ".eE") {
		n, err = strconv.ParseFloat(parts[1], 64)
	}
	if err != nil {
		return 0, false
	}
	if parts[2] == "" {
		return math.RoundToEven(n), true
	}
	at := slices.IndexFunc(timeUnits, func(u timeUnit) bool { return u.name == parts[2] })
	if base == 0 || at < 0 {
		return 0, false
	}
	n *= float64(timeUnits[at].size) / float64(base)
	if at+1 < len(timeUnits) {
		smaller := float64(timeUnits[at+1].size) / float64(base)
		n = math.RoundToEven(n/smaller) * smaller
	}
	return math.RoundToEven(n), true
}

var number = regexp.MustCompile(`^[\s\v]*([+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?))[\s\v]*([a-zA-Z]*)[\s\v]*$`)

type timeUnit struct {
	name string
	size time.Duration
}

var timeUnits = []timeUnit{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// parseBool is PostgreSQL's parse_bool_with_len, written down a second time: prefixes of true, false, yes and no; on,
// off and of; 1 and 0; in lower case.
func parseBool(v string) (on, ok bool) {
	if v == "" {
		return false, false
	}
	switch v[0] {
	case 't':
		return true, isPrefix(v, "true")
	case 'f':
		return false, isPrefix(v, "false")
	case 'y':
		return true, isPrefix(v, "yes")
	case 'n':
		return false, isPrefix(v, "no")
	case 'o':
		return v == "on", v == "on" || v == "of" || v == "off"
	case '1':
		return true, v == "1"
	case '0':
		return false, v == "0"
	}
	return false, false
}

func isPrefix(v, word string) bool { return strings.HasPrefix(word, v) }
