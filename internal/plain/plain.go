// Package plain makes of what others wrote (an app's repository, a compose file, another host's answer) text that is no more than
// text: to a terminal, to Pulumi, in a log and in a pull request. lib.sh has the same for the server, by the same name.
package plain

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are the control sequences of a terminal, whole ones.
var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-~])`)

// Text is a text without control characters but for newlines and tabs, and without marks that are not seen and change how the rest
// is. A question mark replaces bytes that are not UTF-8.
func Text(text string) string {
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, "?"), "")
	// What Pulumi takes for a colour.
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, text), "<{%", "<{ %")
}

// Line is Text in one line, with one space where there is any.
func Line(text string) string { return strings.Join(strings.Fields(Text(text)), " ") }
