package main

import (
	"encoding/hex"
	"reflect"
	"sort"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

// functions is what templates of the operator may call, as far as public modules have it.
func functions() template.FuncMap {
	table := sprig.TxtFuncMap()
	for _, name := range []string{
		"env", "expandenv", "getHostByName", // they reach out of the process; the operator has none of them
	} {
		delete(table, name)
	}
	table["hexdec"] = func(text string) string {
		bytes, err := hex.DecodeString(text)
		if err != nil {
			return err.Error()
		}
		return string(bytes)
	}
	table["toYaml"] = func(value any) string {
		text, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	table["fromYaml"] = func(text string) map[string]any {
		found := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &found); err != nil {
			found["Error"] = err.Error()
		}
		return found
	}
	// Go visits maps in random order; these two would show it.
	table["keys"] = func(maps ...map[string]any) []string {
		all := []string{}
		for _, one := range maps {
			all = append(all, sortedKeys(one)...)
		}
		return all
	}
	table["values"] = func(one map[string]any) []any {
		all := []any{}
		for _, key := range sortedKeys(one) {
			all = append(all, one[key])
		}
		return all
	}
	// What is no time is now to these, and now is another one in each run.
	for _, name := range []string{"date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone"} {
		table[name] = withStoppedClock(table[name])
	}
	sinceNow := table["durationRound"].(func(any) string)
	table["durationRound"] = func(value any) string {
		if from, ok := value.(time.Time); ok {
			value = int64(stopped.Sub(from))
		}
		return sinceNow(value)
	}
	return table
}

// stopped is what the clock shows: the tests render at the same instant.
var stopped = time.Unix(1_700_000_000, 0).UTC()

// withStoppedClock is a function of dates that takes the instant above wherever it would look at the clock.
func withStoppedClock(function any) any {
	inner := reflect.ValueOf(function)
	outer := func(arguments []reflect.Value) []reflect.Value {
		for at, argument := range arguments {
			if argument.Kind() == reflect.Interface && readsClock(argument.Interface()) {
				arguments[at] = reflect.ValueOf(stopped)
			}
		}
		return inner.Call(arguments)
	}
	return reflect.MakeFunc(inner.Type(), outer).Interface()
}

func readsClock(value any) bool {
	switch value.(type) {
	case time.Time, int, int64:
		return false
	}
	return true
}

func sortedKeys(one map[string]any) []string {
	keys := make([]string, 0, len(one))
	for key := range one {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
