package contract

import (
	"encoding/json"
	"slices"
	"strings"
)

// statement is one statement of a bucket policy; Principal, Action and the rest may each be one string or a list.
type statement struct {
	Effect       string
	Principal    any
	NotPrincipal any
	Action       any
	NotAction    any
	Resource     any
	Condition    map[string]map[string]any
}

// denied are the actions a bucket policy has to deny to everybody, whatever else they may do (CNPG-4.3).
var denied = []struct{ action, without string }{
	{"s3:DeleteObjectVersion", "versions can be deleted as soon as their lock ends, and those without a lock at once"},
	{"s3:BypassGovernanceRetention", "locks set by hand in GOVERNANCE mode can be bypassed"},
	{"s3:PutObjectRetention", "whoever may write can also shorten or absurdly prolong retention by hand"},
}

// judgeBucketPolicy: TLS only, nobody deletes versions or sets retention by hand, nothing is public (CNPG-4.3).
func judgeBucketPolicy(j *judge, d *document) {
	const at = "spec.forProvider.policy"
	refuse := func(message, fix string) { j.refuseBucket(d, at, "", message, fix) }
	raw := text(sub(d.spec, "forProvider"), "policy")
	var policy struct{ Statement statements }
	if err := json.Unmarshal([]byte(raw), &policy); err != nil || len(policy.Statement) == 0 {
		refuse("is not a policy that S3 can read", "write a JSON document with Version and Statement")
		return
	}
	bucket := j.bucketOf(d)
	is := denials{objects: map[string]bool{}, bucket: map[string]bool{}}
	for _, s := range policy.Statement {
		if public := s.public(); public != "" {
			refuse(public, "name the principal")
		}
		is.add(s, bucket, j.options.Administrators)
	}
	if !is.withoutTLS {
		refuse("does not deny access without TLS: keys and backups can be read on the way", `add a statement that denies s3:* to everybody under {"Bool": {"aws:SecureTransport": "false"}}`)
	}
	for _, must := range denied {
		if !is.objects[must.action] {
			refuse("does not deny "+must.action+": "+must.without, "add a statement that denies it to everybody for all objects of the bucket, without a condition")
		}
	}
	for _, action := range lowering {
		if len(j.options.Administrators) > 0 && !is.bucket[action] {
			refuse("does not deny "+action+" to all but the platform's administrators: whoever owns the bucket can lower its protection for what is written from then on",
				"add a statement that denies it to everybody on the bucket under ArnNotLike aws:PrincipalArn")
		}
	}
}

// denials are what the statements of a policy deny to everybody: access without TLS, actions on all objects of the bucket,
// and actions on the bucket itself, which administrators may be spared.
type denials struct {
	withoutTLS      bool
	objects, bucket map[string]bool
}

func (n *denials) add(s statement, bucket string, administrators []string) {
	if s.Effect != "Deny" || !isEverybody(s.Principal) {
		return
	}
	if len(s.Condition) == 0 || onlySpares(s.Condition, administrators) {
		for _, action := range lowering {
			n.bucket[action] = n.bucket[action] || covers(s.Action, action) && reaches(s.Resource, bucket, "")
		}
	}
	if !reaches(s.Resource, bucket, "/*") {
		return // Backups are objects; what is denied elsewhere protects none.
	}
	if strings.EqualFold(word(s.Condition["Bool"]["aws:SecureTransport"]), "false") && len(s.Condition) == 1 && len(s.Condition["Bool"]) == 1 && covers(s.Action, "s3:*") {
		n.withoutTLS = true
	}
	if len(s.Condition) != 0 {
		return
	}
	for _, must := range denied {
		n.objects[must.action] = n.objects[must.action] || covers(s.Action, must.action)
	}
}

// public says what a statement allows to anybody, "" where it does not.
func (s *statement) public() string {
	switch {
	case s.Effect != "Allow":
		return ""
	case s.NotPrincipal != nil:
		return "allows something to everybody but some"
	case isEverybody(s.Principal) && !isFenced(s.Condition):
		return "allows something to everybody"
	}
	return ""
}

// fences are the conditions by which AWS does not call a policy public: they say who, or from where. That somebody uses
// TLS says neither.
var fences = map[string]bool{
	"aws:sourceip": true, "aws:sourcearn": true, "aws:sourcevpc": true, "aws:sourcevpce": true, "aws:sourceaccount": true, "aws:sourceowner": true,
	"aws:sourceorgid": true, "aws:sourceorgpaths": true, "aws:principalorgid": true, "aws:principalorgpaths": true, "aws:principalarn": true,
	"aws:principalaccount": true, "aws:userid": true,
	"s3:x-amz-server-side-encryption-aws-kms-key-id": true, "s3:dataaccesspointarn": true, "s3:dataaccesspointaccount": true,
}

// isFenced says whether one of the conditions, all of which have to hold, leaves anybody out. Where a key is not there at
// all, …IfExists and ForAllValues hold.
func isFenced(conditions map[string]map[string]any) bool {
	for operator, keys := range conditions {
		operator = strings.ToLower(operator)
		if strings.Contains(operator, "not") || strings.HasSuffix(operator, "ifexists") || strings.HasPrefix(operator, "forallvalues:") || operator == "null" {
			continue
		}
		for key, value := range keys {
			if fences[strings.ToLower(key)] && !isAnything(value) {
				return true
			}
		}
	}
	return false
}

// isAnything says whether a condition's value, or one of several, is met by everybody.
func isAnything(value any) bool {
	return slices.ContainsFunc([]string{"*", "0.0.0.0/0", "::/0"}, func(all string) bool {
		list, many := value.([]any)
		return value == all || many && slices.Contains(list, any(all))
	})
}

// lowering are the actions by which a bucket's protection is lowered for what is written afterwards; where the platform
// names administrators, only those may.
var lowering = []string{
	"s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy",
}

// onlySpares says whether a condition leaves out these administrators, or some of them, and nobody else.
func onlySpares(condition map[string]map[string]any, administrators []string) bool {
	arns := condition["ArnNotLike"]
	if len(condition) != 1 || len(arns) != 1 {
		return false
	}
	switch spared := arns["aws:PrincipalArn"].(type) {
	case string:
		return slices.Contains(administrators, spared)
	case []any:
		return !slices.ContainsFunc(spared, func(one any) bool { arn, _ := one.(string); return !slices.Contains(administrators, arn) })
	}
	return false
}

// reaches says whether the resources of a statement take in the bucket itself (what is "") or all of its objects ("/*").
// A bucket the set does not name is believed to be the one the policy names.
func reaches(resource any, bucket, what string) bool {
	switch r := resource.(type) {
	case string:
		_, name, found := strings.Cut(r, ":s3:::")
		switch {
		case r == "*" || found && name == "*":
			return true
		case !found:
			return false
		case bucket == "":
			named, rest, isObject := strings.Cut(name, "/")
			return named != "" && (isObject && "/"+rest == what || !isObject && what == "")
		}
		return name == bucket+what || name == bucket+"*" || name == "*"+what
	case []any:
		return slices.ContainsFunc(r, func(one any) bool { return reaches(one, bucket, what) })
	}
	return false
}

// statements reads one statement or a list of them.
type statements []statement

// UnmarshalJSON implements json.Unmarshaler.
func (s *statements) UnmarshalJSON(raw []byte) error {
	var many []statement
	if len(raw) > 0 && raw[0] == '{' {
		many = make([]statement, 1)
		if err := json.Unmarshal(raw, &many[0]); err != nil {
			return err //nolint:wrapcheck // Only asked whether it can be read.
		}
	} else if err := json.Unmarshal(raw, &many); err != nil {
		return err //nolint:wrapcheck // Only asked whether it can be read.
	}
	*s = many
	return nil
}

func isEverybody(principal any) bool {
	switch p := principal.(type) {
	case string:
		return p == "*"
	case map[string]any:
		return covers(p["AWS"], "*")
	}
	return false
}

// covers says whether one string or a list of them names an action, by itself or through a wildcard.
func covers(value any, action string) bool {
	switch v := value.(type) {
	case string:
		return v == "*" || strings.EqualFold(v, action) || strings.HasSuffix(v, "*") && len(v) > 1 &&
			len(action) >= len(v)-1 && strings.EqualFold(action[:len(v)-1], v[:len(v)-1])
	case []any:
		for _, one := range v {
			if covers(one, action) {
				return true
			}
		}
	}
	return false
}

// word reads a scalar condition, which S3 takes as a string, a boolean or a list of one.
func word(value any) string {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	return written(value)
}
