package tests

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// otherAMI is the second machine image that the AWS stand-in knows.
const otherAMI = "ami-0fedcba9876543210"

// account is what the AWS stand-in keeps.
type account struct {
	t         *testing.T
	Resources map[string]*resource
}

type resource struct {
	t        *testing.T
	Type, ID string
	Outputs  map[string]any
}

func (r *resource) output(name string) string {
	r.t.Helper()
	text, ok := r.Outputs[name].(string)
	require.Truef(r.t, ok, "%s %s has no %s", r.Type, r.ID, name)
	return text
}

// in is the rehearsal for a subtest.
func (r *rehearsal) in(t *testing.T) *rehearsal { own := *r; own.t = t; return &own }

// in is the site for a subtest.
func (s *site) in(t *testing.T) *site { own := *s; own.t = t; return &own }

func (r *rehearsal) account() *account {
	r.t.Helper()
	a := &account{t: r.t}
	require.NoError(r.t, json.Unmarshal([]byte(r.file("aws/aws.json")), a))
	return a
}

func (a *account) all(typ string) []*resource {
	var found []*resource
	for _, resource := range a.Resources {
		if resource.Type == typ {
			resource.t = a.t
			found = append(found, resource)
		}
	}
	return found
}

func (a *account) only(typ string) *resource {
	a.t.Helper()
	found := a.all(typ)
	require.Lenf(a.t, found, 1, "%s", typ)
	return found[0]
}

func (a *account) inventory() []string {
	var lines []string
	for _, resource := range a.Resources {
		lines = append(lines, resource.Type+" "+resource.ID)
	}
	slices.Sort(lines)
	return lines
}

// backend is everything that Pulumi keeps of the stack, in one text.
func (r *rehearsal) backend() string {
	r.t.Helper()
	var all strings.Builder
	require.NoError(r.t, filepath.WalkDir(filepath.Join(r.dir, "backend"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	}))
	require.Contains(r.t, all.String(), "urn:pulumi:rehearsal")
	return all.String()
}

// changedLine is a line of Pulumi's progress that says a custom resource was made, updated or replaced.
var changedLine = regexp.MustCompile(`(?m)^ *(?:\+|~|\+\+|\+-|--|-) +(?:aws|command|tls):\S+ +(\S+) +(?:created|updated|replaced|create|update)\b`)

// changed lists the resources that an up changed, each once.
func changed(output string) []string {
	var names []string
	for _, match := range changedLine.FindAllStringSubmatch(output, -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
		}
	}
	return names
}

func greeting(t *testing.T, response *http.Response) string {
	t.Helper()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var version struct{ Greeting string }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&version))
	return version.Greeting
}

// dockerObjects lists containers, networks and volumes that carry the rehearsal's label.
func dockerObjects(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, args := range [][]string{{"container", "ls", "--all"}, {"network", "ls"}, {"volume", "ls"}} {
		output, err := exec.CommandContext(t.Context(), "docker", append(args, "--quiet", "--filter", "label=berth.rehearsal="+name)...).Output()
		require.NoError(t, err)
		found = append(found, strings.Fields(string(output))...)
	}
	return found
}
