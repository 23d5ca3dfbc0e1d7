package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"berth/internal/plain"
)

// colours are those of the verdicts on a terminal, in their order.
var colours = [...]string{"\x1b[32m", "\x1b[33m", "\x1b[31m"}

// line is a finding as a person reads it.
func (f finding) line(coloured bool) string {
	colour, plain := "", ""
	if coloured {
		colour, plain = colours[f.Verdict], "\x1b[0m"
	}
	text := fmt.Sprintf("%s%-8s%s %-12s %s", colour, f.Verdict, plain, f.Name, f.Reason)
	if f.ID != "" {
		text += " [" + f.ID + "]"
	}
	if f.Fix != "" {
		text += ". Fix: " + f.Fix
	}
	for _, detail := range f.Details {
		text += "\n" + strings.Repeat(" ", 22) + "- " + detail
	}
	return text
}

// privateKeys are what never belongs into a report, wherever it came from.
var privateKeys = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^-]*(-----END [A-Z0-9 ]*PRIVATE KEY-----)?`)

// harmless is a finding without what is secret and what speaks to a terminal.
func (f finding) harmless(secrets []string) finding {
	var pairs []string
	for _, secret := range secrets {
		pairs = append(pairs, secret, "…")
	}
	clean := strings.NewReplacer(pairs...)
	one := func(text string) string {
		text = clean.Replace(privateKeys.ReplaceAllString(text, "…"))
		return plain.Line(text)
	}
	f.Reason, f.Fix = one(f.Reason), one(f.Fix)
	for i, detail := range f.Details {
		f.Details[i] = one(detail)
	}
	return f
}

// conclusion is all of it in one line.
func conclusion(all []finding) (verdict, string) {
	worst, count, waiting := ok, [3]int{}, 0
	for _, f := range all {
		worst = max(worst, f.Verdict)
		if f.waits {
			waiting++
		} else {
			count[f.Verdict]++
		}
	}
	var parts []string
	if count[fails] > 0 {
		parts = append(parts, counted(count[fails], "check fails", "checks fail"))
	}
	if count[warning] > 0 {
		parts = append(parts, counted(count[warning], "warning", "warnings"))
	}
	if waiting > 0 {
		parts = append(parts, counted(waiting, "check waits for others", "checks wait for others"))
	}
	said := strings.Join(parts, ", ")
	switch worst {
	case fails:
		return worst, said + ": fix what fails before pulumi up"
	case warning:
		return worst, said + ": pulumi up can begin, and better without"
	}
	return worst, "nothing blocks pulumi up"
}

func counted(count int, one, more string) string {
	if count == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", count, more)
}

// writeJSON is the report for programs.
func writeJSON(out io.Writer, stack string, all []finding) error {
	worst, sentence := conclusion(all)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Stack    string    `json:"stack"`
		Severity int       `json:"severity"`
		Verdict  verdict   `json:"verdict"`
		Reason   string    `json:"reason"`
		Checks   []finding `json:"checks"`
	}{stack, int(worst), worst, sentence, all})
}
