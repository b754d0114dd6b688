package main

import (
	"slices"
	"testing"
	"time"

	"scimbulk/internal/report"
)

func TestPrunable(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour) }
	runs := []report.Run{
		{Name: "new", State: report.RunFinished, Modified: ago(1)},
		{Name: "old", State: report.RunFinished, Modified: ago(31)},
		{Name: "to the hour", State: report.RunFinished, Modified: ago(30)},
		{Name: "interrupted", State: report.RunInterrupted, Modified: ago(90)},
		{Name: "failed", State: report.RunFailed, Modified: ago(90)},
		{Name: "running", State: report.RunRunning, Modified: ago(90)},
	}
	for _, tc := range []struct {
		name       string
		age        string
		unfinished bool
		want       []string
	}{
		{"what is finished and old", "30d", false, []string{"old", "to the hour"}},
		{"also what is not finished", "30d", true, []string{"old", "to the hour", "interrupted", "failed"}},
		{"all that is finished", "0s", false, []string{"new", "old", "to the hour"}},
		{"nothing so old", "20w", true, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			age, err := parseAge(tc.age)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range prunable(runs, now, age, tc.unfinished) {
				got = append(got, r.Name)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "2w": 336 * time.Hour, "36h": 36 * time.Hour, "0d": 0, "90m": 90 * time.Minute,
		"": -1, "30": -1, "-1d": -1, "-5h": -1, "d": -1, "1.5d": -1, "a month": -1, "99999999d": -1,
	} {
		got, err := parseAge(text)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("parseAge(%q) = %v, %v", text, got, err)
		}
	}
}
