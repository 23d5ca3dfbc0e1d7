package harness

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

// OtherAMI is the second machine image that the AWS stand-in knows.
const OtherAMI = "ami-0fedcba9876543210"

// Account is what the AWS stand-in keeps.
type Account struct {
	t         *testing.T
	Resources map[string]*Resource
}

// Resource is one of the account's: its Pulumi type, its AWS id, its outputs.
type Resource struct {
	t               *testing.T
	Type, ID        string
	Inputs, Outputs map[string]any
}

// Output is a property that is a string.
func (r *Resource) Output(name string) string {
	r.t.Helper()
	text, ok := r.Outputs[name].(string)
	require.Truef(r.t, ok, "%s %s has no %s", r.Type, r.ID, name)
	return text
}

// In is the rehearsal for a subtest.
func (r *Rehearsal) In(t *testing.T) *Rehearsal { own := *r; own.t = t; return &own }

// In is the site for a subtest.
func (s *Site) In(t *testing.T) *Site { own := *s; own.t = t; return &own }

// Account reads what the AWS stand-in keeps now.
func (r *Rehearsal) Account() *Account {
	r.t.Helper()
	a := &Account{t: r.t}
	require.NoError(r.t, json.Unmarshal([]byte(r.File("aws/aws.json")), a))
	return a
}

// Console changes the account by hand, as somebody does in AWS's console: "make", a type and properties as JSON; "change", a
// type, an id and properties; "remove", a type and an id. It gives the id of what it made.
func (r *Rehearsal) Console(args ...string) string {
	r.t.Helper()
	return strings.TrimSpace(r.Run(append([]string{"console"}, args...)...))
}

// All are the resources of a type.
func (a *Account) All(typ string) []*Resource {
	var found []*Resource
	for _, resource := range a.Resources {
		if resource.Type == typ {
			resource.t = a.t
			found = append(found, resource)
		}
	}
	return found
}

// Only is the one resource of a type.
func (a *Account) Only(typ string) *Resource {
	a.t.Helper()
	found := a.All(typ)
	require.Lenf(a.t, found, 1, "%s", typ)
	return found[0]
}

// Inventory lists everything, sorted: a line with type and id each.
func (a *Account) Inventory() []string {
	var lines []string
	for _, resource := range a.Resources {
		lines = append(lines, resource.Type+" "+resource.ID)
	}
	slices.Sort(lines)
	return lines
}

// Backend is everything that Pulumi keeps of the stack, in one text.
func (r *Rehearsal) Backend() string {
	r.t.Helper()
	var all strings.Builder
	require.NoError(r.t, filepath.WalkDir(filepath.Join(r.Dir, "backend"), func(path string, entry os.DirEntry, err error) error {
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

// Changed lists the resources that an up changed, each once.
func Changed(output string) []string {
	var names []string
	for _, match := range changedLine.FindAllStringSubmatch(output, -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
		}
	}
	return names
}

// Greeting is what the sample app's API says its variable GREETING is.
func Greeting(t *testing.T, response *http.Response) string {
	t.Helper()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var version struct{ Greeting string }
	require.NoError(t, json.NewDecoder(response.Body).Decode(&version))
	return version.Greeting
}

// DockerObjects lists containers, networks and volumes that carry the rehearsal's label.
func DockerObjects(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, args := range [][]string{{"container", "ls", "--all"}, {"network", "ls"}, {"volume", "ls"}} {
		output, err := exec.CommandContext(t.Context(), "docker", append(args, "--quiet", "--filter", "label=berth.rehearsal="+name)...).Output()
		require.NoError(t, err)
		found = append(found, strings.Fields(string(output))...)
	}
	return found
}
