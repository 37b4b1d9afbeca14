package contract_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

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
		switch plain {
		case "fsync", "full_page_writes", "autovacuum":
			if on, ok := parseBool(value); !ok || !on {
				t.Errorf("%s = %q passes", name, value)
			}
		case "zero_damaged_pages", "ignore_checksum_failure":
			if on, ok := parseBool(value); !ok || on {
				t.Errorf("%s = %q passes", name, value)
			}
		case "archive_library", "archive_command", "archive_mode", "restore_command":
			t.Errorf("%s = %q passes", name, value)
		}
		if strings.HasPrefix(plain, "include") || strings.ContainsAny(name, "=\n#'") || strings.ContainsAny(value, "\n\r\x00") {
			t.Errorf("%s = %q passes", name, value)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// parseBool is PostgreSQL's parse_bool_with_len, written down a second time: prefixes of true, false, yes and no; on,
// off and of; 1 and 0.
func parseBool(value string) (on, ok bool) {
	v := strings.ToLower(strings.TrimSpace(strings.Trim(strings.TrimSpace(value), "'")))
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
