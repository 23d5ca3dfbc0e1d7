package load

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Report is what the visitors noticed.
type Report struct {
	// Sent requests, those that Failed, and those SentAgain by the client itself, downloads among them,
	// because a kept connection was closed.
	Sent, Failed, SentAgain int
	// LongestGap lies between two good answers, or the last one and the end of the run.
	LongestGap time.Duration
	// Versions are those that answered, in order of their first answer.
	Versions []Version
	// P50 and P99 of the good answers' times, and the longest.
	P50, P99, Max time.Duration
	// Written are the ids of acknowledged writes.
	Written   []int
	Sockets   struct{ Opened, Cut, Failed, Messages int }
	Downloads struct{ Done, Failed int }
	// Reasons are the distinct failures, with their number and when the first and the last were.
	Reasons []string
}

// Version is the time in which a version answered, since the run began.
type Version struct {
	Name        string
	First, Last time.Duration
	Answers     int
}

func (r *Run) summary() Report {
	r.lock.Lock()
	defer r.lock.Unlock()
	report := r.report
	slices.SortFunc(r.answers, func(a, b answer) int { return int(a.at - b.at) })
	var took []time.Duration
	last := time.Duration(0)
	for _, a := range r.answers {
		report.LongestGap = max(report.LongestGap, a.at-last)
		last = a.at
		took = append(took, a.took)
		at := slices.IndexFunc(report.Versions, func(v Version) bool { return v.Name == a.version })
		if at < 0 {
			report.Versions = append(report.Versions, Version{Name: a.version, First: a.at})
			at = len(report.Versions) - 1
		}
		report.Versions[at].Last = a.at
		report.Versions[at].Answers++
	}
	// A site that stays away leaves no answer that would end the gap.
	report.LongestGap = max(report.LongestGap, r.stopped-last)
	if slices.Sort(took); len(took) > 0 {
		report.P50, report.P99, report.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	report.Reasons = reasons(r.noted)
	return report
}

// addresses are those of a connection in an error's text: the client's port is another one each time.
var addresses = regexp.MustCompile(`(read|write) tcp \S+->\S+: `)

func reasons(notes []note) []string {
	type span struct {
		count       int
		first, last time.Duration
	}
	var order []string
	spans := map[string]*span{}
	for _, n := range notes {
		n.reason = addresses.ReplaceAllString(n.reason, "")
		if spans[n.reason] == nil {
			spans[n.reason] = &span{first: n.at}
			order = append(order, n.reason)
		}
		spans[n.reason].count++
		spans[n.reason].last = n.at
	}
	var lines []string
	for _, reason := range order[:min(len(order), 20)] {
		s := spans[reason]
		lines = append(lines, fmt.Sprintf("%d times from %s to %s: %s", s.count, s.first.Round(time.Millisecond), s.last.Round(time.Millisecond), reason))
	}
	return lines
}

// String is a short table.
func (r Report) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "requests %d, failed %d, sent again %d, longest gap %s, p50 %s, p99 %s, longest %s\n",
		r.Sent, r.Failed, r.SentAgain, r.LongestGap.Round(time.Millisecond), r.P50.Round(time.Millisecond), r.P99.Round(time.Millisecond), r.Max.Round(time.Millisecond))
	fmt.Fprintf(&text, "writes %d, WebSockets %d opened, %d cut, %d refused, downloads %d, %d failed\n",
		len(r.Written), r.Sockets.Opened, r.Sockets.Cut, r.Sockets.Failed, r.Downloads.Done, r.Downloads.Failed)
	for _, v := range r.Versions {
		fmt.Fprintf(&text, "%s answered %d times from %s to %s\n", v.Name, v.Answers, v.First.Round(time.Millisecond), v.Last.Round(time.Millisecond))
	}
	for _, reason := range r.Reasons {
		text.WriteString(reason + "\n")
	}
	return text.String()
}
