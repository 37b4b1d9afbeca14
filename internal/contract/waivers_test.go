package contract_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

func TestWaiversFor(t *testing.T) {
	const reason = "zstd is tested every night"
	cases := map[string]struct {
		reason string
		waiver v1beta1.Waiver
		today  string
		holds  bool
	}{
		"Always":             {"no day, no scope: for everybody, for ever", v1beta1.Waiver{Rule: "CNPG-2.3"}, "2026-11-25", true},
		"UntilToday":         {"the last day counts", v1beta1.Waiver{Rule: "CNPG-2.3", Expires: "2026-11-25"}, "2026-11-25", true},
		"UntilYesterday":     {"an expired waiver no longer holds", v1beta1.Waiver{Rule: "CNPG-2.3", Expires: "2026-11-24"}, "2026-11-25", false},
		"DayUnknown":         {"doubt never lowers protection", v1beta1.Waiver{Rule: "CNPG-2.3", Expires: "2099-01-01"}, "", false},
		"DayUnknownNoExpiry": {"without an expiry there is no doubt", v1beta1.Waiver{Rule: "CNPG-2.3"}, "", true},
		"ThisClaim":          {"a scope that names it", v1beta1.Waiver{Rule: "CNPG-2.3", Claims: "shop/orders"}, "2026-11-25", true},
		"ThisNamespace":      {"a pattern", v1beta1.Waiver{Rule: "CNPG-2.3", Claims: "shop/*"}, "2026-11-25", true},
		"OtherNamespace":     {"another one", v1beta1.Waiver{Rule: "CNPG-2.3", Claims: "lab/*"}, "2026-11-25", false},
		"StarAlone":          {"a star stays within a part, so that nobody waives for all by accident", v1beta1.Waiver{Rule: "CNPG-2.3", Claims: "*"}, "2026-11-25", false},
		"BadPattern":         {"what cannot be read does not hold", v1beta1.Waiver{Rule: "CNPG-2.3", Claims: "shop/["}, "2026-11-25", false},
		"UnknownRule":        {"there is nothing to waive", v1beta1.Waiver{Rule: "CNPG-9.9"}, "2026-11-25", false},
		"Gate":               {"ZDL-03 cannot be waived", v1beta1.Waiver{Rule: "ZDL-03"}, "2026-11-25", false},
		"Doubt":              {"nor ZDL-04", v1beta1.Waiver{Rule: "ZDL-04"}, "2026-11-25", false},
		"Secrets":            {"nor ZDL-12", v1beta1.Waiver{Rule: "ZDL-12"}, "2026-11-25", false},
		"Waivers":            {"nor ZDL-14", v1beta1.Waiver{Rule: "ZDL-14"}, "2026-11-25", false},
		"Unreadable":         {"nor that a document can be read", v1beta1.Waiver{Rule: "API-1"}, "2026-11-25", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.waiver.Reason = reason
			p := &v1beta1.Policy{Waivers: []v1beta1.Waiver{tc.waiver}}
			want := contract.Waivers{}
			if tc.holds {
				want[tc.waiver.Rule] = reason
			}
			if diff := cmp.Diff(want, contract.WaiversFor(p, "shop", "orders", tc.today)); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestAWaiverIsNeverSilent: what is waived stays in the list, and says so.
func TestAWaiverIsNeverSilent(t *testing.T) {
	found := contract.Waivers{"CNPG-2.3": "zstd is tested every night"}.Apply(contract.Findings{
		{Rule: "CNPG-2.3", Path: "spec.configuration.wal.compression", Value: "zstd", Message: "is not the codec of the contract", Fix: "write compression: gzip"},
		{Rule: "CNPG-2.2", Path: "spec.configuration.destinationPath", Message: "is missing"},
	})
	want := `spec.configuration.wal.compression: "zstd": is not the codec of the contract; write compression: gzip [CNPG-2.3] (waived by policy: zstd is tested every night)
spec.configuration.destinationPath: is missing [CNPG-2.2]`
	if diff := cmp.Diff(want, found.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if v := found.Violations(); len(v) != 1 || v[0].Rule != "CNPG-2.2" {
		t.Errorf("violations: %v", v)
	}
}

// TestAWaiverKeepsTheReasonThatWasThere: what the specification itself allows is not the platform's decision.
func TestAWaiverKeepsTheReasonThatWasThere(t *testing.T) {
	found := contract.Waivers{"CNPG-1.2": "the platform's"}.Apply(contract.Findings{{Rule: "CNPG-1.2", Waiver: "the specification's"}})
	if got := found[0].Waiver; got != "the specification's" {
		t.Errorf("the reason is now %q", got)
	}
}

func TestFindingsSort(t *testing.T) {
	found := contract.Findings{
		{Object: "b", Path: "x", Rule: "ZDL-01", Message: "2"}, {Object: "b", Path: "x", Rule: "ZDL-01", Message: "1"},
		{Object: "b", Path: "x", Rule: "CNPG-1.1"}, {Object: "b", Path: "a", Rule: "ZDL-09"}, {Object: "a", Path: "z", Rule: "ZDL-09"},
	}.Sort()
	want := "a: z:  [ZDL-09]\nb: a:  [ZDL-09]\nb: x:  [CNPG-1.1]\nb: x: 1 [ZDL-01]\nb: x: 2 [ZDL-01]"
	if diff := cmp.Diff(want, found.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
