package plain

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"plain é☃😀\n\ttext\n":             "plain é☃😀\n\ttext\n",
		"\x1b]0;a title\x07x":             "x",
		"\x1b]8;;http://a.example\x1b\\x": "x",
		"\x1b[2J\x1b[1;31mred\x1b[0m":     "red",
		"\x1bP1$r\x1b\\x\x1b(Bx\x1bc":     "xx",
		"\x1b]0;without an end":           "0;without an end",
		"\x1b[\x1b[m31m":                  "31m",
		"good\rbad":                       "good bad",
		"a\bb\x00c\x7fd\ve":               "abcd e",
		"\u009b31m\u009d0;x\u009c":        "31m0;x",
		"\x9b31m\xff\xc0\xaf":             "?31m?",
		"\u202egnp\u202c \u2066x\u2069":   "gnp x",
		"a\u200bb\u200fc\ufeffd\u061ce":   "abcde",
		"a\u2028b\u2029c\u0085d":          "a b c d",
		"\U000e0041x":                     "x",
		"<{%fg 0%}>hidden<{%\x00reset%}>": "<{ %fg 0%}>hidden<{ %reset%}>",
		"<\x00{%reset%}>":                 "<{ %reset%}>",
	} {
		assert.Equal(t, want, Text(text), "%q", text)
		assert.Equal(t, want, Text(Text(text)), "%q", text)
	}
	assert.Equal(t, "a b c", Line(" a\r\nb\tc\x1b[0m\n"))
}

// TestTheServersIsTheSame: what lib.sh lets through is what a person sees, for every character.
func TestTheServersIsTheSame(t *testing.T) {
	var all []byte
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if r != '\n' && utf8.ValidRune(r) {
			all = append(utf8.AppendRune(all, r), '\n')
		}
	}
	bash := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", `source ../../provision/scripts/lib.sh; plain <"$1"`, "test", file(t, all))
	output, err := bash.Output()
	require.NoError(t, err)
	for _, r := range string(output) {
		hides := unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
		if hides {
			assert.Failf(t, "it is no text", "%U", r)
		}
	}
	kept := map[rune]bool{}
	for _, r := range string(output) {
		kept[r] = true
	}
	for r := rune(' '); r <= unicode.MaxRune; r++ {
		if unicode.IsPrint(r) && !kept[r] {
			assert.Failf(t, "it is text", "%U", r)
		}
	}
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "all")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}
