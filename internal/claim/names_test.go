package claim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
)

func TestJudgeName(t *testing.T) {
	const tail = ": the database, its Services and its archive are named after the claim; choose up to 50 lower-case letters, digits and hyphens, starting with a letter [ZDL-06]"
	for name, tc := range map[string]struct {
		reason, name, want string
	}{
		"Short":    {reason: "A letter is a name.", name: "a"},
		"Longest":  {reason: "CloudNativePG takes 50 characters.", name: strings.Repeat("a", 50)},
		"Digits":   {reason: "Digits may follow.", name: "a0-9"},
		"Missing":  {reason: "A claim has a name.", want: "metadata.name: is missing" + tail},
		"TooLong":  {reason: "CloudNativePG takes no more than 50.", name: strings.Repeat("a", 51), want: `metadata.name: "` + strings.Repeat("a", 51) + `": is 51 characters long, CloudNativePG allows 50` + tail},
		"Endless":  {reason: "A message stays readable.", name: strings.Repeat("a", 109), want: `metadata.name: "` + strings.Repeat("a", 108) + `…": is 109 characters long, CloudNativePG allows 50` + tail},
		"Whole":    {reason: "What still fits is shown whole.", name: strings.Repeat("a", 108), want: `metadata.name: "` + strings.Repeat("a", 108) + `": is 108 characters long, CloudNativePG allows 50` + tail},
		"Dot":      {reason: "Services have no dots in their names.", name: "a.b", want: `metadata.name: "a.b": contains a dot, which the names of Services cannot` + tail},
		"Zero":     {reason: "Services begin with a letter.", name: "0a", want: `metadata.name: "0a": starts with a digit, which the names of Services cannot` + tail},
		"Nine":     {reason: "Services begin with a letter.", name: "9a", want: `metadata.name: "9a": starts with a digit, which the names of Services cannot` + tail},
		"Capital":  {reason: "DNS labels are lower-case.", name: "aB", want: `metadata.name: "aB": is not a DNS label` + tail},
		"Trailing": {reason: "DNS labels end with a letter or digit.", name: "a-", want: `metadata.name: "a-": is not a DNS label` + tail},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, judgeName(tc.name).String()); diff != "" {
				t.Errorf("%s -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestJudgeNames(t *testing.T) {
	const taken = ", which names derived from a claim end in: it could overwrite what belongs to another database; choose a name with another ending [ZDL-06]"
	for name, tc := range map[string]struct {
		reason     string
		connection v1alpha1.Connection
		want       string
	}{
		"None":   {reason: "Nothing chosen, nothing taken."},
		"Own":    {reason: "The Secret's name by default may be written out.", connection: v1alpha1.Connection{SecretName: "orders-conn"}},
		"Free":   {reason: "Other names are free.", connection: v1alpha1.Connection{SecretName: "login", Alias: "orders-db"}},
		"Secret": {reason: "It is another claim's Secret.", connection: v1alpha1.Connection{SecretName: "users-conn"}, want: `spec.connection.secretName: "users-conn": ends in "-conn"` + taken},
		"Alias":  {reason: "It is another Cluster's Service.", connection: v1alpha1.Connection{Alias: "users-rw"}, want: `spec.connection.alias: "users-rw": ends in "-rw"` + taken},
		"Both": {
			reason: "Each is told, once.", connection: v1alpha1.Connection{SecretName: "users-app", Alias: "users-r"},
			want: `spec.connection.alias: "users-r": ends in "-r"` + taken + "\n" + `spec.connection.secretName: "users-app": ends in "-app"` + taken,
		},
		"Same": {
			reason: "The alias' Secret moves to another claim.", connection: v1alpha1.Connection{SecretName: "db", Alias: "db"},
			want: `spec.connection.secretName: "db": is also the alias, whose Secret moves to another claim with it: this claim would lose its own; leave secretName out, or choose another name [ZDL-06]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Claim{Namespace: "shop", Name: "orders"}
			c.Spec.Connection = &tc.connection
			got := strings.ReplaceAll(c.JudgeNames().Sort().String(), "PostgresInstance shop/orders: ", "")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestJudgeNewName(t *testing.T) {
	told := func(name, suffix, kinds string) string {
		return `PostgresInstance shop/` + name + `: metadata.name: "` + name + `": ends in "` + suffix + `": CloudNativePG would make a ` + kinds + ` of this name, which those of a database orders have as well, and the one would break the other; ` +
			`choose a name with another ending; a database that lives under it already goes on, and check passes it with a waiver of ZDL-06 [ZDL-06]`
	}
	for name, tc := range map[string]struct{ reason, want string }{
		"orders":              {reason: "The name of a database."},
		"conn":                {reason: "It is nobody's connection."},
		"orders-archive":      {reason: "The ObjectStore of orders; CloudNativePG makes none."},
		"orders-queries":      {reason: "The ConfigMap of orders; CloudNativePG makes none of a Cluster's name."},
		"orders-conn":         {reason: "Applications read their login by the account.", want: told("orders-conn", "-conn", "ServiceAccount and RoleBinding")},
		"orders-metrics":      {reason: "CloudNativePG deletes a PodMonitor of its Cluster's name.", want: told("orders-metrics", "-metrics", "PodMonitor")},
		"orders-barman-cloud": {reason: "The archiver of orders reads its ObjectStore by the role.", want: told("orders-barman-cloud", "-barman-cloud", "Role and RoleBinding")},
	} {
		c := &Claim{Namespace: "shop", Name: name}
		if diff := cmp.Diff(tc.want, c.JudgeNewName().String()); diff != "" {
			t.Errorf("%s: %s -want +got:\n%s", name, tc.reason, diff)
		}
	}
}

// TestBoundedNames: a name that fits is shown whole, a longer one keeps its beginning, and both stay within the limit.
func TestBoundedNames(t *testing.T) {
	for length, want := range map[int]int{maxBucketName - len("-s-n-") - 10: maxBucketName, 60: maxBucketName, 1: len("p-s-n-") + 10} {
		c := &Claim{Namespace: "s", Name: "n"}
		prefix := strings.Repeat("p", length)
		got := c.BucketName(prefix, "salt")
		if len(got) != want {
			t.Errorf("a prefix of %d: %q has %d characters, want %d", length, got, len(got), want)
		}
		if whole := strings.HasPrefix(got, prefix+"-s-n-"); whole != (length != 60) {
			t.Errorf("a prefix of %d: %q", length, got)
		}
	}
	if got := Bounded(strings.Repeat("a", 20), 20); got != strings.Repeat("a", 20) {
		t.Errorf("a name that fits: %q", got)
	}
	if got := Bounded(strings.Repeat("a", 21), 20); len(got) != 20 || !strings.HasPrefix(got, "aaa-") {
		t.Errorf("a name one too long: %q", got)
	}
}
