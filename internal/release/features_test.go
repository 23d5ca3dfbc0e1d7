package release

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/release/trust"
)

var update = flag.Bool("update", false, "write docs/compose.md and docs/problems.md")

const features = "../../docs/compose.md"

// drawnIn are keys that Compose resolves before there is a model, from files of the commit.
var drawnIn = []string{"include", "services.*.extends", "services.*.label_file"}

// outcome says what happens to a key of a compose file.
func outcome(key string, class trust.Class) string {
	for _, newer := range newKeys {
		if newer = strings.ReplaceAll(newer, "volumes.*.", "volumes."); key == newer || strings.HasPrefix(key, newer+".") {
			return "refused: newer than the server's Compose 2.26"
		}
	}
	if slices.Contains(drawnIn, key) {
		return "supported for files of the commit; others are refused"
	}
	unless := ""
	if class.Allow != "" {
		unless = ", unless `berth:allow` has `" + class.Allow + "`"
	}
	switch {
	case class.Refuse:
		return "refused" + unless
	case class.Ignored:
		return "no effect, which the preview says"
	case class.Path:
		return "supported for files of the commit; others are refused" + unless
	case class.Values != "" || class.Names != "":
		return "supported; what is not known to be harmless is refused" + unless
	}
	return "supported"
}

// ownLabels are what docs/compose.md says of the labels that Berth reads, with ' for what Markdown sets in code.
const ownLabels = `A service may have three labels that Berth reads. The preview says what each one does.

| label | value | what it decides |
|---|---|---|
| 'berth.stateful' | '"true"' or '"false"' | Whether the service is persistent, or every release replaces it. By default, a service that keeps data is persistent |
| 'berth.overlap' | '"false"' | A service that every release replaces never runs twice: the old one is stopped before the new one starts |
| 'berth.servers' | 'all' or 'first' | With several servers ('berth:servers'), whether the service runs on every one or on the first alone. By default, a service runs on every one if it keeps no data, and a route uses it or such a service depends on it |`

// TestEveryKeyOfComposeIsInTheDocs: docs/compose.md says of each key of the specification what happens to it.
func TestEveryKeyOfComposeIsInTheDocs(t *testing.T) {
	byKey := classes(t)
	keys := slices.Sorted(maps.Keys(keysOf(t, schema.Schema)))
	counts, seen := map[string]int{}, map[string]bool{}
	var rows strings.Builder
	for _, key := range keys {
		class, above := byKey[key], key
		for class.Why == "" && strings.Contains(above, ".") {
			above = above[:strings.LastIndex(above, ".")]
			class = byKey[above]
		}
		require.NotEmpty(t, class.Why, key)
		// What is refused whole has one row, and so has what Compose draws in.
		if above != key && class.Refuse && seen[above] || slices.ContainsFunc(drawnIn, func(one string) bool { return strings.HasPrefix(key, one+".") }) {
			continue
		}
		if above != key && class.Refuse {
			key = above
		}
		seen[key] = true
		why := class.Why
		if slices.Contains(drawnIn, key) {
			why = "Compose draws it in before the plan is made"
		}
		what := outcome(key, class)
		counts[strings.FieldsFunc(what, func(r rune) bool { return r == ':' || r == ',' || r == ';' })[0]]++
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", key, what, strings.TrimSuffix(why, "."))
	}
	text := fmt.Sprintf(`# What happens to each key of a compose file

The keys are those of the Compose specification, by their paths; %s is any name. Made by
%s from the specification's schema and from %s. Of %d keys, %d are refused, and %d have no effect on
a server. A refused key is refused with all that is below it.

%s

| key | what happens | why |
|---|---|---|
%s`, "`*`", "`go test ./internal/release -run Docs -update`", "`internal/release/trust/allowed.json`", len(seen), counts["refused"], counts["no effect"], strings.ReplaceAll(ownLabels, "'", "`"), rows.String())
	if *update {
		require.NoError(t, os.WriteFile(features, []byte(text), 0o644))
	}
	written, err := os.ReadFile(features)
	require.NoError(t, err)
	assert.Equal(t, string(written), text, "write it again: go test ./internal/release -run Docs -update")
}
