package release

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/release/trust"
)

// makers are, by folder, the calls that make a problem, whose first argument is the identifier, and which argument is the sentence.
var makers = map[string]map[string]int{
	"../config":   {"l.problem": 3, "s.problem": 2, "refuse": 3},
	"../../infra": {"add": 3, "removal": 3},
	".":           {"f.problem": 2},
	"trust":       {"c.add": 6},
}

// TestProblemsAreListed: each problem of the settings, of what is protected, and of what a commit's compose file may do and lacks
// has an identifier of its own, and docs/problems.md lists it.
func TestProblemsAreListed(t *testing.T) {
	found := map[string]string{}
	note := func(id, sentence string) {
		assert.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)+$`, id, sentence)
		assert.NotContains(t, found, id, "two problems have the same identifier")
		found[id] = sentence
	}
	for _, folder := range slices.Sorted(maps.Keys(makers)) {
		problemsIn(t, folder, note)
	}
	classes, err := trust.Classes()
	require.NoError(t, err)
	for _, class := range classes {
		if class.ID == "" {
			assert.Empty(t, class.Says, "%s: it has a sentence and no identifier", class.Keys)
			continue
		}
		sentences := slices.Sorted(maps.Values(class.Says))
		if class.Build {
			sentences = []string{"has the build option KEY, which is not supported here"}
		}
		note(class.ID, strings.Join(sentences, "; or: "))
	}
	note("compose-key-unknown", "has KEY: VALUE, which Berth does not know")
	require.Greater(t, len(found), 150)

	text := strings.Builder{}
	text.WriteString("# Problems\n\nWhat Berth refuses, by the identifier that ends the sentence: `[compose-privileged]`. An identifier stays as it is; the sentence may\n" +
		"become a better one. `…`, `%s` and words in capitals stand for what a message names.\n\n| identifier | sentence |\n|---|---|\n")
	for _, id := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(&text, "| `%s` | %s |\n", id, strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(found[id]))
	}
	file := "../../docs/problems.md"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	}
	listed, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, text.String(), string(listed), "go test ./internal/release -run ProblemsAreListed -update writes it")
}

// problemsIn reads a folder's source: every call that makes a problem has its identifier there, or passes on one that it was given.
func problemsIn(t *testing.T, folder string, note func(id, sentence string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CallExpr:
				of, ok := makers[folder][written(node.Fun)]
				if !ok {
					return true
				}
				id := literal(node.Args[0])
				if id == "" {
					assert.Equal(t, "id", written(node.Args[0]), "%s: a problem without an identifier", file)
					return true
				}
				sentence := literal(node.Args[of])
				if written(node.Fun) == "f.problem" {
					assert.Contains(t, sentence, "; ", "%s: the identifier ends the sentence before what to do", id)
				}
				note(id, cmp.Or(sentence, "(what is wrong with it)"))
			case *ast.CompositeLit:
				if name := written(node.Type); name != "Problem" && name != "config.Problem" {
					return true
				}
				fields := map[string]ast.Expr{}
				for _, element := range node.Elts {
					field := element.(*ast.KeyValueExpr)
					fields[written(field.Key)] = field.Value
				}
				if id := literal(fields["ID"]); id != "" {
					note(id, literal(fields["Allowed"]))
				} else if fields["ID"] != nil {
					assert.Equal(t, "id", written(fields["ID"]), file)
				}
			case *ast.AssignStmt: // problem.ID, problem.Allowed = "…", "…"
				if len(node.Lhs) == 2 && len(node.Rhs) == 2 && written(node.Lhs[0]) == "problem.ID" {
					note(literal(node.Rhs[0]), literal(node.Rhs[1]))
				}
			}
			return true
		})
	}
}

// written is an expression that is a name, or a name of something.
func written(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name
	case *ast.SelectorExpr:
		return written(expression.X) + "." + expression.Sel.Name
	}
	return ""
}

var dots = regexp.MustCompile(`…(\s*…)+`)

// literal is the text of an expression as far as it is one, … for the rest, and "" where nothing of it is.
func literal(expression ast.Expr) string {
	text := dots.ReplaceAllString(parts(expression), "…")
	if text == "…" {
		return ""
	}
	return text
}

func parts(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(expression.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return parts(expression.X) + parts(expression.Y)
	case *ast.CallExpr:
		if written(expression.Fun) == "fmt.Sprintf" {
			return parts(expression.Args[0])
		}
	}
	return "…"
}
