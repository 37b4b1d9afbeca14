package hardened

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBucketPolicyDeniesWhatLockAloneLeavesOpen plays requests against the policy, by the rules IAM documents: a
// statement applies where principal, action and resource match and every condition does; a comparison of numbers does
// not match where the request lacks the key, a negated comparison of ARNs does.
func TestBucketPolicyDeniesWhatLockAloneLeavesOpen(t *testing.T) {
	const admin = "arn:aws:iam::111122223333:role/crossplane-provider-aws"
	raw := bucketPolicy("eu-central-1", "acme", 37, []string{admin})
	var policy struct{ Statement []statement }
	if err := json.Unmarshal([]byte(raw), &policy); err != nil {
		t.Fatal(err)
	}
	request := func(change map[string]string) map[string]string {
		r := map[string]string{
			"action": "s3:PutObject", "resource": "arn:aws:s3:::acme/shop/orders/base.tar",
			"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "aws:PrincipalArn": "arn:aws:iam::111122223333:user/orders-archive",
		}
		maps.Copy(r, change)
		return r
	}
	const retention = "s3:object-lock-remaining-retention-days"
	cases := map[string]struct {
		reason string
		change map[string]string
		denied []string
	}{
		"Upload":               {"barman names no retention: the bucket's default applies", nil, nil},
		"Marker":               {"retention hides what it no longer needs behind delete markers", map[string]string{"action": "s3:DeleteObject"}, nil},
		"Read":                 {"a recovery reads", map[string]string{"action": "s3:GetObject"}, nil},
		"WithoutTLS":           {"nothing in the open", map[string]string{"aws:SecureTransport": "false"}, []string{"DenyInsecureTransport"}},
		"OldTLS":               {"nor under TLS 1.1", map[string]string{"s3:TlsVersion": "1.1"}, []string{"DenyOldTLS"}},
		"DestroyVersion":       {"nobody removes a version, unlocked or not", map[string]string{"action": "s3:DeleteObjectVersion", "aws:PrincipalArn": admin}, []string{"DenyDestroyingVersions"}},
		"Bypass":               {"nobody bypasses", map[string]string{"action": "s3:BypassGovernanceRetention"}, []string{"DenyDestroyingVersions"}},
		"RetentionByHand":      {"nobody sets retention by hand", map[string]string{"action": "s3:PutObjectRetention"}, []string{"DenyRetentionByHand"}},
		"ShortRetention":       {"an upload may not ask for less than the default", map[string]string{retention: "1"}, []string{"DenyShorterRetention"}},
		"DefaultRetention":     {"the default itself passes, also a moment later", map[string]string{retention: "36"}, nil},
		"CenturyOfRetention":   {"nor for a century", map[string]string{retention: "36500"}, []string{"DenyAbsurdRetention"}},
		"LockLowered":          {"the writer cannot lower the lock", map[string]string{"action": "s3:PutBucketObjectLockConfiguration", "resource": "arn:aws:s3:::acme"}, []string{"DenyLoweringProtection"}},
		"PolicyRemoved":        {"nor remove this policy", map[string]string{"action": "s3:DeleteBucketPolicy", "resource": "arn:aws:s3:::acme"}, []string{"DenyLoweringProtection"}},
		"LifecycleChanged":     {"nor let lifecycle do it", map[string]string{"action": "s3:PutLifecycleConfiguration", "resource": "arn:aws:s3:::acme"}, []string{"DenyLoweringProtection"}},
		"LockByAdministrator":  {"provider-aws keeps the lock up", map[string]string{"action": "s3:PutBucketObjectLockConfiguration", "resource": "arn:aws:s3:::acme", "aws:PrincipalArn": admin}, nil},
		"PolicyByProviderRole": {"and this policy", map[string]string{"action": "s3:PutBucketPolicy", "resource": "arn:aws:s3:::acme", "aws:PrincipalArn": admin}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var denied []string
			for _, s := range policy.Statement {
				if s.applies(request(tc.change)) {
					denied = append(denied, s.Sid)
				}
			}
			if diff := cmp.Diff(tc.denied, denied); diff != "" {
				t.Errorf("%s: denied by, -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBucketPolicyWithoutAdministratorsRestrictsNobody(t *testing.T) {
	var policy struct{ Statement []statement }
	if err := json.Unmarshal([]byte(bucketPolicy("eu-central-1", "acme", 37, nil)), &policy); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(policy.Statement, func(s statement) bool { return s.Sid == "DenyLoweringProtection" }) {
		t.Error("without administrators nobody, provider-aws included, could keep the lock up")
	}
}

func TestBucketPolicyNamesItsPartition(t *testing.T) {
	for region, want := range map[string]string{"eu-central-1": "arn:aws:s3:::acme", "cn-north-1": "arn:aws-cn:s3:::acme", "us-gov-west-1": "arn:aws-us-gov:s3:::acme"} {
		var policy struct{ Statement []statement }
		if err := json.Unmarshal([]byte(bucketPolicy(region, "acme", 37, nil)), &policy); err != nil {
			t.Fatal(err)
		}
		if got, _ := policy.Statement[0].Resource.([]any); len(got) == 0 || got[0] != want {
			t.Errorf("%s: resource %v, want %s", region, got, want)
		}
	}
}

// applies evaluates one Deny statement.
func (s statement) applies(request map[string]string) bool {
	if s.Effect != "Deny" || s.Principal != "*" || !named(s.Action, request["action"]) || !named(s.Resource, request["resource"]) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, want := range keys {
			if !holds(operator, request[key], want) {
				return false
			}
		}
	}
	return true
}

func named(patterns any, value string) bool {
	switch p := patterns.(type) {
	case string:
		if prefix, ok := cutStar(p); ok {
			return len(value) >= len(prefix) && value[:len(prefix)] == prefix
		}
		return p == value
	case []any:
		return slices.ContainsFunc(p, func(one any) bool { return named(one, value) })
	}
	return false
}

func cutStar(p string) (string, bool) {
	if len(p) > 0 && p[len(p)-1] == '*' {
		return p[:len(p)-1], true
	}
	return "", false
}

func holds(operator, got string, want any) bool {
	var a, b float64
	numbers := func() bool {
		s, _ := want.(string)
		return got != "" && json.Unmarshal([]byte(got), &a) == nil && json.Unmarshal([]byte(s), &b) == nil
	}
	switch operator {
	case "Bool":
		return got == want
	case "NumericLessThan":
		return numbers() && a < b
	case "NumericGreaterThan":
		return numbers() && a > b
	case "ArnNotLike":
		return !named(want, got)
	}
	return false
}
