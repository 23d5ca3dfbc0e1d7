package compose

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMissing(t *testing.T) {
	for name, test := range map[string]struct {
		example string
		have    []string
		want    []string
	}{
		"nothing":            {"", nil, nil},
		"sorted":             {"B=\nA=1\nC=\n", nil, []string{"A", "B", "C"}},
		"had":                {"B=\nA=1\nC=\n", []string{"A", "C", "D"}, []string{"B"}},
		"all had":            {"A=\n", []string{"A"}, nil},
		"optional":           {"# A=\n#B=1\n  # C=\n", nil, nil},
		"required after all": {"# A=\nA=\n", nil, []string{"A"}},
		"prose":              {"# The password = required.\n\n   \nSee the wiki.\nNAME\nA=\n", nil, []string{"A"}},
		"export":             {"export A=1\nexport\tB=\nexport C\nexported=1\nexport=1\n", nil, []string{"A", "B", "export", "exported"}},
		"spaces":             {"  A = 1\n\tB\t=\n", nil, []string{"A", "B"}},
		"line ends":          {"A=1\r\nB=\"x\"\r\nC=\r# D=\rE=", nil, []string{"A", "B", "C", "E"}},
		"byte order mark":    {"\ufeffA=1\nB=2\n", nil, []string{"A", "B"}},
		"duplicates":         {"A=1\nA=2\nA=\n", nil, []string{"A"}},
		"no line end":        {"A=1\nB", nil, []string{"A"}},
		"quotes":             {"A=\"B=1\"\nC='D=1' # E=1\nF='it\\'s'\nG=it's\nH=\"a \\\" b\"\nI=1\n", nil, []string{"A", "C", "F", "G", "H", "I"}},
		"more lines":         {"A=\"-----BEGIN\nB=1\n-----END\" # done\nC='\nD=1\n'\nE=1\n", nil, []string{"A", "C", "E"}},
		"more lines, escape": {"A=\"x\\\"\nB=1\n\"\r\nC=1\n", nil, []string{"A", "C"}},
		"a quote left open":  {"A=\"x\nB=1\nC='\n", nil, []string{"A", "B", "C"}},
		"values with =":      {"URL=postgres://u:p@h/d?sslmode=off\nB=${C:?is required}\n", nil, []string{"B", "URL"}},
		"not a name":         {"1A=1\na-b=1\na.b=1\n=1\nä=1\n$(x)=1\n", nil, nil},
		"small letters":      {"a_1=x\n_b=y\n", nil, []string{"_b", "a_1"}},
	} {
		have := map[string]bool{}
		for _, name := range test.have {
			have[name] = true
		}
		assert.Equal(t, test.want, Missing([]byte(test.example), have), name)
		assert.Equal(t, test.want, Missing([]byte(strings.ReplaceAll(strings.ReplaceAll(test.example, "\r\n", "\n"), "\n", "\r\n")), have), "%s, CRLF", name)
	}
}
