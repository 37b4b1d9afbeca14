package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// What Linux says of a process. Elsewhere nothing is said, and the figures are left out.

// The fields of a process's status about its memory.
const (
	resident = "VmRSS:" // What it holds.
	peak     = "VmHWM:" // The most it ever held.
)

// memoryKiB is one of them.
func memoryKiB(pid int, field string) (int, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, field); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			return n, err == nil
		}
	}
	return 0, false
}

// tick is the unit of /proc/<pid>/stat on every Linux.
const tick = 10 * time.Millisecond

// processorTime is the processor time a process has used, in user and in kernel mode.
func processorTime(pid int) (time.Duration, bool) {
	if pid == 0 {
		return 0, false
	}
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The name in brackets may hold blanks; the fields after it do not.
	_, rest, found := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, false
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err == nil
}
