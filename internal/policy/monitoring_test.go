package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
)

func TestMonitoring(t *testing.T) {
	cases := map[string]struct {
		reason     string
		monitoring map[string]any
		want       []string
	}{
		"Sound": {
			reason: "What the documentation shows.",
			monitoring: map[string]any{
				"severities":       map[string]any{"PostgresControllersNotRedundant": "info"},
				"alertLabels":      map[string]any{"team": "platform"},
				"alertAnnotations": map[string]any{"wiki": "https://wiki.example.org/postgres"},
			},
		},
		"UnknownAlert": {
			reason:     "A typing error must not leave somebody believing that an alert was lowered, or raised.",
			monitoring: map[string]any{"severities": map[string]any{"PostgresDown": "critical"}},
			want: []string{
				`monitoring.severities.PostgresDown: "critical": is about an alert that does not exist: the one that was meant keeps its severity; ` +
					`write one of PostgresArchivingStalled, PostgresArchivingFailing, PostgresArchiveBacklog, PostgresBackupFailed, PostgresBackupMissing, ` +
					`PostgresBackupTooOld, PostgresRecoveryWindowShrunk, PostgresCredentialsNotSynced, PostgresMetricsAbsent, PostgresInstanceMetricsMissing, ` +
					`PostgresContractMetricsAbsent, PostgresSupportMetricsAbsent, PostgresMetricsFailing, PostgresNoPrimary, PostgresNoStandby, ` +
					`PostgresStandbyMissing, PostgresSyncNotEnforced, PostgresDurabilitySettingOff, PostgresInstancesShareNode, PostgresInstanceFenced, ` +
					`PostgresReplicationLag, PostgresVolumeFilling, PostgresVolumeFull, PostgresDurabilityOverride, PostgresUnloggedRelations, ` +
					`PostgresDatabaseNotInspected, PostgresSlotHoldsWAL, PostgresSlotLost, PostgresChecksumFailure, PostgresOperatorDown, ` +
					`PostgresBackupPluginDown, PostgresControllersNotRedundant, PostgresOrphaned [CNPG-5.2]`,
			},
		},
		"NoSeverity": {
			reason:     "An alert without a severity reaches nobody who routes by it.",
			monitoring: map[string]any{"severities": map[string]any{"PostgresOrphaned": ""}},
			want: []string{
				`monitoring.severities.PostgresOrphaned: is not a severity; write one word, for instance "info" [CNPG-5.2]`,
			},
		},
		"TooLong": {
			reason:     "Every alert of every database repeats it: the PrometheusRule becomes too large to be stored, and nothing fires.",
			monitoring: map[string]any{"alertAnnotations": map[string]any{"wiki": strings.Repeat("x", 1025)}, "severities": map[string]any{"PostgresOrphaned": strings.Repeat("x", 64)}},
			want: []string{
				`monitoring.alertAnnotations: hold a name of more than 128 or a text of more than 1024 characters, which every alert of every database would repeat; write a link to the long text [CNPG-5.2]`,
				`monitoring.severities.PostgresOrphaned: "` + strings.Repeat("x", 64) + `": is not a severity; write one word, for instance "info" [CNPG-5.2]`,
			},
		},
		"TooMany": {
			reason:     "The same goes for many of them.",
			monitoring: map[string]any{"alertLabels": many(17)},
			want: []string{
				`monitoring.alertLabels: "17": are more than the 16 that every alert of every database can carry; leave out what no receiver reads [CNPG-5.2]`,
			},
		},
		"NameOfALabel": {
			reason:     "Kubernetes' labels have slashes; one in a rule is one that loads no rule.",
			monitoring: map[string]any{"alertLabels": map[string]any{"acme.org/team": "dba"}},
			want: []string{
				`monitoring.alertLabels[acme.org/team]: "dba": is no name Prometheus takes for a label: it would drop the rules, and nothing would fire; write letters, digits and underscores [CNPG-5.2]`,
			},
		},
		"OwnNames": {
			reason:     "What receivers route by and agents read is the table's.",
			monitoring: map[string]any{"alertLabels": map[string]any{"severity": "none"}, "alertAnnotations": map[string]any{"claim_name": "x"}},
			want: []string{
				`monitoring.alertAnnotations[claim_name]: "x": is what the alert itself says: the policy's value would be lost; choose another name; a severity belongs to monitoring.severities [CNPG-5.2]`,
				`monitoring.alertLabels[severity]: "none": is what the alert itself says: the policy's value would be lost; choose another name; a severity belongs to monitoring.severities [CNPG-5.2]`,
			},
		},
		"Template": {
			reason:     "One that does not parse loads no rule.",
			monitoring: map[string]any{"alertAnnotations": map[string]any{"wiki": "https://wiki.example.org/{{ $labels.pod"}},
			want: []string{
				`monitoring.alertAnnotations[wiki]: "https://wiki.example.org/{{ $labels.pod": is read as a template by Prometheus, which drops the rules over a mistake in one; write it without {{ [CNPG-5.2]`,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, found := policy.Decode(manifest.Object{
				"apiVersion": "hardened-postgres.fn.bizmatters.io/v1beta1", "kind": "Policy",
				"bucket":      map[string]any{"prefix": "acme", "region": "eu-central-1"},
				"credentials": map[string]any{"secretStoreRef": map[string]any{"name": "aws"}},
				"monitoring":  tc.monitoring,
			})
			var got []string
			for _, f := range found.Violations() {
				got = append(got, f.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func many(n int) map[string]any {
	out := map[string]any{}
	for i := range n {
		out[fmt.Sprintf("label_%d", i)] = "x"
	}
	return out
}
