package contract

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
	"github.com/bizmatters/function-hardened-postgres/internal/lock"
	"github.com/bizmatters/function-hardened-postgres/internal/schedule"
)

// The contract's floor, from the specification.
const (
	// MinInstances is CNPG-1.1.
	MinInstances = 3
	// MaxBackupGap is CNPG-3.1.
	MaxBackupGap = 6 * time.Hour
	// MinRetentionDays is CNPG-3.2.
	MinRetentionDays = 30
	// MinUndoDays is ZDL-02.
	MinUndoDays = 1
)

// knownMajors are the majors of PostgreSQL that CloudNativePG supports, as the claim's version lists them.
var knownMajors = []string{"14", "15", "16", "17", "18"}

// connectionValues are what a key of the connection Secret may hold.
var connectionValues = []string{"caCertificate", "database", "endpoint", "jdbcURI", "password", "port", "schema", "sslmode", "uri", "username"}

// JudgePolicy judges a decoded and defaulted policy: what is below the contract's floor, and what cannot work.
func JudgePolicy(p *v1beta1.Policy) Findings {
	var found Findings
	refuse := func(rule, path, value, message, fix string) {
		found = append(found, Finding{Rule: rule, Path: path, Value: value, Message: message, Fix: fix})
	}

	b := p.Bucket
	found = append(found, judgePolicyBucket(b)...)
	s, err := schedule.Parse(p.Backup.Schedule)
	if err != nil {
		refuse("CNPG-3.1", "backup.schedule", p.Backup.Schedule, "is not a schedule: "+err.Error(), fixSchedule)
	} else {
		found = append(found, judgeSchedule("backup.schedule", p.Backup.Schedule, s, p.Backup.MaxRunsPerDay, b.LockDays)...)
		found = append(found, judgeLock("bucket.lockDays", b.LockDays, max(p.Backup.RetentionDays, MinRetentionDays), b.MaxLockDays, s)...)
	}
	if p.Backup.RetentionDays < MinRetentionDays {
		refuse("CNPG-3.2", "backup.retentionDays", strconv.FormatInt(p.Backup.RetentionDays, 10), "is below the contract's 30 days: what retention removes cannot be recovered to", "write 30 or more")
	}
	found = append(found, judgeEnvironment("backup.sidecarEnv", p.Backup.SidecarEnv)...)
	for at, location := range map[string]v1beta1.RemoteKey{"credentials.accessKeyID": p.Credentials.AccessKeyID, "credentials.secretAccessKey": p.Credentials.SecretAccessKey} {
		if looksSecret(location.Key) || looksSecret(location.Property) {
			refuse("ZDL-12", at, "", "contains what looks like the key itself instead of where it is", "write where External Secrets finds it, and rotate what was exposed")
		}
	}
	found = append(found, JudgeParameters("cluster.parameters", p.Cluster.Parameters)...)
	found = append(found, judgeImages(p)...)

	keys := sortedKeys(p.Connection.Keys)
	for _, key := range keys {
		if value := p.Connection.Keys[key]; !slices.Contains(connectionValues, value) {
			refuse("API-2", "connection.keys."+key, value, "is not something a connection Secret can hold", "write one of "+strings.Join(connectionValues, ", "))
		}
	}
	for _, name := range sortedKeys(p.Sizes) {
		size := p.Sizes[name]
		for _, what := range []struct{ name, request, limit string }{
			{"cpu", size.Requests.CPU, size.Limits.CPU}, {"memory", size.Requests.Memory, size.Limits.Memory},
		} {
			request, _ := quantity(what.request)
			if limit, limited := quantity(what.limit); limited && request > limit {
				refuse("API-2", "sizes."+name+".limits."+what.name, what.limit, "is below the request of "+what.request+": Kubernetes refuses the pods", "write "+strconv.Quote(what.request)+" or more")
			}
		}
		if size.Requests.Memory == "" {
			refuse("API-2", "sizes."+name+".requests.memory", "", "is missing: a database without reserved memory is the first to be killed on a full node", `write a quantity, for instance "1Gi"`)
		}
	}
	for _, name := range sortedKeys(p.Monitoring.Labels) {
		switch domain, _, _ := strings.Cut(name, "/"); {
		case isOperatorDomain(domain):
			refuse("ZDL-10", "monitoring.labels["+name+"]", p.Monitoring.Labels[name], "is a switch of CloudNativePG's that nobody vouches for", "remove it")
		case domain == "database.bizmatters.io":
			refuse("ZDL-07", "monitoring.labels["+name+"]", p.Monitoring.Labels[name], "says whose database it is, and would say so of every one", "remove it")
		}
	}
	for _, arn := range b.Administrators {
		if !isPrincipal(arn) {
			refuse("CNPG-4.3", "bucket.administrators", arn, "is not one AWS principal of one account: everybody or nobody could lower the lock", `write ARNs, for instance "arn:aws:iam::111122223333:role/crossplane-provider-aws"`)
		}
	}
	return append(found, judgeWaivers(p)...)
}

// judgePolicyBucket: a bucket of the claim's own, or somebody's to adopt, reachable where the policy says.
func judgePolicyBucket(b v1beta1.Bucket) Findings {
	var found Findings
	refuse := func(rule, path, value, message, fix string) {
		found = append(found, Finding{Rule: rule, Path: path, Value: value, Message: message, Fix: fix})
	}
	switch b.Mode {
	case "existing":
		if b.Name == "" {
			refuse("API-2", "bucket.name", "", "is missing: mode existing adopts a bucket somebody else made", "write the bucket's name")
		}
	default:
		if b.Prefix == "" {
			refuse("API-2", "bucket.prefix", "", "is missing: the names of buckets are unique world-wide and start with it", "write your organisation and environment, for instance acme-prod")
		}
		if b.EndpointURL != "" {
			refuse("CNPG-4.3", "bucket.endpointURL", shownURL(b.EndpointURL), "mode managed makes buckets on AWS only: on another store the lock could neither be set nor be observed through provider-aws",
				"create the bucket with Object Lock there and write mode: existing and its name")
		}
	}
	if b.Name != "" && b.Mode != "existing" {
		refuse("API-2", "bucket.name", b.Name, "has no meaning in mode managed, where every claim gets a bucket of its own", "remove it, or write mode: existing")
	}
	found = append(found, judgeEndpoint("bucket.endpointURL", b.EndpointURL)...)
	if b.Region == "" {
		refuse("API-2", "bucket.region", "", "is missing", "write the region, for instance eu-central-1")
	}
	return found
}

// isPrincipal says whether an ARN, which may have wildcards, names somebody in particular: one account, and not all of
// its roles or users.
func isPrincipal(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || len(parts[4]) != 12 || strings.Trim(parts[4], "0123456789") != "" {
		return false
	}
	resource := parts[5]
	if _, name, found := strings.Cut(resource, "/"); found {
		resource = name
	}
	return strings.Trim(resource, "*?/") != ""
}

func judgeEndpoint(at, endpoint string) Findings {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case strings.Contains(endpoint, "@") && (err != nil || u.User != nil || u.Host == ""):
		return Findings{{Rule: "ZDL-12", Path: at, Message: "contains credentials, which everybody who can read it may use", Fix: "remove them and rotate them; keys come through External Secrets"}}
	case err != nil || u.Host == "":
		return Findings{{Rule: "CNPG-2.2", Path: at, Value: shownURL(endpoint), Message: "is not a URL", Fix: "write https:// and the host of the object store"}}
	case u.Scheme != "https":
		return Findings{{Rule: "CNPG-2.2", Path: at, Value: shownURL(endpoint), Message: "is not TLS: keys and backups can be read and altered on the way", Fix: "write https://" + u.Host}}
	}
	return nil
}

// shownURL is a URL as it may be quoted: not at all where it may contain credentials (ZDL-12).
func shownURL(endpoint string) string {
	if strings.Contains(endpoint, "@") {
		return ""
	}
	return shorten(endpoint)
}

// judgeEnvironment judges environment variables of whatever talks to the bucket.
func judgeEnvironment(at string, env map[string]string) Findings {
	var found Findings
	for _, name := range sortedKeys(env) {
		for _, f := range judgeVariable(name, env[name]) {
			f.Path = at + "." + name
			found = append(found, f)
		}
	}
	return found
}

// judgeVariable judges one environment variable of whatever talks to the bucket.
func judgeVariable(name, value string) Findings {
	upper := strings.ToUpper(name)
	switch {
	case upper == "LD_PRELOAD" || upper == "LD_AUDIT":
		return Findings{{Rule: "ZDL-09", Value: value,
			Message: "loads a library into PostgreSQL and its archiver before they start, and there are some that make fsync do nothing",
			Fix:     "remove it; extensions come with the image"}}
	case awsFiles[upper]:
		return Findings{{Rule: "CNPG-2.2", Value: value,
			Message: "reads settings of the archiver from a file nobody judges: it can name another store, or switch checksums off",
			Fix:     "remove it; the place is destinationPath's and endpointURL's, keys come through External Secrets"}}
	case isChecksumVariable(upper):
		if strings.EqualFold(strings.TrimSpace(value), "when_required") {
			return Findings{{Rule: "CNPG-4.3", Value: value,
				Message: "uploads go without checksums: AWS refuses them on a locked bucket and archiving stops, elsewhere damage goes unnoticed",
				Fix:     "remove it; update the object store if it cannot take checksums"}}
		}
	case strings.HasPrefix(upper, "AWS_ENDPOINT_URL"):
		return Findings{{Rule: "CNPG-2.2", Message: "sends the archive to another store than the one that is locked",
			Fix: "remove it; the endpoint is endpointURL's"}}
	case secretName(name) && isLiteral(value):
		return Findings{{Rule: "ZDL-12", Message: "is a credential in plain sight", Fix: "remove it and rotate it; keys come through External Secrets"}}
	case carriesPassword(value):
		return Findings{{Rule: "ZDL-12", Message: "contains a password in plain sight, which everybody who can read it may use", Fix: "remove it and rotate it"}}
	}
	return nil
}

func isChecksumVariable(upper string) bool {
	return upper == "AWS_REQUEST_CHECKSUM_CALCULATION" || upper == "AWS_RESPONSE_CHECKSUM_VALIDATION"
}

// awsFiles are the variables that lead the AWS SDK to settings in files.
var awsFiles = map[string]bool{
	"AWS_CONFIG_FILE": true, "AWS_SHARED_CREDENTIALS_FILE": true, "AWS_PROFILE": true, "AWS_DEFAULT_PROFILE": true, "BOTO_CONFIG": true,
}

func judgeImages(p *v1beta1.Policy) Findings {
	var found Findings
	for _, major := range sortedKeys(p.Images) {
		set := p.Images[major]
		at := "images." + major
		found = append(found, judgeImage(at+".default", set.Default, major)...)
		for _, variant := range sortedKeys(set.Variants) {
			found = append(found, judgeImage(at+".variants."+variant, set.Variants[variant], major)...)
		}
	}
	return found
}

// judgeImage judges one image reference: a tag whose major is known, never latest, never a digest alone (ZDL-11).
func judgeImage(at, image, wantMajor string) Findings {
	refuse := func(message, fix string) Findings {
		return Findings{{Rule: "ZDL-11", Path: at, Value: shorten(image), Message: message, Fix: fix}}
	}
	if image == "" {
		return refuse("is missing: CloudNativePG would pick its own default, whose major changes with the operator", "write an image with a tag, best also a digest")
	}
	major, ok := ImageMajor(image)
	switch {
	case !ok:
		return refuse("has no tag that tells the major: what starts after the next pull is anybody's guess", "write a tag like 16.15-202608170814-standard-trixie, best also a digest")
	case !slices.Contains(knownMajors, major):
		return refuse("is PostgreSQL "+major+", which this contract does not know", "write an image of PostgreSQL "+strings.Join(knownMajors, ", "))
	case wantMajor != "" && major != wantMajor:
		return refuse("is PostgreSQL "+major+" in the place of "+wantMajor, "write an image of major "+wantMajor)
	}
	return nil
}

// ImageMajor reads the PostgreSQL major from an image's tag.
func ImageMajor(image string) (string, bool) {
	image, _, _ = strings.Cut(image, "@")
	slash := strings.LastIndexByte(image, '/')
	colon := strings.LastIndexByte(image, ':')
	if colon <= slash {
		return "", false
	}
	tag := image[colon+1:]
	end := strings.IndexFunc(tag, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(tag)
	}
	if end == 0 || end > 2 {
		return "", false
	}
	return tag[:end], true
}

const fixSchedule = `write "0 0 */6 * * *" (every six hours) or a denser schedule`

// judgeSchedule judges a schedule that fires (CNPG-3.1).
func judgeSchedule(at, written string, s schedule.Schedule, maxPerDay, lockDays int64) Findings {
	return append(judgeGap(at, written, s), judgeRate(at, written, s, maxPerDay, lockDays)...)
}

func undeletable(perDay float64, lockDays int64) string {
	if lockDays <= 0 {
		return ""
	}
	return fmt.Sprintf(": under a lock of %d days %.0f of them would lie in the bucket, and nobody could delete one", lockDays, perDay*float64(lockDays))
}

// judgeLock judges the days of Object Lock (ZDL-01).
func judgeLock(at string, days, retention, most int64, s schedule.Schedule) Findings {
	least := lock.MinDays(retention, s.MaxGap())
	switch {
	case days < least:
		return Findings{{Rule: "ZDL-01", Path: at, Value: strconv.FormatInt(days, 10), Message: lockTooShort(retention, least), Fix: orMore(least)}}
	case most > 0 && days > most:
		return Findings{{Rule: "ZDL-01", Path: at, Value: strconv.FormatInt(days, 10), Message: lockTooLong(most), Fix: orLess(most)}}
	}
	return nil
}

func lockTooShort(retention, least int64) string {
	return fmt.Sprintf("is too short: to recover to the first second of %d days, backups up to %d days old must still be locked", retention, least)
}

func lockTooLong(most int64) string {
	return fmt.Sprintf("is more than the platform allows (%d): nobody can undo a COMPLIANCE lock, and the bill runs until it ends", most)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
