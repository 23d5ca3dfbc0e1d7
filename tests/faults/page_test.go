package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/runbook"
)

// page is one of the documentation, whose operator's blocks are run unchanged.
type page struct {
	*harness.Rehearsal
	blocks []string
	// tools is a folder of commands that come before the machine's.
	tools string
}

// console is AWS's own command, as far as the pages use it: what it changes it changes in the stand-in, and what it asks is
// checked where the real one is there.
const console = `#!/bin/sh
case "$1 $2" in
  "ec2 terminate-instances") exec rehearsal --name %[1]s --dir %[2]s console remove aws:ec2/instance:Instance "$4" ;;
  "ec2 wait") ;;
  *) [ ! -x /usr/bin/aws ] || exec /usr/bin/aws "$@" --generate-cli-skeleton output ;;
esac
`

func open(t *testing.T, r *harness.Rehearsal, name string) *page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Project, "docs", name))
	require.NoError(t, err)
	p := &page{Rehearsal: r, tools: t.TempDir()}
	for _, block := range runbook.Blocks(text) {
		if block.Kind == runbook.Operator {
			p.blocks = append(p.blocks, block.Script)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.tools, "aws"), fmt.Appendf(nil, console, r.Name, r.Dir), 0o755))
	return p
}

// run runs the next block, after first, with the examples' names replaced, and gives its output. A page that says another
// thing than the test expects fails by begins.
func (p *page) run(r *harness.Rehearsal, begins, first string, names ...string) string {
	r.T().Helper()
	require.NotEmpty(r.T(), p.blocks)
	script := p.blocks[0]
	p.blocks = p.blocks[1:]
	require.True(r.T(), strings.HasPrefix(script, begins), script)
	script = strings.NewReplacer(append(names, "production", "rehearsal", "app.example.com", harness.Domain)...).Replace(script)
	output, err := r.Try("shell", "--", "env", "AWS_DEFAULT_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none",
		"bash", "-c", "set -euo pipefail; PATH="+p.tools+":$PATH\n"+first+"\n"+script)
	require.NoErrorf(r.T(), err, "%s\n%s", script, output)
	return output
}
