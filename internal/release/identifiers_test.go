package release

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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
	"../../cmd/doctor": {"fail": 2, "warn": 2},
	"../config":        {"l.problem": 3, "l.resourceID": 3, "s.problem": 2, "refuse": 3, "field": 2},
	"../../infra":      {"add": 3, "removal": 3},
	".":                {"f.problem": 2},
	"plan":             {"problem": 2},
	"trust":            {"c.add": 6},
}

// TestProblemsAreListed: each problem of the settings, of what is protected, of what a commit's compose file may do and lacks, each
// finding of the doctor, and each refusal of the server's scripts has an identifier of its own, and docs/problems.md lists it.
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
	scriptsIn(t, note)

	text := strings.Builder{}
	text.WriteString("# Problems\n\nWhat Berth refuses, on the operator's machine and in the scripts on the server, by the identifier that ends the sentence:\n" +
		"`[compose-privileged]`. An identifier stays as it is; the sentence may become a better one. `…`, `%s` and words in capitals are\n" +
		"placeholders.\n\n| identifier | sentence |\n|---|---|\n")
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
					assert.Contains(t, []string{"id", "field.id"}, written(node.Args[0]), "%s: a problem without an identifier", file)
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

var (
	// endings are the calls that end a script of the server with a refusal, or pass one on: the identifier, and the sentence.
	endings = regexp.MustCompile(`(?:^|\|\||&&|[;{()]|\bthen|\belse)\s*(?:fail|refuse|refuse_ext|pass_over) (\S+) (".*)$`)
	// mentions are all that looks like such a call.
	mentions = regexp.MustCompile(`(?:^|\s)(?:fail|refuse|refuse_ext|pass_over)(?:\s|$)`)
	// printed are the refusals of scripts that run without lib.sh, or outside of a step.
	printed  = regexp.MustCompile(`echo ("[^"]* \[([a-z0-9-]+)\][^"]*") >&2`)
	openings = regexp.MustCompile(`^(\w+)\(\) \{`)
	names    = regexp.MustCompile(`^\$(?:\w+|.)`)
)

// scriptsIn reads the server's scripts: every refusal has its identifier there, or passes on one that its function was given. What is
// refused in several places may have several sentences.
func scriptsIn(t *testing.T, note func(id, sentence string)) {
	t.Helper()
	found := map[string][]string{}
	require.NoError(t, fs.WalkDir(os.DirFS("../../provision/scripts"), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sh") {
			return err
		}
		text, err := os.ReadFile(filepath.Join("../../provision/scripts", path))
		within := ""
		for line := range strings.Lines(string(text)) {
			if opened := openings.FindStringSubmatch(line); opened != nil {
				within = opened[1]
			}
			line = strings.TrimSpace(line)
			if said := printed.FindStringSubmatch(line); said != nil {
				found[said[2]] = append(found[said[2]], strings.Replace(quoted(said[1]), " ["+said[2]+"]", "", 1))
			}
			if strings.HasPrefix(line, "#") || !mentions.MatchString(line) {
				continue
			}
			call := endings.FindStringSubmatch(line)
			require.NotNil(t, call, "%s: a refusal without an identifier and a sentence: %s", path, line)
			if call[1] == `"$1"` {
				assert.Contains(t, []string{"refuse", "refuse_ext", "pass_over"}, within, "%s: a refusal without an identifier: %s", path, line)
			} else {
				found[call[1]] = append(found[call[1]], quoted(call[2]))
			}
		}
		return err
	}))
	require.Greater(t, len(found), 100)
	for id, sentences := range found {
		slices.Sort(sentences)
		note(id, strings.Join(slices.Compact(sentences), "; or: "))
	}
}

// quoted is the text in double quotes that a piece of shell begins with, with … for what the shell puts in.
func quoted(shell string) string {
	text := strings.Builder{}
	for at := 1; at < len(shell) && shell[at] != '"'; at++ {
		switch shell[at] {
		case '\\':
			at++
			text.WriteByte(shell[at])
		case '$':
			at += expansion(shell[at:]) - 1
			text.WriteString("…")
		default:
			text.WriteByte(shell[at])
		}
	}
	return dots.ReplaceAllString(text.String(), "…")
}

// expansion is the length of the $NAME, ${…} or $(…) that a piece of shell begins with.
func expansion(shell string) int {
	closing := map[byte]byte{'{': '}', '(': ')'}[shell[1]]
	if closing == 0 {
		return len(names.FindString(shell))
	}
	depth := 0
	for at := 1; at < len(shell); at++ {
		switch shell[at] {
		case shell[1]:
			depth++
		case closing:
			depth--
		}
		if depth == 0 {
			return at + 1
		}
	}
	return len(shell)
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
