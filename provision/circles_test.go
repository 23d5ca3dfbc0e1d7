package provision

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestARedirectToItselfIsNoAnswer: so an app redirects that ends TLS itself, for ever. One for a cookie ends.
func TestARedirectToItselfIsNoAnswer(t *testing.T) {
	for name, test := range map[string]struct{ said, code, unwell string }{
		"a page":                   {"200 ", "0", ""},
		"to another page":          {"302 https://app.example.com/login", "0", ""},
		"to itself, for ever":      {"301 https://app.example.com/", "47", "https://app.example.com/ answers 301, a redirect to itself (nginx ends TLS here"},
		"to itself, for a cookie":  {"302 https://app.example.com/", "0", ""},
		"an error":                 {"502 ", "0", "https://app.example.com/ answers 502"},
		"nothing":                  {"", "7", "https://app.example.com/ answers nothing"},
		"to a page below the same": {"302 https://app.example.com/x", "47", ""},
	} {
		output, err := withDocker(t, "", `HOSTS=$RELEASES/hosts.json DOMAIN=app.example.com; source scripts/release/edge.sh; if site_answers new 443; then echo well; else echo "$UNWELL"; fi`, map[string]string{
			"hosts.json":    `{"names":["app.example.com"],"hosts":[],"redirects":[]}`,
			"new/plan.json": `{"routes":[{"path":"/","health":""}]}`,
			"bin/curl":      "#!/bin/bash\ncase $* in *--location*) exit " + test.code + " ;; esac\nprintf '" + test.said + "'\n[ -n '" + test.said + "' ] || exit 7\n",
		})
		assert.NoError(t, err, output)
		if test.unwell == "" {
			assert.Equal(t, "well\n", output, name)
		} else {
			assert.Contains(t, output, test.unwell, name)
		}
	}
}
