package contract

import (
	"strconv"
	"strings"
	"time"
)

// postgresTime reads a PostgreSQL time setting, where a bare number counts the given units: "300", "5min", "1 h".
func postgresTime(value string, unit time.Duration) (time.Duration, bool) {
	value = strings.TrimSpace(strings.Trim(strings.TrimSpace(value), "'"))
	cut := strings.IndexFunc(value, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' && r != '+' })
	if cut >= 0 {
		var known bool
		if unit, known = postgresUnits[strings.TrimSpace(value[cut:])]; !known {
			return 0, false
		}
		value = value[:cut]
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || isOctal(value) || n < -1e9 || n > 1e9 {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// isOctal says whether PostgreSQL, like C, takes a number for an octal one: 010 is eight, and 09 is none at all.
func isOctal(number string) bool {
	digits := strings.TrimLeft(number, "+-")
	return len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'
}

var postgresUnits = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

// postgresBool reads a boolean the way PostgreSQL does: any unambiguous prefix of true, false, yes, no, on, off, in any
// case, and 1 or 0.
func postgresBool(value string) (on, ok bool) {
	v := strings.ToLower(strings.TrimSpace(strings.Trim(strings.TrimSpace(value), "'")))
	switch v {
	case "1", "on":
		return true, true
	case "0", "of", "off":
		return false, true
	case "":
		return false, false
	}
	for word, meaning := range map[string]bool{"true": true, "yes": true, "false": false, "no": false} {
		if strings.HasPrefix(word, v) {
			return meaning, true
		}
	}
	return false, false
}

// retentionDays reads barman's retention: "30d", "5w", "2m". A month counts 31 days there.
func retentionDays(policy string) (int64, bool) {
	if len(policy) < 2 {
		return 0, false
	}
	unit := map[byte]int64{'d': 1, 'w': 7, 'm': 31}[policy[len(policy)-1]]
	n, err := strconv.ParseInt(policy[:len(policy)-1], 10, 32)
	if err != nil || n < 1 || unit == 0 {
		return 0, false
	}
	return n * unit, true
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.FormatInt(n, 10) + " " + unit + "s"
}

func orMore(n int64) string { return "write " + strconv.FormatInt(n, 10) + " or more" }

func orLess(n int64) string { return "write " + strconv.FormatInt(n, 10) + " or less" }

func plainDays(n int64) string { return strconv.FormatInt(n, 10) + "d" }
