package source

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Tags as the parser abbreviates them.
const (
	tagString = "!!str"
	tagBool   = "!!bool"
	tagInt    = "!!int"
	tagFloat  = "!!float"
	tagNull   = "!!null"
	tagBinary = "!!binary"
	tagMerge  = "!!merge"
)

// words are the plain scalars that mean something else than themselves, as YAML 1.1 has them.
var words = map[string]any{
	"": nil, "~": nil, "null": nil, "Null": nil, "NULL": nil,
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"true": true, "True": true, "TRUE": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
	"false": false, "False": false, "FALSE": false,
}

var (
	decimal     = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	notFinite   = regexp.MustCompile(`^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$`)
	errNoNumber = errors.New("is not a number JSON can carry")
)

// scalar is the value of one scalar node.
func scalar(n *yaml.Node) (any, error) {
	if n.Style&yaml.TaggedStyle != 0 {
		return tagged(n.Tag, n.Value)
	}
	if n.Style != 0 || n.Tag == tagMerge {
		return n.Value, nil // Quoted or a block: what is written is what is meant.
	}
	return plain(n.Value)
}

// plain is the value of a scalar without quotes and without tag.
func plain(s string) (any, error) {
	if v, ok := words[s]; ok {
		return v, nil
	}
	if c := s[0]; c == '.' || c == '+' || c == '-' || c >= '0' && c <= '9' {
		if notFinite.MatchString(s) {
			return nil, errNoNumber
		}
		return number(s)
	}
	return s, nil
}

// number is the value of a scalar that starts like one. Whatever fits an int64 is one; larger and broken numbers are
// float64, as the API server reads them. What turns out not to be a number is a string: dates, versions, addresses.
func number(s string) (any, error) {
	if s[0] == '.' {
		// Underscores do not count here, as kubectl has it.
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f, nil
		}
		return s, nil
	}
	digits := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return float64(u), nil
	}
	if decimal.MatchString(digits) {
		f, err := strconv.ParseFloat(digits, 64)
		if err == nil {
			return f, nil
		}
	}
	return s, nil
}

// tagged is the value of a scalar with an explicit tag. Tags of other tools stand before plain text.
func tagged(tag, s string) (any, error) {
	switch tag {
	case tagBinary:
		return decodeBase64(s)
	case tagBool, tagInt, tagFloat, tagNull:
	default:
		return s, nil
	}
	v, err := plain(s)
	if err != nil {
		return nil, err
	}
	is := tagString
	switch v.(type) {
	case nil:
		is = tagNull
	case bool:
		is = tagBool
	case int64:
		if is = tagInt; tag == tagFloat {
			return v, nil
		}
	case float64:
		is = tagFloat
	}
	if is != tag {
		return nil, fmt.Errorf("is not the %s its tag says", strings.TrimPrefix(tag, "!!"))
	}
	return v, nil
}
