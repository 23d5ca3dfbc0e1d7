package infra

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// User is the login that first boot makes and every later step connects as. It is the one Debian's own EC2
	// images have, but named in the user data rather than relied upon.
	User = "admin"

	// userDataLimit in bytes is what EC2 takes, before Base64. Source: EC2 User Guide, "Instance user data".
	userDataLimit = 16 * 1024
)

// cloudConfig is what cloud-init does on first boot, and no more than SSH needs: the rest is provisioning, which can
// be seen, repeated and changed. It names neither the domain nor anything else that a stack may change later, since
// every changed byte replaces the server. That is also why it is a template, and not written by a YAML library, whose
// next version might order or quote it in another way.
//
//go:embed cloud-config.yaml.tmpl
var cloudConfig string

var cloudConfigTemplate = template.Must(
	template.New("cloud-config").Funcs(template.FuncMap{"quote": quote}).Parse(cloudConfig))

// firstBoot holds what the template needs, in OpenSSH's formats.
type firstBoot struct {
	Hostname, User, ClientPublic, HostPrivate, HostPublic string
}

// userData is the first server's user data.
func userData(keys *Keys) pulumi.StringOutput {
	return bootWith("berth", keys.ClientPublic, keys.HostPrivate, keys.HostPublic)
}

// webUserData is that of every web server: all show the same host key, and let the first server in.
func webUserData(keys *Keys) pulumi.StringOutput {
	return bootWith("berth-web", keys.FleetPublic, keys.WebHostPrivate, keys.WebHostPublic)
}

// bootWith is user data with these keys, a secret since it holds a host key.
func bootWith(hostname string, clientPublic, hostPrivate, hostPublic pulumi.StringOutput) pulumi.StringOutput {
	rendered := pulumi.All(clientPublic, hostPrivate, hostPublic).ApplyT(
		func(values []any) (string, error) {
			return firstBoot{
				Hostname:     hostname,
				User:         User,
				ClientPublic: values[0].(string),
				HostPrivate:  values[1].(string),
				HostPublic:   values[2].(string),
			}.render()
		}).(pulumi.StringOutput)
	return pulumi.ToSecret(rendered).(pulumi.StringOutput)
}

func (b firstBoot) render() (string, error) {
	var text strings.Builder
	if err := cloudConfigTemplate.Execute(&text, b); err != nil {
		return "", fmt.Errorf("render the user data: %w", err)
	}
	if text.Len() > userDataLimit {
		return "", fmt.Errorf("render the user data: %d bytes are more than the %d that EC2 takes",
			text.Len(), userDataLimit)
	}
	return text.String(), nil
}

// quote writes a YAML double-quoted scalar. Every JSON string is one.
func quote(value string) (string, error) {
	quoted, err := json.Marshal(value)
	return string(quoted), err
}
