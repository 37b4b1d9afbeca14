package schemas

import (
	"maps"
	"strings"
	"testing"
)

// spec and status make one claim; status nil means that the database does not exist yet.
type instance struct {
	name         string
	spec, status map[string]any
}

func (i instance) object(kind string) map[string]any {
	name := i.name
	if name == "" {
		name = "agent-db"
	}
	metadata := map[string]any{"name": name, "namespace": "agents"}
	if kind == "XPostgresInstance" {
		delete(metadata, "namespace")
		metadata["name"] = name + "-x7k2p"
	}
	o := map[string]any{"apiVersion": "database.bizmatters.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": maps.Clone(i.spec)}
	if i.spec == nil {
		o["spec"] = map[string]any{}
	}
	if i.status != nil {
		o["status"] = i.status
	}
	return o
}

// eachKind runs a test for the claim, its composite resource and the namespaced composite resource.
func eachKind(t *testing.T, run func(t *testing.T, kind string, v *Validator)) {
	t.Helper()
	for file := range xrdFiles {
		crds, err := CRDs(file)
		if err != nil {
			t.Fatal(err)
		}
		for kind, crd := range crds {
			v, err := newValidator(crd, &crd.Spec.Versions[0])
			if err != nil {
				t.Fatal(err)
			}
			t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "../../apis/xrd-"), ".yaml")+"/"+kind, func(t *testing.T) { run(t, kind, v) })
		}
	}
}

// alive is the status of a database that exists.
var alive = map[string]any{"version": "16", "database": "agent-db", "owner": "agent-db"}

func TestTransitions(t *testing.T) {
	recovery := map[string]any{"recovery": map[string]any{"source": "agent-db-v15"}}
	other := map[string]any{"recovery": map[string]any{"source": "agent-db-v14"}}

	cases := map[string]struct {
		reason string
		from   instance
		to     map[string]any
		// want is part of the refusal; empty means that the change is allowed.
		want string
	}{
		"VersionBeforeItExists": {
			reason: "A typo is repaired as long as nothing has been created.",
			from:   instance{spec: map[string]any{"version": "15"}},
			to:     map[string]any{"version": "16"},
		},
		"VersionWhileWaiting": {
			reason: "A status without a version says that the database does not exist yet.",
			from:   instance{spec: map[string]any{"version": "15"}, status: map[string]any{"phase": "waiting"}},
			to:     map[string]any{"version": "16"},
		},
		"Version": {
			reason: "A major cannot change in place.",
			from:   instance{spec: map[string]any{"version": "16"}, status: alive},
			to:     map[string]any{"version": "17"},
			want:   "version is frozen",
		},
		"VersionDefaultWritten": {
			reason: "Writing the default out changes nothing.",
			from:   instance{status: alive},
			to:     map[string]any{"version": "16"},
		},
		"VersionDefaultRemoved": {
			reason: "Leaving the field out means 16.",
			from:   instance{spec: map[string]any{"version": "16"}, status: alive},
			to:     map[string]any{},
		},
		"VersionRemoved": {
			reason: "Leaving the field out means 16, which is not what runs.",
			from:   instance{spec: map[string]any{"version": "15"}, status: map[string]any{"version": "15"}},
			to:     map[string]any{},
			want:   "version is frozen",
		},
		"VersionCorrected": {
			reason: "A claim committed over an orphan of another major is corrected to what runs.",
			from:   instance{spec: map[string]any{"version": "16"}, status: map[string]any{"version": "15"}},
			to:     map[string]any{"version": "15"},
		},
		"Database": {
			reason: "The database is made once.",
			from:   instance{spec: map[string]any{"database": "a"}, status: map[string]any{"version": "16", "database": "a"}},
			to:     map[string]any{"database": "b"},
			want:   "database is frozen",
		},
		"DatabaseDefaultWritten": {
			reason: "Writing out what was created by default changes nothing.",
			from:   instance{status: alive},
			to:     map[string]any{"database": "agent-db"},
		},
		"DatabaseAdded": {
			reason: "What was created has another name.",
			from:   instance{status: alive},
			to:     map[string]any{"database": "other"},
			want:   "database is frozen",
		},
		"DatabaseRemoved": {
			reason: "Without the field the name would be the claim's.",
			from:   instance{spec: map[string]any{"database": "a"}, status: alive},
			to:     map[string]any{},
			want:   "database is frozen",
		},
		"DatabaseBeforeItExists": {
			reason: "Nothing has been created.",
			from:   instance{spec: map[string]any{"database": "a"}},
			to:     map[string]any{"database": "b"},
		},
		"Owner": {
			reason: "The role is made once.",
			from:   instance{spec: map[string]any{"owner": "a"}, status: alive},
			to:     map[string]any{"owner": "b"},
			want:   "owner is frozen",
		},
		"OwnerRemoved": {
			reason: "Without the field the role would be named after the database.",
			from:   instance{spec: map[string]any{"owner": "a"}, status: alive},
			to:     map[string]any{},
			want:   "owner is frozen",
		},
		"BootstrapAdded": {
			reason: "A recovery stanza never rolls a live database back.",
			from:   instance{status: alive},
			to:     map[string]any{"bootstrap": recovery},
			want:   "bootstrap is frozen",
		},
		"BootstrapRemoved": {
			reason: "The stanza says where the data came from.",
			from:   instance{spec: map[string]any{"bootstrap": recovery}, status: alive},
			to:     map[string]any{},
			want:   "bootstrap is frozen",
		},
		"BootstrapChanged": {
			reason: "The stanza has been read.",
			from:   instance{spec: map[string]any{"bootstrap": recovery}, status: alive},
			to:     map[string]any{"bootstrap": other},
			want:   "bootstrap is frozen",
		},
		"BootstrapKept": {
			reason: "Everything else may still change.",
			from:   instance{spec: map[string]any{"bootstrap": recovery}, status: alive},
			to:     map[string]any{"bootstrap": recovery, "size": "large"},
		},
		"BootstrapBeforeItExists": {
			reason: "The function tells users to write the stanza when it finds an orphaned archive.",
			from:   instance{status: map[string]any{"contract": map[string]any{"verdict": "Violated"}}},
			to:     map[string]any{"bootstrap": recovery},
		},
		"Upgrade": {
			reason: "The method is chosen once.",
			from:   instance{spec: map[string]any{"upgrade": map[string]any{"method": "import"}}, status: alive},
			to:     map[string]any{"upgrade": map[string]any{"method": "logicalReplication"}},
			want:   "upgrade is frozen",
		},
		"StorageGrows": {
			reason: "Volumes grow.",
			from:   instance{spec: map[string]any{"storageGB": int64(20)}, status: alive},
			to:     map[string]any{"storageGB": int64(40)},
		},
		"StorageShrinks": {
			reason: "Volumes never shrink.",
			from:   instance{spec: map[string]any{"storageGB": int64(40)}},
			to:     map[string]any{"storageGB": int64(20)},
			want:   "storageGB only grows",
		},
		"StorageShrinksToTheDefault": {
			reason: "Leaving the field out means 20.",
			from:   instance{spec: map[string]any{"storageGB": int64(40)}},
			to:     map[string]any{},
			want:   "storageGB only grows",
		},
		"WALVolumeAdded": {
			reason: "CloudNativePG can add one.",
			from:   instance{status: alive},
			to:     map[string]any{"walStorageGB": int64(10)},
		},
		"WALVolumeRemoved": {
			reason: "CloudNativePG cannot take one away.",
			from:   instance{spec: map[string]any{"walStorageGB": int64(10)}, status: alive},
			to:     map[string]any{},
			want:   "walStorageGB only grows",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, kind string, v *Validator) {
				t.Helper()
				from := tc.from.object(kind)
				to := instance{spec: tc.to, status: tc.from.status}.object(kind)
				judge(t, tc.reason, tc.want, v.Update(from, to))
			})
		})
	}
}

func TestCreation(t *testing.T) {
	cases := map[string]struct {
		reason string
		claim  instance
		want   string
		// claimsOnly: Crossplane names the composite resource behind a claim, not the developer.
		claimsOnly bool
	}{
		"Least":         {reason: "Every field has a default.", claim: instance{}},
		"TwoInstances":  {reason: "CNPG-1.1.", claim: instance{spec: map[string]any{"instances": int64(2)}}, want: "should be greater than or equal to 3"},
		"ShortWindow":   {reason: "CNPG-3.2.", claim: instance{spec: map[string]any{"backup": map[string]any{"retentionDays": int64(7)}}}, want: "should be greater than or equal to 30"},
		"UnknownField":  {reason: "Crossplane applies claims as they are; the API server knows the fields.", claim: instance{spec: map[string]any{"storageGb": int64(20)}}, want: "unknown field"},
		"UnknownSize":   {reason: "A closed list.", claim: instance{spec: map[string]any{"size": "huge"}}, want: "Unsupported value"},
		"NumberVersion": {reason: "YAML reads 16 as a number.", claim: instance{spec: map[string]any{"version": int64(16)}}, want: "must be of type string"},
		"TwoBootstraps": {
			reason: "A database starts from one place.",
			claim: instance{spec: map[string]any{"bootstrap": map[string]any{
				"recovery": map[string]any{"source": "a"}, "import": map[string]any{"source": "b"},
			}}},
			want: "exactly one of recovery and import",
		},
		"NoBootstrap": {reason: "An empty stanza means nothing.", claim: instance{spec: map[string]any{"bootstrap": map[string]any{}}}, want: "exactly one of recovery and import"},
		"TwoTargets": {
			reason: "PostgreSQL stops at one place.",
			claim: instance{spec: map[string]any{"bootstrap": map[string]any{"recovery": map[string]any{
				"source": "a", "targetTime": "2026-11-20T10:00:00Z", "targetLSN": "0/3000028",
			}}}},
			want: "at most one recovery target",
		},
		"NoSource":  {reason: "Something has to be recovered.", claim: instance{spec: map[string]any{"bootstrap": map[string]any{"recovery": map[string]any{"exclusive": true}}}}, want: "name the source claim"},
		"LongName":  {reason: "ZDL-06: CloudNativePG's limit.", claim: instance{name: "a" + strings.Repeat("b", 50)}, want: "50", claimsOnly: true},
		"Longest":   {reason: "ZDL-06: and the composite resource behind it gets six characters more.", claim: instance{name: "a" + strings.Repeat("b", 49)}},
		"Dot":       {reason: "ZDL-06: Services are named after it.", claim: instance{name: "agent.db"}, want: "up to 50 lower-case letters", claimsOnly: true},
		"DigitName": {reason: "ZDL-06: Services are named after it.", claim: instance{name: "1db"}, want: "up to 50 lower-case letters", claimsOnly: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, kind string, v *Validator) {
				t.Helper()
				if tc.claimsOnly && kind == "XPostgresInstance" {
					t.Skip("named by Crossplane")
				}
				judge(t, tc.reason, tc.want, v.Create(tc.claim.object(kind)))
			})
		})
	}
}

func judge(t *testing.T, reason, want string, got []string) {
	t.Helper()
	all := strings.Join(got, "\n")
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("%s\nrefused: %s", reason, all)
	case want != "" && !strings.Contains(all, want):
		t.Errorf("%s\nwant a refusal that contains %q, got: %s", reason, want, all)
	}
}
