package contract

import (
	"encoding/json"
	"strings"
)

// statement is one statement of a bucket policy; Principal, Action and the rest may each be one string or a list.
type statement struct {
	Effect    string
	Principal any
	Action    any
	NotAction any
	Resource  any
	Condition map[string]map[string]any
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
	tls := false
	deniedToAll := make([]bool, len(denied))
	for _, s := range policy.Statement {
		everybody := isEverybody(s.Principal)
		if s.Effect == "Allow" && everybody && len(s.Condition) == 0 {
			refuse("allows something to everybody", "name the principal")
		}
		if s.Effect != "Deny" || !everybody {
			continue
		}
		if strings.EqualFold(word(s.Condition["Bool"]["aws:SecureTransport"]), "false") && len(s.Condition) == 1 && covers(s.Action, "s3:*") {
			tls = true
		}
		if len(s.Condition) != 0 {
			continue
		}
		for i := range denied {
			deniedToAll[i] = deniedToAll[i] || covers(s.Action, denied[i].action)
		}
	}
	if !tls {
		refuse("does not deny access without TLS: keys and backups can be read on the way", `add a statement that denies s3:* to everybody under {"Bool": {"aws:SecureTransport": "false"}}`)
	}
	for i := range denied {
		if !deniedToAll[i] {
			refuse("does not deny "+denied[i].action+": "+denied[i].without, "add a statement that denies it to everybody, without a condition")
		}
	}
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
