package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCopy(t *testing.T) {
	original := Object{
		"scalar": "s", "number": int64(3), "fraction": 0.5, "yes": true, "nothing": nil,
		"map":   map[string]any{"list": []any{"a", map[string]any{"b": int64(1)}}, "empty": map[string]any{}},
		"empty": []any{},
	}
	cases := map[string]struct {
		reason string
		path   []string
		want   any
	}{
		"Whole":    {"No path is the whole tree.", nil, map[string]any(original)},
		"Nested":   {"Lists keep scalars and maps apart.", []string{"map", "list"}, []any{"a", map[string]any{"b": int64(1)}}},
		"EmptyMap": {"An empty map stays a map: CloudNativePG reads recovery: {} as a choice.", []string{"map", "empty"}, map[string]any{}},
		"Missing":  {"What is not there is nil.", []string{"map", "other"}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Copy(original, tc.path...)); diff != "" {
				t.Errorf("\n%s\nCopy(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}

	copied := CopyMap(original, "map")
	copied["list"].([]any)[0] = "changed"
	if got := List(original, "map", "list")[0]; got != "a" {
		t.Errorf("changing the copy changed the original: %v", got)
	}
}

func TestApplied(t *testing.T) {
	type object = map[string]any
	cases := map[string]struct {
		reason         string
		o, asked, want Object
	}{
		"Merged": {
			"What is not asked for stays.",
			Object{"spec": object{"a": "1", "b": object{"c": "2"}}}, Object{"spec": object{"b": object{"d": "3"}}},
			Object{"spec": object{"a": "1", "b": object{"c": "2", "d": "3"}}},
		},
		"List": {
			"A list is as asked.",
			Object{"spec": object{"l": []any{"a", "b"}}}, Object{"spec": object{"l": []any{"c"}}},
			Object{"spec": object{"l": []any{"c"}}},
		},
		"NotThere": {
			"An object may have been written without the part that is asked for.",
			Object{"spec": object(nil)}, Object{"spec": object{"a": "1"}},
			Object{"spec": object{"a": "1"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Applied(tc.o, tc.asked)); diff != "" {
				t.Errorf("\n%s\nApplied(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
